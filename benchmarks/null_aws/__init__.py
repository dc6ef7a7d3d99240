"""AWS as a caller sees it when AWS costs nothing: SQS and DynamoDB that answer at once, over loopback.

What is measured against it is the caller's own cost. It can take a fixed time for each answer, and it counts the calls.
"""

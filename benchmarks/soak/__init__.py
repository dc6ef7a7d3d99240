"""Thousands of jobs through real worker processes that are killed, throttled and given messages twice.

`python -m benchmarks.soak` runs it on MiniStack and says how many jobs were lost, run again although they had ended,
or left open.
"""

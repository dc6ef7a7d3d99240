"""Optional speed-ups of botocore."""

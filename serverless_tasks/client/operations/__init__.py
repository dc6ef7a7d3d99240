"""Operators' views of a stack, and what they do to it: queues, stuck jobs, pauses."""

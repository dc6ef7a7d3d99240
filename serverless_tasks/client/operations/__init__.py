"""Operators' views of a stack, and their deeds: queues, stuck jobs, pauses, actions on many jobs at once."""

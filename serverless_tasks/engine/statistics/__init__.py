"""Counts of each task by the hour, and of errors by their kind: gathered in a worker, written seldom."""

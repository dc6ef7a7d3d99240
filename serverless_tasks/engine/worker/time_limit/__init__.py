"""Stopping a run that exceeds its time limit."""

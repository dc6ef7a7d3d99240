"""Operators' deeds on many jobs at once."""

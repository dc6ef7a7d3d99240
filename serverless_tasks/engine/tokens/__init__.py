"""Signed tokens of limited scope and life, for browsers and other callers without a login."""

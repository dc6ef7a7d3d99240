"""Submitting: options, checked inputs, deduplication, publishing, the handle."""

"""Wiring of a Django process."""

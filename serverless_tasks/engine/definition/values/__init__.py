"""Typed values: secrets, sets, aliases, and the JSON round trip."""

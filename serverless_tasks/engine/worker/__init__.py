"""Running: claim, limits, completion."""

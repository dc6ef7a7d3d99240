"""The example site."""

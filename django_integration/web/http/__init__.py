"""Request bodies, responses and their schemas."""

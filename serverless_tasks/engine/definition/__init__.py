"""Task declarations, checked and turned into schemas."""

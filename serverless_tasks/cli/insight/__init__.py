"""Statistics and errors as people read them on a terminal of 80 columns."""

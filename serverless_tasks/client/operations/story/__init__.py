"""One run's whole story: its spans, their picture, and its log."""

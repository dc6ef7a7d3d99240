"""Between a request and its response."""

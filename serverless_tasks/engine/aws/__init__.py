"""The only calls to AWS."""

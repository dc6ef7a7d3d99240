"""Plain values of a job; no I/O."""

"""A check for tests that a task may run twice: it sees the writes, loses the worker after each, and tells of repetitions."""

"""A check that a task may run twice: its writes are seen, its worker is lost after each, repetitions are told."""

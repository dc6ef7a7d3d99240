"""Ready-made pieces of pages: a job's progress, and a button that submits a task."""

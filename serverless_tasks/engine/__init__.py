"""The way of a job: definition, submission, backend, worker, store."""

"""Following a job: snapshots, polling, events, shared reads."""

"""Groups whose workers die at calls: how often what follows a group is begun early, run twice or lost.

`python -m benchmarks.crashes SIDE GROUPS SIZE CRASHES SEED` says it of our groups and of Celery's chords. Every call of
a delivery has two moments at which the process may die: before AWS has it, and before its answer is there. At which of
them it does is drawn beforehand. Tables and queues are in this process's memory, behind botocore's clients: what was
not deleted comes again when its visibility timeout is over, and time is moved, not waited for.
"""

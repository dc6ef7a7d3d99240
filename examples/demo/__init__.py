"""`python -m examples.demo`: the way of a job, shown on the real local stack."""

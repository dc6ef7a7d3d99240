"""The smoke test on AWS itself: ``python -m infra.smoke``, which is ``make aws-smoke``."""

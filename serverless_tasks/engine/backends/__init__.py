"""Backends for submitted jobs: SQS, threads of this process, or at once."""

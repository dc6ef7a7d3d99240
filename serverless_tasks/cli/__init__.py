"""The command line `serverless-tasks`."""

from serverless_tasks.cli.entry import main

__all__ = ["main"]

"""The client for scripts and operators."""

from serverless_tasks.client.task_client import TaskClient

__all__ = ["TaskClient"]

"""Backends of a project's own, as TASK_API_BACKEND names them."""

import json
from typing import Any

from django_integration.own_backend import TaskBackend, TaskInfo, execute


class Inline(TaskBackend):
    """Runs the job at once, and notes what it was called with."""

    seen: list[tuple[str, str, str, Any, str]] = []

    def run_task(self, info: TaskInfo, task: str) -> None:
        self.seen.append((info.uuid, info.task, info.status, json.loads(info.inputs), task))
        assert self.resolve_class(task).name == info.task
        info.backend_data = "as the older ones do"
        info.execute()


class Courier:
    """Carries jobs elsewhere; derives from nothing of ours."""

    sent: list[str] = []

    def run_task(self, info: Any, task: str) -> None:
        self.sent.append(info.message)

    @classmethod
    def deliver(cls) -> None:
        for message in cls.sent:
            execute(message)


class Broken:
    def run_task(self, info: Any, task: str) -> None:
        raise OSError("the broker is away")


class Forgetful:
    """No run_task."""

"""A step of progress, as ours and others report it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from benchmarks import deployment
from benchmarks.context import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 1_000_000
FEW = 100


def ours() -> Callable[[], None]:
    """A job whose task counts to a million, handled by the worker: claim, progress and end included."""
    from lambda_handlers.worker import handler

    event = deployment.event("count", {"times": TIMES}, 1)

    def step() -> None:
        assert handler(event, CONTEXT) == {"batchItemFailures": []}

    return step


def task_api() -> Callable[[], None]:
    """A hundred steps of django-task-api's ``inc_progress``, which saves its row each time."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.cases.site_settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils.timezone import now
    from task_api.models import TaskInfo
    from task_api.tasks import Task

    call_command("migrate", verbosity=0)
    task: Any = Task()
    task.info = TaskInfo.objects.create(task="count", status="running", progress=0, created=now())

    def step() -> None:
        for _ in range(FEW):
            task.inc_progress()

    return step

"""Registration by import: the task classes that were made while Django loaded the project's apps.

A project imports a module of tasks in an ``AppConfig.ready``, and needs no other list. Our own ``ready`` may come
before that one, so the classes are noted as they are made; a class made later (by a test, in a view's module) is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps

from serverless_tasks.engine.definition.base import CLASS_HOOKS

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.base import BaseTask

IMPORTED: list[type[BaseTask]] = []


def watch() -> None:
    """Note the classes that are made until all apps are ready."""
    if _note not in CLASS_HOOKS:
        CLASS_HOOKS.append(_note)


def _note(task: type[BaseTask]) -> None:
    if not apps.ready:
        IMPORTED.append(task)

"""The parameters of a task's ``run``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.definition.base import BaseTask


def accepted_by(task: type[BaseTask]) -> dict[str, inspect.Parameter]:
    """The parameters of a task's ``run``, without ``self``.

    Raises:
        TaskDefinitionError: it is a method without ``self``.
    """
    accepted = dict(inspect.signature(task.run).parameters)
    made = inspect.getattr_static(task, "run")
    if hasattr(made, "__get__") and not isinstance(made, (classmethod, staticmethod)):
        given = next(iter(accepted.values()), None)
        if given is None or given.kind is given.KEYWORD_ONLY:
            raise TaskDefinitionError(f"{task.__qualname__}.run() does not take self; add it.")
        if given.kind is not given.VAR_POSITIONAL:
            del accepted[given.name]
    return accepted


def needed_of(accepted: Mapping[str, inspect.Parameter]) -> list[str]:
    """The parameters among these without which ``run`` cannot be called."""
    some = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        name for name, given in accepted.items() if given.default is given.empty and given.kind not in some
    ]

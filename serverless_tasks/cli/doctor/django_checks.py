"""The messages of ``manage.py check``, where Django is set up in this process."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.cli.doctor.finding import Finding, Level
from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from collections.abc import Iterator

TAG: Final = "serverless_tasks"
# Django's own numbers.
_ERROR, _WARNING = 40, 30
# Said of a process without the settings of a stack; the section of the stack says it with those that it needs.
_NO_STACK: Final = f"{TAG}.E002"


def is_set_up() -> bool:
    """Return whether this process has loaded the apps of a Django project."""
    apps: Any = sys.modules.get("django.apps")
    return bool(os.environ.get("DJANGO_SETTINGS_MODULE")) and apps is not None and bool(apps.apps.ready)


def checked() -> list[Finding]:
    """Return the messages of ``check``: all errors, and of this app warnings too."""
    messages = [each for each in _run() if each.level >= _ERROR or _is_ours(each)]
    return [_finding(each) for each in messages]


def checked_for_deployment() -> list[Finding]:
    """Return the messages of ``check --deploy`` of this app besides. AWS is asked."""
    said = {str(each) for each in _run()}
    more = [each for each in _run(tags=[TAG], include_deployment_checks=True) if str(each) not in said]
    if not current_services().config.table:
        more = [each for each in more if each.id != _NO_STACK]
    return [_finding(each) for each in more]


def _run(**options: Any) -> Iterator[Any]:
    # By name, since only Django projects have it installed.
    checks: Any = importlib.import_module("django.core.checks")
    return (each for each in checks.run_checks(**options) if not each.is_silenced())


def _is_ours(message: Any) -> bool:
    return str(message.id).startswith(f"{TAG}.")


def _finding(message: Any) -> Finding:
    level = (
        Level.ERROR
        if message.level >= _ERROR
        else Level.WARNING
        if message.level >= _WARNING
        else Level.UNSEEN
    )
    return Finding(level, f"{message.msg} ({message.id})", message.hint or "")

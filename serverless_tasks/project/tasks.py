"""The tasks of a project: named by its environment or, where that is silent, by ``samconfig.toml``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from serverless_tasks.project.samconfig import deployed_parameters

if TYPE_CHECKING:
    from pathlib import Path

MODULES: Final = "TaskModules"
SETTINGS: Final = "DjangoSettingsModule"
# Template parameters, and the environment variables that they set.
VARIABLES: Final = {MODULES: "SERVERLESS_TASKS_MODULES", SETTINGS: "DJANGO_SETTINGS_MODULE"}
_NAMED = re.compile(r"""["']DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")


def project_parameters(directory: Path, manage: Path) -> dict[str, str]:
    """Return the parameters that a project deploys with; the environment overrides what names the tasks.

    With Django it is set up as `manage.py` does: a deployment's own settings may name a database that is in use.

    Args:
        directory: where ``samconfig.toml`` is.
        manage: the project's ``manage.py``, if there is one.
    """
    parameters = deployed_parameters(directory)
    if SETTINGS in parameters and manage.is_file():
        parameters[SETTINGS] = settings_of(manage) or parameters[SETTINGS]
    here = said_here()
    return {name: value for name, value in parameters.items() if name not in here}


def said_here() -> set[str]:
    """The parameters in whose place the environment says which tasks there are."""
    return {name for name, variable in VARIABLES.items() if os.environ.get(variable)}


def settings_of(manage: Path) -> str | None:
    """The settings module that a ``manage.py`` names, None when it names none."""
    found = _NAMED.search(manage.read_text(encoding="utf-8"))
    return found[1] if found else None


def modules_of(names: str) -> list[str]:
    """Modules' names, written with commas between them."""
    return [name.strip() for name in names.split(",") if name.strip()]

"""The section of the environment: this process, and the tools of this machine."""

from __future__ import annotations

import os
import platform
from difflib import get_close_matches
from importlib import metadata
from typing import TYPE_CHECKING, Final

from serverless_tasks.cli.init import CONTAINER_TEMPLATE
from serverless_tasks.engine.aws.session import require_region
from serverless_tasks.engine.config import PREFIX, setting_names
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.sam import TEMPLATE, missing_tools, runtime_of
from serverless_tasks.project.samconfig import FILE

if TYPE_CHECKING:
    from pathlib import Path

    from serverless_tasks.cli.doctor.finding import Findings
    from serverless_tasks.cli.session import Asked

OLDEST_DJANGO: Final = (5, 2)
# Beginnings of the names of variables that are no settings: of the handlers, and of secrets.
_OTHERS: Final = ("SECRET", "BOTOCORE")
_ENDPOINT: Final = "AWS_ENDPOINT_URL"


def look_at_environment(found: Findings, directory: Path, asked: Asked) -> None:
    """Look at this process and this machine.

    Args:
        found: where the findings go.
        directory: the project's.
        asked: the stack.
    """
    _versions(found, directory)
    _tools(found, directory)
    _variables(found)
    _region(found, asked)


def _versions(found: Findings, directory: Path) -> None:
    versions = {"serverless-tasks": _version("serverless-tasks"), "Django": _version("django")}
    said = [f"{name} {version}" for name, version in versions.items() if version]
    found.ok(", ".join([f"Python {platform.python_version()}", *said]) + ".")
    django = versions["Django"]
    if not (directory / "manage.py").is_file():
        return
    if not django or not _version("django-ninja"):
        missing = "django-ninja" if django else "Django"
        found.fail(
            f"This is a Django project, and this environment has no {missing}.",
            "Activate the project's environment; in it, `pip install 'serverless-tasks[django]'`.",
        )
    elif tuple(int(part) for part in django.split(".")[:2] if part.isdigit()) < OLDEST_DJANGO:
        found.fail(
            f"Django {django} is older than 5.2, the oldest version that is supported.",
            "Install a later one.",
        )


def _tools(found: Findings, directory: Path) -> None:
    if not (directory / TEMPLATE).is_file():
        found.unseen(f"What a build needs was not looked for: there is no {TEMPLATE} here.")
        return
    missing = missing_tools(directory, container=(directory / CONTAINER_TEMPLATE).is_file())
    for sentence in missing:
        text, _, cure = sentence.partition(": ")
        found.warn(f"{text}: this machine cannot build and deploy.", f"{cure[:1].upper()}{cure[1:]}")
    if not missing:
        tools = [each for each in ("sam", "make", runtime_of(directory)) if each]
        found.ok(f"{', '.join(tools)}: what a build needs is on PATH.")


def _variables(found: Findings) -> None:
    names = setting_names()
    for variable in sorted(os.environ):
        own = variable.removeprefix(PREFIX)
        if not variable.startswith(PREFIX) or own in names or own.startswith(_OTHERS):
            continue
        if meant := get_close_matches(own, names, 1, 0.75):
            found.warn(f"Nothing reads the variable {variable}.", f"Is {PREFIX}{meant[0]} meant?")
    problem = current_services().problem
    if problem is not None:
        found.fail(str(problem), "Mend the setting; docs/django.md lists them.")
    if endpoint := os.environ.get(_ENDPOINT):
        found.warn(
            f"{_ENDPOINT} is {endpoint!r}: commands talk to that, not to AWS.",
            f"Unset {_ENDPOINT} to reach AWS.",
        )


def _region(found: Findings, asked: Asked) -> None:
    if asked.stack is None and not current_services().config.table:
        found.unseen("Whether AWS can be reached was not looked at: nothing here names a stack.")
        return
    try:
        require_region()
    except ConfigurationError as error:
        # A command with --stack takes no region from there.
        found.fail(str(error), f"Or give it a region in {FILE}." if asked.environment is not None else "")
        return
    if asked.environment is None or not asked.environment.region:
        found.ok("A region is set.")
        return
    found.ok(
        f"The region is {asked.environment.region}: commands of this environment take it from {FILE}, and a site, like"
        " a command with --stack, from AWS_REGION or the AWS profile."
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""

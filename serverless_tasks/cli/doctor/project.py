"""The section of the project: its files, its tasks, and what Django's checks say."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from serverless_tasks.cli.doctor.django_checks import checked, is_set_up
from serverless_tasks.cli.doctor.finding import Level
from serverless_tasks.cli.init import Project, plan_project
from serverless_tasks.cli.loading import Tasks, load_project
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.build import DEFAULT_ARCHITECTURE, built_architecture
from serverless_tasks.project.sam import TEMPLATE
from serverless_tasks.project.samconfig import ENVIRONMENT, FILE, Environment, deployed_parameters
from serverless_tasks.project.tasks import SETTINGS, VARIABLES, settings_of
from serverless_tasks.project.worker_time import deployed_seconds, worker_times_advice

if TYPE_CHECKING:
    from pathlib import Path

    from serverless_tasks.cli.doctor.finding import Findings
    from serverless_tasks.cli.session import Asked

_INIT = "Run `serverless-tasks init`, and commit what it writes."


def look_at_project(found: Findings, directory: Path, asked: Asked) -> None:
    """Look at a project; none of it is changed, and AWS is not asked.

    Args:
        found: where the findings go.
        directory: the project's.
        asked: the stack.
    """
    _files(found, directory)
    _name_settings(directory / "manage.py")
    _tasks(found, directory)
    _worker(found, directory)
    _build(found, directory, asked)
    if is_set_up():
        with found.look("Django's checks", "`manage.py check` says more."):
            said = checked()
            found.lines += said
            if all(line.level is Level.UNSEEN for line in said):
                found.ok("`manage.py check` has nothing to say.")
    elif (directory / "manage.py").is_file():
        found.unseen(
            "Django's checks were not run: manage.py names no settings that could be loaded.",
            "Name them in DJANGO_SETTINGS_MODULE.",
        )


def _files(found: Findings, directory: Path) -> None:
    missing = [name for name in (FILE, TEMPLATE) if not (directory / name).is_file()]
    if missing:
        found.unseen(
            f"{directory.absolute()} has no {' and no '.join(missing)}: nothing is deployed from here.",
            "Run `serverless-tasks init` in the directory of manage.py.",
        )
        return
    try:
        environment = Environment.read(directory, ENVIRONMENT.get())
        where = f" in {environment.region}" if environment.region else ""
        found.ok(f"{FILE} deploys the stack {environment.stack}{where} (environment {environment.name}).")
    except ConfigurationError as error:
        found.fail(str(error), "Mend the file, or write it anew by `serverless-tasks init`.")
    if not (directory / "manage.py").is_file():
        found.unseen(
            "Whether the files that `init` writes are up to date is not known: there is no manage.py here."
        )
        return
    with found.look("The files that `init` writes"):
        plan = plan_project(directory)
        stale = [file.path.as_posix() for file in plan.files if file.is_out_of_date]
        if stale:
            found.warn(
                f"Out of date: {', '.join(stale)}.", f"{_INIT} `serverless-tasks init --diff` shows it."
            )
        else:
            found.ok("The files that `init` writes are up to date.")
        for task, _, queue in Project.read(directory).tasks:
            if queue is not None and queue not in plan.queues:
                found.fail(
                    f"Task {task} names the queue {queue!r}, which the template does not have.",
                    f"Run `serverless-tasks init --queue {queue}`, or name another queue.",
                )


def _name_settings(manage: Path) -> None:
    """Name the settings that ``manage.py`` does, as it would itself."""
    variable = VARIABLES[SETTINGS]
    if not os.environ.get(variable) and manage.is_file() and (named := settings_of(manage)):
        os.environ[variable] = named


def _tasks(found: Findings, directory: Path) -> None:
    """Load the tasks as the other commands do; what the project's code prints is not part of the page."""
    try:
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            load_project(Tasks.NEEDED)
            registry = current_services().registry
    except ConfigurationError as error:
        if error is current_services().problem:
            found.unseen("The tasks were not loaded: a setting cannot be read.")
            return
        found.fail(str(error), "Mend the module; `serverless-tasks list` shows the whole traceback.")
        return
    except Exception as error:  # noqa: BLE001 - the project's own code, which may raise anything
        found.fail(f"The project's code cannot be loaded: {type(error).__name__}: {error}")
        return
    names = [task.name for task in registry.listed()]
    if names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        found.ok(f"{len(names)} {'task' if len(names) == 1 else 'tasks'}: {shown}.")
    elif is_set_up() and (directory / "manage.py").is_file():
        found.warn(
            "No tasks were found.",
            "Define one in `background.py` or `tasks.py` of an app. INSTALLED_APPS lists it, and django_integration.",
        )
    else:
        found.warn(
            "No tasks were found.",
            f"Run this in the project's directory with its {FILE}, or set SERVERLESS_TASKS_MODULES or"
            " DJANGO_SETTINGS_MODULE.",
        )


def _worker(found: Findings, directory: Path) -> None:
    if not deployed_parameters(directory):
        return
    with found.look("The worker's time"):
        tasks = [
            (task.name, task.timeout, task.usual_queue()) for task in current_services().registry.listed()
        ]
        for advice in worker_times_advice(deployed_seconds(deployed_parameters(directory)), tasks, directory):
            text, _, cure = advice.rpartition(": ")
            found.warn(f"{text}.", f"{cure[:1].upper()}{cure[1:]}")


def _build(found: Findings, directory: Path, asked: Asked) -> None:
    built = built_architecture(directory)
    deployed = deployed_parameters(directory).get("Architecture", DEFAULT_ARCHITECTURE)
    if built is not None and built != deployed:
        found.fail(
            f"The last `sam build` was for {built}, and {FILE} deploys for {deployed}.",
            f"Run {asked.sam('build')} again.",
        )

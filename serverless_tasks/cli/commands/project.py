"""The commands about a project: init, list, dev, worker."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, urlsplit

import typer

from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.loading import NO_TASKS, Tasks, load_project
from serverless_tasks.cli.output import Output, say
from serverless_tasks.cli.parameters import Json
from serverless_tasks.engine.aws.secrets import put_secrets
from serverless_tasks.engine.config import OF_A_STACK
from serverless_tasks.engine.definition.base import replaced_names
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError, TaskDefinitionError
from serverless_tasks.project.sam import missing_tools
from serverless_tasks.project.samconfig import deployed_parameters
from serverless_tasks.project.tasks import MODULES, SETTINGS, modules_of, said_here
from serverless_tasks.project.worker_time import deployed_seconds, worker_times_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.cli.init import Plan
    from serverless_tasks.engine.definition.registry import Registry
    from serverless_tasks.local.aws.stack import LocalStack

Directory = Annotated[Path, typer.Argument(help="Where manage.py is.", file_okay=False, exists=True)]
Modules = Annotated[
    str, typer.Option(metavar="A.B,C.D", help="Modules with tasks, instead of SERVERLESS_TASKS_MODULES.")
]
Queues = Annotated[
    list[str] | None, typer.Argument(metavar="QUEUE...", help="Queues by name or URL; default: all.")
]
Concurrency = Annotated[
    list[str] | None,
    typer.Option(
        "--concurrency", "-c", metavar="N or QUEUE=N", help="Number of tasks to run at the same time."
    ),
]


def init(
    directory: Directory = Path(),
    django_settings: Annotated[
        str | None,
        typer.Option(
            help="Settings module to deploy Django with; '' deploys without Django. Default: detected."
        ),
    ] = None,
    requirement: Annotated[
        str | None, typer.Option(help="Requirement line that installs serverless-tasks in the artefact.")
    ] = None,
    stack_name: Annotated[str | None, typer.Option(help="Name of the CloudFormation stack.")] = None,
    env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Add an environment to samconfig.toml, with a stack of its own."),
    ] = None,
    container: Annotated[
        bool | None,
        typer.Option(
            "--container/--no-container",
            help="Also write a container's worker on ECS Fargate, for tasks longer than 15 minutes.",
        ),
    ] = None,
    queue: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:concurrency=N,timeout=S",
            help="Add a queue of your own, or change one; may be repeated. With a timeout it has a worker of its own.",
        ),
    ] = None,
    drop_queue: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Take a queue of your own away; may be repeated.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with code 1 if files are out of date.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; show what would change in the files.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the files that `sam build && sam deploy` need into a Django project, or update them."""
    from rich.table import Table

    from serverless_tasks.cli.init import (
        CONTAINER_TEMPLATE,
        Action,
        Project,
        next_steps,
        plan_project,
        unreleased_source,
    )

    output = Output(as_json)
    with output.errors():
        plan = plan_project(
            directory,
            django_settings=django_settings,
            requirement=requirement,
            stack_name=stack_name,
            environment=env,
            container=container,
            queues=queue or (),
            drop_queues=drop_queue or (),
        )
        if check or diff:
            _compare(output, plan, diff=diff)
            return
        written = plan.write()
        picture = Table.grid(padding=(0, 2))
        for file in written:
            picture.add_row(str(file.action), str(file.path))
        output.document(
            [{"path": file.path.as_posix(), "action": str(file.action)} for file in written], picture
        )
        parameters = deployed_parameters(directory)
        seconds = deployed_seconds(parameters)
        for said in worker_times_advice(seconds, Project.read(directory).tasks, directory):
            output.say(said)
        _tell_unknown_queues(output, directory, plan)
        if not (parameters.get(MODULES) or parameters.get(SETTINGS)):
            output.say(
                "No tasks were found, in no background.py and no tasks.py: write one, and run this again before you"
                " deploy."
            )
        if source := unreleased_source(directory):
            output.say(
                f"serverless-tasks is installed from {source} here, but the functions will install the release of this"
                f" version from the package index. Where there is none, {_wheel_advice(source, directory)}."
            )
        if not as_json and any(file.action is Action.OFFERED for file in written):
            output.say("Files marked 'offered' have your edits; compare each with its new version, NAME.new.")
        paths = {file.path.as_posix() for file in written}
        for sentence in missing_tools(directory, container=CONTAINER_TEMPLATE in paths):
            output.say(f"Missing: {sentence}")
        if not as_json:
            steps = next_steps(directory, container=CONTAINER_TEMPLATE in paths, environment=env)
            output.say(f"Next: {'; '.join(steps)}.")


def _wheel_advice(source: str, directory: Path) -> str:
    """What gives the functions the package, which was installed from a URL: the wheel itself, if the project has it."""
    path = Path(unquote(urlsplit(source).path))
    if path.suffix != ".whl" or not path.is_relative_to(directory.resolve()):
        return "build a wheel in this directory and run `serverless-tasks init --requirement './NAME.whl[lambda]'`"
    wheel = path.relative_to(directory.resolve()).as_posix()
    return f"run `serverless-tasks init --requirement './{wheel}[lambda]'` before you deploy, and commit that wheel"


def _compare(output: Output, plan: Plan, *, diff: bool) -> None:
    """Say which files are out of date, or show what would change in them; the exit code says whether any is."""
    from rich.text import Text

    stale = [file for file in plan.files if file.is_out_of_date]
    if diff and not output.as_json:
        for file in stale:
            sys.stdout.writelines(file.difference())
    else:
        told = "\n".join(f"{file.action}  {file.path}" for file in stale) or "All files are up to date."
        output.document(
            [{"path": file.path.as_posix(), "action": str(file.action)} for file in stale], Text(told)
        )
    if stale:
        output.say(
            f"{len(stale)} files are out of date: run `serverless-tasks init` and commit what it writes."
        )
        raise typer.Exit(Exit.FAILED)


def _tell_unknown_queues(output: Output, directory: Path, plan: Plan) -> None:
    """Say which tasks name a queue that the template does not have."""
    from serverless_tasks.cli.init import Project

    for task, _, queue in Project.read(directory).tasks:
        if queue is not None and queue not in plan.queues:
            output.say(
                f"Task {task} names the queue {queue!r}, which the template does not have: `serverless-tasks init"
                f" --queue {queue}` adds it."
            )


def list_tasks(modules: Modules = "", as_json: Json = False) -> None:
    """List the tasks whose code is here, with their queues, retries, timeouts, schedules and inputs."""
    from serverless_tasks.cli.tables import tasks_picture

    output = Output(as_json)
    with output.errors():
        load_project(Tasks.NEEDED, modules_of(modules))
        tasks = _described(current_services().registry)
        if not tasks:
            raise ConfigurationError(f"{NO_TASKS} `list` also accepts --modules.")
        output.document(tasks, tasks_picture(tasks))
        for task in current_services().registry.listed():
            for name in replaced_names(task):
                output.say(
                    f"Task {task.name!r} has an attribute {name} of its own, in the place of Task.{name}."
                )


def dev(
    template: Annotated[Path, typer.Option(help="The SAM template.")] = Path("template.yaml"),
    modules: Modules = "",
    django: Annotated[bool, typer.Option("--django", help="Also run the project's site.")] = False,
    manage: Annotated[Path, typer.Option(help="The site's manage.py.")] = Path("manage.py"),
    address: Annotated[str, typer.Option(help="Address that the site listens on.")] = "127.0.0.1:8000",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port that the AWS emulator listens on.",
            show_default="4580, or a free one",
        ),
    ] = None,
    reload: Annotated[bool, typer.Option(help="Reload the code when a Python file is saved.")] = True,
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter of the template; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the queues, the table, the workers and optionally the site on this machine, without AWS, until Ctrl-C."""
    output = Output(as_json)
    with output.errors():
        try:
            from serverless_tasks.local.dev import run_dev
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"`dev` needs the package {error.name}: install it with `pip install 'serverless-tasks[local]'`."
            ) from error

        def ready(stack: LocalStack) -> None:
            if as_json:
                document = {"endpoint": stack.endpoint, "outputs": dict(stack.outputs)}
                output.line(document | {"environment": dict(stack.environment)})

        run_dev(
            template,
            modules_of(modules),
            django=django,
            manage=manage,
            address=address,
            port=port,
            reload=reload,
            parameters=_parameters(parameter or []),
            say=output.say if as_json else None,
            ready=ready,
        )


def worker(
    queues: Queues = None,
    concurrency: Concurrency = None,
    grace: Annotated[
        float, typer.Option(min=0, help="On shutdown, seconds to wait for running tasks.")
    ] = 25.0,
    dead_letter: Annotated[bool, typer.Option("--dead-letter", help="Also settle dead letters.")] = False,
    as_json: Json = False,
) -> None:
    """Process queues in this process: for containers, and for tasks longer than Lambda's 15 minutes."""
    from serverless_tasks.poller import run_worker

    output = Output(as_json)
    with output.errors():
        logging.basicConfig(
            stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
        )
        # At INFO, botocore logs where each client found its credentials and its endpoint.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        # Before the settings are loaded, which read them.
        put_secrets()
        os.environ[OF_A_STACK] = "true"
        # In a container the environment takes precedence over the project's samconfig.toml.
        load_project(Tasks.NAMED if said_here() else Tasks.NEEDED)
        if not len(current_services().registry):
            raise ConfigurationError(NO_TASKS)
        given_back = run_worker(
            queues or (),
            _concurrency(concurrency or []),
            grace=grace,
            dead_letter=dead_letter,
            config=current_services().config,
        )
        # Handlers log to standard output too: programs read the last line.
        if as_json:
            output.line({"given_back": given_back})
        else:
            output.say(f"{given_back} messages were returned to their queues.")


def _described(registry: Registry) -> list[dict[str, Any]]:
    tasks = []
    for task in registry.listed():
        definition = registry.definition(task.name)
        tasks.append(
            {
                "name": task.name,
                "queue": task.usual_queue(),
                "retries": task.retries,
                "timeout": task.timeout,
                "schedule": None if task.schedule is None else str(task.schedule),
                "signature": task.call_signature(),
                "inputs": _schema(definition.input_schema),
                "outputs": _schema(definition.output_schema),
            }
        )
    return tasks


def _schema(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A schema, or the one that says nothing where a task has none: the others are listed all the same."""
    try:
        return make()
    except TaskDefinitionError as error:
        say(str(error))
        return {}


def _parameters(words: Sequence[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise ConfigurationError(f"--parameter {word!r}: expected NAME=VALUE.")
        parameters[name] = value
    return parameters


def _concurrency(words: Sequence[str]) -> int | dict[str, int]:
    """One number for every queue, or numbers by queue.

    Raises:
        ConfigurationError: a word is neither, or both kinds are mixed.
    """
    named: dict[str, int] = {}
    for word in words:
        queue, equals, number = word.rpartition("=")
        if not number.isdigit() or int(number) < 1 or (not equals and len(words) > 1):
            raise ConfigurationError(
                f"--concurrency {word!r}: expected one number, or QUEUE=NUMBER for each queue."
            )
        if not equals:
            return int(number)
        named[queue] = int(number)
    return named or 1

"""`serverless-tasks dev`: everything that runs in AWS, on a laptop."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from serverless_tasks.engine.config import OF_A_STACK
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.local.aws.emulator import MotoApp, aws_stand_in
from serverless_tasks.local.aws.functions import ForwardApp
from serverless_tasks.local.aws.scheduler import LocalScheduler
from serverless_tasks.local.aws.stack import MOST_THREADS, create_stack
from serverless_tasks.local.aws.template import read_template
from serverless_tasks.local.environment import REGION, local_environment
from serverless_tasks.local.processes.changes import no_files, saved_files
from serverless_tasks.local.processes.child import Work
from serverless_tasks.local.processes.code import Code, Site, accepts, code_environment
from serverless_tasks.local.server import DEFAULT_PORT, free_port
from serverless_tasks.project.samconfig import FILE as SAMCONFIG
from serverless_tasks.project.tasks import SETTINGS, VARIABLES, project_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from serverless_tasks.local.aws.stack import LocalStack
    from serverless_tasks.local.aws.template import LocalTemplate

# What a deployment goes on with is not here: the local stack makes its own.
_EXISTING = ("ExistingTableName", "ExistingBucketName")


def run_dev(
    template: Path = Path("template.yaml"),
    modules: Sequence[str] = (),
    *,
    django: bool = False,
    manage: Path = Path("manage.py"),
    address: str = "127.0.0.1:8000",
    port: int | None = None,
    reload: bool = True,
    parameters: Mapping[str, str] | None = None,
    most_threads: int = MOST_THREADS,
    grace: float = 10.0,
    say: Callable[[str], None] | None = None,
    ready: Callable[[LocalStack], None] | None = None,
) -> None:
    """Run the template's stack, its workers and, if asked, a Django site, until SIGINT or SIGTERM.

    This process holds the queues and tables; the code runs in child processes, which are started anew when a Python
    file is saved, so that a reload loses nothing. Call it from the main thread.

    Args:
        template: the SAM template.
        modules: the modules with tasks, in place of what the environment, and after it ``samconfig.toml``, say.
        django: also run the site.
        manage: the site's ``manage.py``.
        address: ``host:port`` of the site.
        port: the port of the AWS stand-in on 127.0.0.1; 4580, or a free one, unless given.
        reload: start the code anew when a Python file in the working directory or the site's is saved.
        parameters: values in place of those that ``samconfig.toml`` deploys with, and of the template's defaults.
        most_threads: threads for one queue at most.
        grace: seconds for running tasks to finish at a reload and at the end; what has not goes back to its queue.
        say: where to tell what is going on, line by line; standard output unless given.
        ready: called once, when the workers poll and the site answers.

    Raises:
        ConfigurationError: the template, or what was asked for, cannot be used; a port is taken; or nobody says which
            tasks there are.
    """
    say = say or _say
    site = Site(manage, address) if django else None
    if site:
        site.check()
    if port and accepts(("127.0.0.1", port)):
        raise ConfigurationError(f"Another server listens on port {port}: stop it, or pass another --port.")
    invoke_port = free_port()
    app = ForwardApp(invoke_port, MotoApp())
    served = aws_stand_in(app, free_port(DEFAULT_PORT) if port is None else port)
    with local_environment({}), served as server, _stop_signals() as stopping:
        read = read_template(template)
        stack = create_stack(
            server.endpoint,
            read,
            parameters={**_as_deployed(template, read, manage), **(parameters or {})},
            modules=modules,
            most_threads=most_threads,
        )
        environment = code_environment(stack, site, say)
        _check_tasks(stack, environment)
        work = Work(stack.mappings, stack.functions, invoke_port, REGION, grace)
        code = Code(environment, work, site, grace=grace, say=say)
        code.start()
        try:
            _introduce(stack, site, environment, reload=reload, say=say)
            watched = [Path.cwd(), *([site.directory] if site else [])]
            with LocalScheduler(server.endpoint):
                for changed in (saved_files if reload else no_files)(watched, stopping):
                    code.look_after(changed)
                    if ready and code.up:
                        ready(stack)
                        ready = None
        finally:
            say("Stopping: waiting for running tasks; other messages are returned to their queues.")
            code.stop()


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second signal interrupts whatever waits."""
    stopping = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _as_deployed(template: Path, read: LocalTemplate, manage: Path) -> dict[str, str]:
    """The parameters of the deployment that the template has."""
    known = read.body.get("Parameters", {})
    parameters = project_parameters(template.parent, manage)
    return {name: value for name, value in parameters.items() if name in known and name not in _EXISTING}


def _check_tasks(stack: LocalStack, environment: Mapping[str, str]) -> None:
    """Our own handlers run tasks, and without their code every message would come back for ever."""
    ours = any(function.handler.startswith("lambda_handlers.") for function in stack.functions)
    if ours and not any(environment.get(variable) for variable in VARIABLES.values()):
        raise ConfigurationError(
            "Nobody says which tasks there are: name their modules with --modules or in SERVERLESS_TASKS_MODULES, give"
            f" --django or DJANGO_SETTINGS_MODULE, or let `serverless-tasks init` write {SAMCONFIG}."
        )


def _introduce(
    stack: LocalStack,
    site: Site | None,
    environment: Mapping[str, str],
    *,
    reload: bool,
    say: Callable[[str], None],
) -> None:
    served = {mapping.queue_url: mapping for mapping in stack.mappings}
    say(f"AWS stand-in  {stack.endpoint}  (state is kept in memory and lost on exit)")
    for name, url in {
        **stack.queue_urls,
        "dead letters": stack.outputs.get("DeadLetterQueueUrl", ""),
    }.items():
        if mapping := served.get(url):
            say(f"queue         {name} -> {mapping.handler}, {mapping.concurrency} at a time")
    if table := stack.outputs.get("TableName"):
        say(f"table         {table}")
    if site:
        say(f"site          http://{site.address}/")
    if reload:
        say("Saving a Python file reloads the code; the state is kept. Ctrl-C stops.")
    else:
        say("Ctrl-C ends.")
    say("To submit from another terminal, in this directory:")
    say(
        "  export "
        + " ".join(
            f"{name}={shlex.quote(value)}" for name, value in _to_submit(stack, site, environment).items()
        )
    )
    say("  serverless-tasks submit TASK NAME=VALUE ...")


def _to_submit(stack: LocalStack, site: Site | None, environment: Mapping[str, str]) -> dict[str, str]:
    # With the workers' modules, names and inputs are validated there; a site elsewhere cannot be imported from here.
    elsewhere = site is not None and site.directory != Path.cwd()
    names = [] if elsewhere else [name for name in VARIABLES.values() if environment.get(name)]
    # Django's settings may name a stack that is deployed.
    ours = {OF_A_STACK: environment[OF_A_STACK]} if VARIABLES[SETTINGS] in names else {}
    return (
        {name: environment[name] for name in names}
        | ours
        | {
            name: value
            for name, value in stack.environment.items()
            if name.startswith(("AWS_", "SERVERLESS_TASKS_"))
            and not name.startswith("SERVERLESS_TASKS_SECRET")  # for those who run tasks
            and name != "AWS_EC2_METADATA_DISABLED"
        }
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

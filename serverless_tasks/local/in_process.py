"""The whole local stand-in inside one process: for tests, scripts and demos."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from serverless_tasks.local.aws.emulator import MotoApp, aws_stand_in
from serverless_tasks.local.aws.functions import InvokeApp
from serverless_tasks.local.aws.scheduler import LocalScheduler
from serverless_tasks.local.aws.stack import MOST_THREADS, create_stack
from serverless_tasks.local.aws.template import read_template
from serverless_tasks.local.environment import REGION, local_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serverless_tasks.local.aws.stack import LocalStack


@contextmanager
def local_stack(
    template: Path = Path("template.yaml"),
    *,
    port: int = 0,
    modules: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
    most_threads: int = MOST_THREADS,
) -> Iterator[LocalStack]:
    """Run the template's stack in this process and set this process's environment for it, until the block ends.

    Direct invokes are answered by the template's handlers in process. Queues are polled by
    ``Poller(stack.mappings, wait=1)``. Schedules fire. moto keeps its state in globals: a process has one such stack
    at a time.

    Args:
        template: the SAM template.
        port: the server's port on 127.0.0.1; 0 takes a free one.
        modules: the modules with tasks, in place of what the template says.
        parameters: values in place of the template's defaults.
        most_threads: threads for one queue at most.

    Raises:
        ConfigurationError: the template cannot be read, translated or created.
    """
    app = InvokeApp(region=REGION, fallback=MotoApp())
    with local_environment({}), aws_stand_in(app, port) as server:
        stack = create_stack(
            server.endpoint,
            read_template(template),
            parameters=parameters,
            modules=modules,
            most_threads=most_threads,
        )
        app.functions = stack.functions
        with local_environment(stack.environment), LocalScheduler(server.endpoint):
            yield stack

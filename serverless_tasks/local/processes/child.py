"""The process with the user's code: polls the queues and answers direct invokes, until its parent says stop.

`serverless-tasks dev` starts it anew whenever a source file is saved; the queues and tables live on in the parent.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.schedule_sync import apply, plan
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ServerlessTasksError
from serverless_tasks.local.aws.functions import Function, InvokeApp
from serverless_tasks.local.processes.log_shipping import LogShipping
from serverless_tasks.local.server import LocalServer
from serverless_tasks.poller.mapping import Mapping, initialise_as_lambda_does
from serverless_tasks.poller.pausing import look_at_queues
from serverless_tasks.poller.poller import Poller
from serverless_tasks.poller.stopping import wait_until_set
from serverless_tasks.project.worker_time import worker_times_advice

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a child process, sent to it as one line of JSON.

    Args:
        mappings: which handler serves which queue.
        functions: what can be invoked.
        port: where to answer direct invokes.
        region: the region that contexts show.
        grace: seconds for handlers to finish when it is stopped.
    """

    mappings: Sequence[Mapping]
    functions: Sequence[Function]
    port: int
    region: str
    grace: float

    def to_line(self) -> str:
        """As the line that ``from_line`` reads."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Work:
        """Read what ``to_line`` wrote."""
        values: dict[str, Any] = json.loads(line)
        values["mappings"] = [Mapping(**mapping) for mapping in values["mappings"]]
        values["functions"] = [Function(**function) for function in values["functions"]]
        return cls(**values)


def main(lifeline: TextIO = sys.stdin) -> None:
    """Read the work from standard input and do it until SIGTERM, or until standard input closes.

    The parent holds the other end of standard input, so that its death, however sudden, ends this process too.
    """
    shipping = LogShipping.start()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    logging.getLogger("botocore").setLevel(logging.WARNING)
    work = Work.from_line(lifeline.readline())
    stopping = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _stop(stopping))
    threading.Thread(target=_watch, args=(lifeline, stopping), daemon=True).start()
    initialise_as_lambda_does("local")
    try:
        poller = Poller(work.mappings, wait=1, is_paused=look_at_queues(Config.from_environ()))
    except ServerlessTasksError as error:
        sys.exit(str(error))
    if any(mapping.handler.startswith("lambda_handlers.") for mapping in work.mappings):
        # A queue of one's own may have a worker of its own; of the stack's worker the queue default tells.
        default = Config.from_environ().queue_urls.get("default")
        _tell_tasks(next((each.timeout for each in work.mappings if each.queue_url == default), None))
    with LocalServer(InvokeApp(work.functions, region=work.region), work.port):
        poller.start()
        apply_schedules()
        wait_until_set(stopping)
        try:
            poller.stop(work.grace)
        except KeyboardInterrupt:
            poller.stop(grace=0)
    # A handler that outlasts the grace period must not block the exit.
    logging.shutdown()
    sys.stdout.flush()
    if shipping is not None:
        shipping.close()
    os._exit(0)


def apply_schedules() -> None:
    """Make the schedules those that the code declares, as `serverless-tasks schedules sync` does for a deployment."""
    services = current_services()
    if not services.config.schedule_group:
        return
    try:
        changes = plan(services.registry, services.schedule_group)
        apply(changes, services.schedule_group)
    except ServerlessTasksError:  # an inconsistent task class is reported here; the other tasks run
        log.exception("The schedules could not be applied")
        return
    for change in changes:
        if change.declared is not None:
            log.info("%s runs by %s", change.task, change.declared.schedule)


def _tell_tasks(worker_seconds: float | None) -> None:
    try:
        tasks = current_services().registry.listed()
    except ServerlessTasksError as error:  # the handlers report the same for each message
        log.warning("The tasks cannot be listed: %s", error)
        return
    if tasks:
        log.info("%d tasks: %s", len(tasks), ", ".join(task.name for task in tasks))
        timeouts = [(task.name, task.timeout, task.usual_queue()) for task in tasks]
        for said in worker_times_advice(worker_seconds, timeouts, Path.cwd()):
            log.warning("%s", said)
    else:
        log.warning("No task was found in the given modules: every message will be redelivered.")


def _stop(stopping: threading.Event) -> None:
    if stopping.is_set():
        raise KeyboardInterrupt
    stopping.set()


def _watch(lifeline: TextIO, stopping: threading.Event) -> None:
    lifeline.read()
    stopping.set()


if __name__ == "__main__":
    main()

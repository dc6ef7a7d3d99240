"""A worker in a container: polls queues until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING

from serverless_tasks.engine.aws.secrets import seconds_left
from serverless_tasks.engine.config import Config
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.poller.mapping import Mapping, initialise_as_lambda_does
from serverless_tasks.poller.pausing import look_at_queues
from serverless_tasks.poller.poller import Poller
from serverless_tasks.poller.stopping import wait_until_set

if TYPE_CHECKING:
    from collections.abc import Mapping as Dictionary
    from collections.abc import Sequence
    from types import FrameType

log = logging.getLogger(__name__)

WORKER_HANDLER = "lambda_handlers.worker.handler"
DEAD_LETTER_HANDLER = "lambda_handlers.dead_letter.handler"

_WAIT = 10


def run_worker(
    queues: Sequence[str] = (),
    concurrency: int | Dictionary[str, int] = 1,
    handler: str = WORKER_HANDLER,
    grace: float = 25.0,
    *,
    dead_letter: bool = False,
    config: Config | None = None,
) -> int:
    """Work on queues until SIGTERM or SIGINT; a second signal ends the grace. Call it from the main thread.

    With ``SERVERLESS_TASKS_SECRETS_MAX_AGE`` it also ends when the secrets that it has read are so old.

    No function ends here: while a task runs, its message is kept hidden, 60 s ahead, for up to SQS's 12 hours.

    Args:
        queues: names in ``SERVERLESS_TASKS_QUEUE_URLS``, or URLs; all of the setting's queues unless given.
        concurrency: tasks at the same time, for every queue or by its name.
        handler: the dotted name of what is called with each message.
        grace: seconds for running tasks to finish after the signal, before their messages are given back. Keep it below
            what the container's runtime allows (30 s on ECS unless set otherwise).
        dead_letter: also settle the messages of the dead-letter queue, where no Lambda function does.
        config: the settings; those of the environment unless given.

    Returns:
        The number of messages that were given back.

    Raises:
        ConfigurationError: a queue or a handler is not to be found.
    """
    config = config or Config.from_environ()
    mappings = worker_mappings(queues, concurrency, handler, dead_letter=dead_letter, config=config)
    initialise_as_lambda_does("worker")
    poller = Poller(mappings, heartbeat=True, wait=_WAIT, is_paused=look_at_queues(config))
    stopping = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        log.info("%s: no longer receiving messages.", signal.Signals(number).name)
        stopping.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        poller.start()
        log.info("Working on %s.", ", ".join(mapping.queue_name for mapping in mappings))
        if not wait_until_set(stopping, seconds_left()):
            log.info("The secrets are as old as they may be: ending, for a new process to read them.")
        return _stop(poller, grace)
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def worker_mappings(
    queues: Sequence[str],
    concurrency: int | Dictionary[str, int],
    handler: str,
    *,
    dead_letter: bool,
    config: Config,
) -> list[Mapping]:
    """The mappings of a worker without a deadline: one message a call, no timeout.

    Raises:
        ConfigurationError: a queue is not in the settings, or a concurrency names none of the queues.
    """
    names = list(queues) or list(config.require("queue_urls"))
    threads = dict.fromkeys(names, concurrency) if isinstance(concurrency, int) else dict(concurrency)
    unknown = sorted(set(threads) - set(names))
    if unknown:
        raise ConfigurationError(
            f"A concurrency was given for {unknown[0]!r}, which is not polled; the polled queues are {names}."
        )
    mappings = [
        Mapping(
            queue_url=name if "://" in name else config.queue_url(name),
            handler=handler,
            function_name="worker",
            batch_size=1,
            concurrency=threads.get(name, 1),
            timeout=None,
        )
        for name in names
    ]
    if dead_letter:
        url = config.require("dead_letter_queue_url")
        mappings.append(
            Mapping(url, DEAD_LETTER_HANDLER, function_name="dead-letter", batch_size=1, timeout=None)
        )
    return mappings


def _stop(poller: Poller, grace: float) -> int:
    try:
        return poller.stop(grace)
    except KeyboardInterrupt:
        log.info("Second signal: returning the running messages.")
        return poller.stop(grace=0)

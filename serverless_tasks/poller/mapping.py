"""The mapping of queues to functions."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.poller.invocation import Context

    Handler = Callable[[dict[str, Any], Context], Any]


@dataclass(frozen=True, slots=True)
class Mapping:
    """One event source mapping: messages of a queue go to a handler in batches.

    Args:
        queue_url: the queue's URL.
        handler: the handler's dotted name, as a template's ``Handler`` has it.
        function_name: the function's name, for the context and the log.
        batch_size: messages a call at most; SQS hands out 10 at most.
        concurrency: calls at the same time.
        timeout: seconds that one call may take; None for a worker without a deadline.
        memory: MB, for the context.
        partial_responses: whether the handler's ``batchItemFailures`` count (``ReportBatchItemFailures``).
    """

    queue_url: str
    handler: str
    function_name: str = "worker"
    batch_size: int = 10
    concurrency: int = 1
    timeout: float | None = 300
    memory: int = 512
    partial_responses: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers that could never receive anything."""
        if self.batch_size < 1 or self.concurrency < 1:
            raise ConfigurationError(
                f"The mapping of {self.queue_url} has batch size {self.batch_size} and concurrency "
                f"{self.concurrency}; both must be at least 1."
            )

    @property
    def queue_name(self) -> str:
        """The last part of the queue's URL."""
        return self.queue_url.rsplit("/", 1)[-1]


def initialise_as_lambda_does(function_name: str) -> None:
    """Let handlers load tasks and clients when they are imported, as in Lambda's INIT, and on this thread.

    What is wrong with the settings or with a task then shows at the start, not with the first message.
    """
    os.environ.setdefault("AWS_LAMBDA_FUNCTION_NAME", function_name)


def load_handler(name: str) -> Handler:
    """Import the callable that a template names, as Lambda's runtime does.

    A handler may have functions as attributes. ``ready`` is called: what it raises shows at the start. ``flush`` is
    called every second while messages are polled for it, and ``finish`` once no more come.

    Args:
        name: ``package.module.function``.

    Raises:
        ConfigurationError: there is no such module or no such callable in it.
    """
    module_name, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(module_name) if module_name else None
    except ModuleNotFoundError as error:
        if error.name and not (module_name + ".").startswith(error.name + "."):
            raise
        raise ConfigurationError(
            f"Handler {name!r}: there is no module {module_name!r} on the path; run from the project's directory."
        ) from error
    handler = getattr(module, attribute, None)
    if not callable(handler):
        raise ConfigurationError(
            f"Handler {name!r} is not callable; expected package.module.function, as in a template's Handler."
        )
    if callable(check := getattr(handler, "ready", None)):
        check()
    return cast("Handler", handler)

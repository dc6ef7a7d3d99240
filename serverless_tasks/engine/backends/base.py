"""The base of backends, and the names of those that there are."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.aws.sender import Sender
    from serverless_tasks.engine.config import Config
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Blobs, Store
    from serverless_tasks.engine.worker.runner import Runner
    from serverless_tasks.errors import ServerlessTasksError

# Name -> module of this folder and class. A class is imported when it is used.
BACKENDS: Final = {
    "sqs": ("sqs", "SqsBackend"),
    "threading": ("threading", "ThreadingBackend"),
    "immediate": ("immediate", "ImmediateBackend"),
}


class Parts(Protocol):
    """The parts of `Services` that a backend is made of."""

    config: Config
    clock: Clock

    @property
    def store(self) -> Store:
        """The job store."""

    @property
    def blobs(self) -> Blobs | None:
        """The payload bucket, or None."""

    @property
    def sender(self) -> Sender:
        """The sender of messages."""

    @property
    def runner(self) -> Runner:
        """The runner of messages."""


class Backend:
    """Takes jobs and sees to it that they are run.

    Attributes:
        in_process: whether this process runs the jobs, so that it knows each submitted class, and nothing delivers a
            message again when it dies.
        synchronous: whether a job has ended when `publish` returns.
        own_threads: whether jobs run on threads that do nothing else.
        has_queue: whether jobs wait in the stack's queues.
        runs_workflows: whether it carries what sees to groups and chains, which is no task's job.
    """

    in_process: bool = False
    synchronous: ClassVar[bool] = False
    own_threads: ClassVar[bool] = False
    has_queue: ClassVar[bool] = False
    runs_workflows: ClassVar[bool] = True

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """Publish messages.

        Returns:
            For each message None, or the error that says why it was not (or perhaps not) published.
        """
        raise NotImplementedError

    def resend(self, message: Message) -> None:
        """Send the message of a job that exists: of its retry.

        Raises:
            ServerlessTasksError: it was not, or perhaps not, sent.
        """
        (error,) = self.publish([message])
        if error is not None:
            raise error

    def check_delays(self, messages: Sequence[Message]) -> None:
        """Check that messages can be held back until they are due: before an open transaction is committed.

        Raises:
            ConfigurationError: a queue has no URL, or a setting of the scheduler is missing.
        """


def backend_class(name: str) -> Any:
    """Return the class of a named backend, whose ``of(parts)`` makes one.

    Raises:
        ConfigurationError: there is no backend of this name.
    """
    if name not in BACKENDS:
        *others, last = map(repr, BACKENDS)
        raise ConfigurationError(f"There is no backend {name!r}; use {', '.join(others)} or {last}.")
    module, found = BACKENDS[name]
    return getattr(import_module(f"serverless_tasks.engine.backends.{module}"), found)

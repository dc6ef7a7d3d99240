"""A backend that runs each job before ``submit`` returns, for tests and scripts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.backends.intake import Intake
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.worker.outcome import Disposition, failure_of
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.backends.base import Parts
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.store.base import Blobs, Store
    from serverless_tasks.engine.worker.runner import Runner


class ImmediateBackend(Backend):
    """Runs here and now. The message is written and read as on its way through a queue, so that what would not
    survive the way does not survive here either.

    Args:
        runner: runs the jobs.
        store: where they are kept.
        blobs: where large inputs go, or None.
        clock: the time.
        waits: whether the pauses between the attempts of a job are waited.
    """

    in_process = True
    synchronous = True

    @classmethod
    def of(cls, parts: Parts) -> ImmediateBackend:
        """Return a backend for these services."""
        waits = parts.config.immediate_waits
        return cls(parts.runner, parts.store, parts.blobs, parts.clock, waits=waits)

    def __init__(
        self, runner: Runner, store: Store, blobs: Blobs | None, clock: Clock, *, waits: bool = False
    ) -> None:
        self._runner = runner
        self._store = store
        self._clock = clock
        self._waits = waits
        self._intake = Intake(store, blobs, clock)
        # On each thread the jobs that are being run, innermost last, and the message of the next attempt of each.
        self._here = threading.local()

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        return [self._take(message) for message in messages]

    def _take(self, message: Message) -> ServerlessTasksError | None:
        taken, (error,) = self._intake.take([message])
        if error is not None:
            return error
        running = self._running
        if message.uuid in running:
            # A retry, sent by the attempt that is about to end: that one's caller runs it.
            running[message.uuid] = taken[0]
            return None
        try:
            return self._run(taken[0], running)
        finally:
            del running[message.uuid]

    def _run(self, message: Message, running: dict[str, Message | None]) -> ServerlessTasksError | None:
        uuid = message.uuid
        while True:
            running[uuid] = None
            try:
                outcome = self._runner.execute(Message.decode(message.encode()))
                if (
                    outcome.disposition is Disposition.WAITING
                ):  # the retry of another process, due in a moment
                    self._clock.sleep(outcome.give_back or 0)
                    outcome = self._runner.execute(Message.decode(message.encode()))
            except ServerlessTasksError as error:
                self._store.settle(message, failure_of(error))
                return error
            again = running[uuid]
            if again is None:
                return None
            if self._waits:
                self._clock.sleep(again.delay(self._clock.now()))
            message = again

    @property
    def _running(self) -> dict[str, Message | None]:
        running: dict[str, Message | None] = self._here.__dict__.setdefault("running", {})
        return running

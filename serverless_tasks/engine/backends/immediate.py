"""A backend that runs each job before ``submit`` returns, for tests and scripts."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
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
    from serverless_tasks.engine.job.place import Place
    from serverless_tasks.engine.store.base import Blobs, Store
    from serverless_tasks.engine.worker.outcome import DeliveryResult
    from serverless_tasks.engine.worker.runner import Runner


class _Frame:
    """The members of groups that have ended within one run, or outside of all, and are still to be counted.

    A member that is counted may have the next one sent, which runs at once: a chain of a thousand steps must not be as
    many calls deep.
    """

    def __init__(self) -> None:
        self._ends: deque[tuple[Place, str]] = deque()
        self._counting = False

    def add(self, member: Place, status: str) -> None:
        """Note a member whose end is recorded."""
        self._ends.append((member, status))

    def count(self, runner: Runner) -> None:
        """Count what was noted, and what is noted meanwhile."""
        if self._counting:
            return
        self._counting = True
        try:
            while self._ends:
                runner.count(*self._ends.popleft())
        finally:
            self._counting = False


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
        errors = [self._take(message) for message in messages]
        self._frame.count(self._runner)
        return errors

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
                outcome = self._execute(message)
                if (
                    outcome.disposition is Disposition.WAITING
                ):  # the retry of another process, due in a moment
                    self._clock.sleep(outcome.give_back or 0)
                    # Nor does a job wait twice for the one that it follows: that may be the very one which submits it.
                    outcome = self._execute(replace(message, follows=None))
            except ServerlessTasksError as error:
                self._runner.settle(message, failure_of(error))
                return error
            again = running[uuid]
            if again is None:
                return None
            if self._waits:
                self._clock.sleep(again.delay(self._clock.now()))
            message = again

    def _execute(self, message: Message) -> DeliveryResult:
        """Run a job. What its task submits is counted within its run, and the job by whoever has submitted it."""
        around = self._frame
        self._here.frame = _Frame()
        try:
            return self._runner.execute(Message.decode(message.encode()), count=around.add)
        finally:
            self._here.frame = around

    @property
    def _frame(self) -> _Frame:
        frame: _Frame = self._here.__dict__.setdefault("frame", _Frame())
        return frame

    @property
    def _running(self) -> dict[str, Message | None]:
        running: dict[str, Message | None] = self._here.__dict__.setdefault("running", {})
        return running

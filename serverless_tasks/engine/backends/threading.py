"""A backend that runs jobs on threads of this process: for development, and for work that may be lost with it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.backends.intake import Intake
from serverless_tasks.engine.backends.pool import Pool
from serverless_tasks.engine.job.forks import notice_fork, renew_when_forked
from serverless_tasks.engine.job.message import SETTLE, Message
from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.engine.worker.outcome import failure_of
from serverless_tasks.errors import AwsError, ServerlessTasksError, SubmitFailed, SubmitUncertain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.backends.base import Parts
    from serverless_tasks.engine.backends.deadlines import Deadlines
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.store.base import Blobs, Store
    from serverless_tasks.engine.worker.runner import Runner

logger = logging.getLogger(__name__)

# Seconds until the end of a member is counted again.
_UNCOUNTED = 10.0


class ThreadingBackend(Backend):
    """Runs jobs on a few threads; progress and results are recorded like any other job's.

    They are lost with the process: one that ran reads as failed, with ``WorkerLost``, once its lease is over (within a
    minute); one that waited, with ``Expired``, an hour after it was due. A job that does not get its turn within that
    hour is not run either. In a forked process it has threads of its own; the jobs of before stay the parent's.

    Args:
        runner: runs the jobs.
        store: where they are kept.
        blobs: where large inputs go, or None.
        clock: the time.
        workers: how many jobs run at once, beside those that wait for others.
    """

    in_process = True
    own_threads = True

    @classmethod
    def of(cls, parts: Parts) -> ThreadingBackend:
        """Return a backend for these services."""
        return cls(parts.runner, parts.store, parts.blobs, parts.clock)

    def __init__(
        self, runner: Runner, store: Store, blobs: Blobs | None, clock: Clock, workers: int = 4
    ) -> None:
        self._runner = runner
        self._store = store
        self._clock = clock
        self._intake = Intake(store, blobs, clock)
        self._workers = workers
        self._pool = Pool(workers)
        self._deadlines: Deadlines | None = None
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._pool = Pool(self._workers)
        self._deadlines = None

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        notice_fork()
        taken, errors = self._intake.take(messages)
        for message in taken.values():
            self._way_of(message)(message.encode(), message.delay(self._clock.now()))
        return errors

    def _way_of(self, message: Message) -> Callable[[str, float], None]:
        """Return by which way a message waits: that of a group may do so for days."""
        if message.workflow != SETTLE:
            return self._hand_over
        if self._deadlines is None:
            from serverless_tasks.engine.backends.deadlines import Deadlines

            self._deadlines = Deadlines(self._clock, lambda body: self._hand_over(body, 0))
        return self._deadlines.add

    def _hand_over(self, body: str, delay: float) -> None:
        """Let a worker run a message; one that is held back waits outside the pool, where it is in nobody's way."""
        if delay:
            threading.Thread(target=self._later, args=(body, delay), name="delay", daemon=True).start()
        else:
            self._pool.submit(lambda: self._run(body))

    def _later(self, body: str, delay: float) -> None:
        self._clock.sleep(delay)
        self._pool.submit(lambda: self._run(body))

    def _run(self, body: str) -> None:
        message = Message.decode(body)
        hand_over = self._way_of(message)
        try:
            outcome = self._runner.execute(message)
            if outcome.give_back is not None:
                hand_over(body, outcome.give_back)
        except Exception as error:
            logger.exception("a job could not be run")
            if message.workflow is not None and isinstance(error, (AwsError, SubmitFailed, SubmitUncertain)):
                hand_over(body, _UNCOUNTED)
                return
            try:
                claim = self._runner.settle(message, failure_of(error))
            except (
                ServerlessTasksError
            ):  # a member of a group has ended, and its group has still to hear of it
                logger.exception("the end of a job could not be counted")
                self._hand_over(body, _UNCOUNTED)
                return
            if claim.answer == ClaimAnswer.BUSY and message.workflow is None:
                # Its end could not be recorded: it is run again once its lease is over.
                self._hand_over(body, max(1.0, claim.until / 1000 - self._clock.now() + 1))

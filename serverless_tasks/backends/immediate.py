"""A backend that runs each job before ``submit`` returns, for tests and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.backends.intake import Intake
from serverless_tasks.errors import ServerlessTasksError
from serverless_tasks.message import Message
from serverless_tasks.outcome import failure_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.clock import Clock
    from serverless_tasks.runner import Runner
    from serverless_tasks.store import Blobs, Store


class ImmediateBackend:
    """Runs here and now. The message is written and read as on its way through a queue, so that what would not
    survive the way does not survive here either.

    Args:
        runner: runs the jobs.
        store: where they are kept.
        blobs: where large inputs go, or None.
        clock: the time to wait for a retry in.
    """

    def __init__(self, runner: Runner, store: Store, blobs: Blobs | None, clock: Clock) -> None:
        self._runner = runner
        self._store = store
        self._clock = clock
        self._intake = Intake(store, blobs, clock)

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        return [self._take(message) for message in messages]

    def _take(self, message: Message) -> ServerlessTasksError | None:
        taken, (error,) = self._intake.take([message])
        return error or self._run(taken[0])

    def _run(self, message: Message) -> ServerlessTasksError | None:
        try:
            outcome = self._runner.execute(Message.decode(message.encode()))
            while outcome.status == "waiting":  # a retry, which is due in a moment
                self._clock.sleep(outcome.give_back or 0)
                outcome = self._runner.execute(Message.decode(message.encode()))
        except ServerlessTasksError as error:
            self._store.settle(message, failure_of(error))
            return error
        return None

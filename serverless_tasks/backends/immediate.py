"""A backend that runs each job before ``submit`` returns, for tests and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.errors import ServerlessTasksError
    from serverless_tasks.runner import Runner
    from serverless_tasks.store import Store


class ImmediateBackend:
    """Runs here and now. The message is written and read as on its way through a queue, so that what would not
    survive the way does not survive here either.

    Args:
        runner: runs the jobs.
        store: where they are kept.
    """

    def __init__(self, runner: Runner, store: Store) -> None:
        self._runner = runner
        self._store = store

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        self._store.put_jobs(messages)
        for message in messages:
            self._runner.execute(Message.decode(message.encode()))
        return [None] * len(messages)

"""Preparation of jobs by the backends that run them in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import expires_in_process_at
from serverless_tasks.engine.store.payloads import offload_inputs
from serverless_tasks.errors import AwsError, PayloadTooLarge, ServerlessTasksError, SubmitFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Blobs, Store


class Intake:
    """Keeps jobs before they are run.

    Args:
        store: where they are kept.
        blobs: where large inputs go, or None.
        clock: the time.
    """

    def __init__(self, store: Store, blobs: Blobs | None, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock

    def take(
        self, messages: Sequence[Message]
    ) -> tuple[dict[int, Message], list[ServerlessTasksError | None]]:
        """Keep the jobs of messages.

        Returns:
            By its index each message to run, and for every message None or why it is not run.
        """
        taken: dict[int, Message] = {}
        errors: list[ServerlessTasksError | None] = [None] * len(messages)
        for index, message in enumerate(messages):
            try:
                taken[index] = self._prepared(message)
            except PayloadTooLarge as error:
                errors[index] = error
            except AwsError as error:
                errors[index] = SubmitFailed(f"Job {message.uuid} was not begun: {error}")
        try:
            self._store.put_jobs([message for message in taken.values() if message.options.track])
        except AwsError as error:
            for index, message in taken.items():
                errors[index] = SubmitFailed(f"Job {message.uuid} was not begun: {error}")
            return {}, errors
        return taken, errors

    def _prepared(self, message: Message) -> Message:
        """A message that ends soon after this process does: no queue will deliver it again."""
        until = expires_in_process_at(to_ms(self._clock.now()), message.run_at)
        message = replace(message, expires=min(message.expires, until))
        return message if self._store.any_size else offload_inputs(message, self._blobs)

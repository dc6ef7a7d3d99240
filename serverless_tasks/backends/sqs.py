"""The default backend: SQS carries the jobs, Lambda (or ``serverless-tasks worker``) runs them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serverless_tasks.encoding import encode
from serverless_tasks.errors import (
    AwsError,
    PayloadTooLarge,
    ServerlessTasksError,
    SubmitFailed,
    SubmitUncertain,
)
from serverless_tasks.message import inputs_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.aws.queue import QueueSender
    from serverless_tasks.message import Message
    from serverless_tasks.store import Blobs, Store

# Larger inputs go to the bucket: a message may have 1 MiB, but the job item no more than 400 KB.
INLINE_INPUTS = 200_000
LARGEST_INPUTS = 50_000_000


class SqsBackend:
    """Sends first, then keeps the ``job`` item: a send that failed for sure leaves nothing behind.

    Args:
        queue: the sender.
        store: where the jobs are kept.
        blobs: where large inputs go, or None.
    """

    def __init__(self, queue: QueueSender, store: Store, blobs: Blobs | None) -> None:
        self._queue = queue
        self._store = store
        self._blobs = blobs

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        errors: list[ServerlessTasksError | None] = [None] * len(messages)
        light = {}
        for index, message in enumerate(messages):
            try:
                light[index] = lightened(message, self._blobs)
            except (PayloadTooLarge, AwsError) as error:
                errors[index] = error if isinstance(error, PayloadTooLarge) else SubmitFailed(str(error))
        self._send(light, errors)
        kept = [message for index, message in light.items() if not isinstance(errors[index], SubmitFailed)]
        self._keep(kept, light, errors)
        return errors

    def _send(self, light: dict[int, Message], errors: list[ServerlessTasksError | None]) -> None:
        answers = self._queue.send(list(light.values())) if light else []
        for (index, message), unsent in zip(light.items(), answers, strict=True):
            if unsent is None:
                continue
            if unsent.uncertain:
                errors[index] = SubmitUncertain(message.uuid, unsent.reason)
            else:
                errors[index] = SubmitFailed(f"Job {message.uuid} was not sent: {unsent.reason}")

    def _keep(
        self, kept: list[Message], light: dict[int, Message], errors: list[ServerlessTasksError | None]
    ) -> None:
        """Keep the jobs that were, or may have been, sent; without its item a job runs but is not listed."""
        if not kept:
            return
        try:
            self._store.put_jobs(kept)
        except AwsError as error:
            for index, message in light.items():
                if errors[index] is None:
                    errors[index] = SubmitUncertain(message.uuid, str(error))


def lightened(message: Message, blobs: Blobs | None) -> Message:
    """The message with its inputs in the bucket, when they are large.

    Raises:
        PayloadTooLarge: they are too large even for that, or there is no bucket.
        AwsError: the bucket did not take them.
    """
    size = len(data := encode(message.inputs).encode())
    if size <= INLINE_INPUTS:
        return message
    what = f"inputs of task {message.task!r}"
    if size > LARGEST_INPUTS:
        raise PayloadTooLarge(what, size, LARGEST_INPUTS)
    if blobs is None:
        raise PayloadTooLarge(f"{what} (without SERVERLESS_TASKS_BUCKET)", size, INLINE_INPUTS)
    key = inputs_key(message.uuid)
    blobs.put(key, data)
    return replace(message, inputs={}, inputs_key=key)

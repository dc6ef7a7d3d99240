"""The default backend: SQS carries the jobs, Lambda (or ``serverless-tasks worker``) runs them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.store.payloads import offload_inputs
from serverless_tasks.errors import (
    AwsError,
    PayloadTooLarge,
    ServerlessTasksError,
    SubmitFailed,
    SubmitUncertain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.aws.sender import Sender
    from serverless_tasks.engine.backends.base import Parts
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Blobs, Store


class SqsBackend(Backend):
    """Sends first, then keeps the ``job`` item, unless the job is not tracked: a send that failed for sure leaves
    nothing behind.

    Args:
        sender: sends them.
        store: where the jobs are kept.
        blobs: where large inputs go, or None.
    """

    has_queue = True

    @classmethod
    def of(cls, parts: Parts) -> SqsBackend:
        """Return a backend for these services.

        Raises:
            ConfigurationError: a setting is missing.
        """
        parts.config.require("queue_urls")
        store = parts.store  # before the sender makes a client: its table may be what is missing
        return cls(parts.sender, store, parts.blobs)

    def __init__(self, sender: Sender, store: Store, blobs: Blobs | None) -> None:
        self._sender = sender
        self._store = store
        self._blobs = blobs

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        errors: list[ServerlessTasksError | None] = [None] * len(messages)
        light = {}
        for index, message in enumerate(messages):
            try:
                light[index] = offload_inputs(message, self._blobs, scheduled=self._sender.is_far(message))
            except (PayloadTooLarge, AwsError) as error:
                errors[index] = error if isinstance(error, PayloadTooLarge) else SubmitFailed(str(error))
        sent = self._sender.send(list(light.values())) if light else []
        for index, failed in zip(light, sent, strict=True):
            errors[index] = failed
        kept = [
            replace(message, uncertain=isinstance(errors[index], SubmitUncertain))
            for index, message in light.items()
            if message.options.track and not isinstance(errors[index], SubmitFailed)
        ]
        self._keep(kept, light, errors)
        return errors

    def resend(self, message: Message) -> None:
        """See `Backend.resend`."""
        self._sender.resend(message)

    def check_delays(self, messages: Sequence[Message]) -> None:
        """See `Backend.check_delays`."""
        self._sender.check(messages)

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

"""Sending to SQS, one message or many, without ever losing track of what was sent."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.session import call
from serverless_tasks.engine.aws.tries import tries
from serverless_tasks.errors import AwsError, PayloadTooLarge, unsent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serverless_tasks.engine.config import Config
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.errors import ServerlessTasksError

    # Why a message was not sent, and whether it may have been all the same.
    type _Reason = tuple[str, bool]

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
BODY_LIMIT = 1_048_576
BATCH_ENTRIES = 10


class QueueSender:
    """Sends messages to the configured queues.

    Args:
        client: an SQS client whose own retries are off: a send that may have been applied must be known as such.
        config: where the queues are.
        clock: the time between tries.
    """

    def __init__(self, client: Any, config: Config, clock: Clock) -> None:
        self._client = client
        self._config = config
        self._clock = clock

    def send(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """Send messages, in batches where there are several.

        Returns:
            For each message None, or the error that says why it was not (or perhaps not) sent.

        Raises:
            PayloadTooLarge: a message is past the limit; none was sent.
            ConfigurationError: a queue has no URL; none was sent.
        """
        now = self._clock.now()
        entries = [self._entry(index, message, now) for index, message in enumerate(messages)]
        urls = [self._config.queue_url(message.queue) for message in messages]
        errors: list[ServerlessTasksError | None] = [None] * len(messages)
        for url, group in groupby(sorted(range(len(messages)), key=lambda i: urls[i]), key=lambda i: urls[i]):
            for batch in _batches([entries[index] for index in group]):
                for index, (reason, uncertain) in self._send_batch(url, batch).items():
                    errors[index] = unsent(messages[index].uuid, reason, uncertain=uncertain)
        return errors

    def resend(self, message: Message, body: str) -> None:
        """Send a body once more as it is, to the queue of the message that it holds.

        Raises:
            ConfigurationError: the queue has no URL.
            SubmitFailed, SubmitUncertain: it was not, or perhaps not, sent.
        """
        entry = {**self._entry(0, message, self._clock.now()), "MessageBody": body}
        failed = self._send_batch(self._config.queue_url(message.queue), [entry])
        if failed:
            reason, uncertain = failed[0]
            raise unsent(message.uuid, reason, uncertain=uncertain)

    def _send_batch(self, url: str, batch: list[dict[str, Any]]) -> dict[int, _Reason]:
        """Send up to ten entries, those that failed again; returns those that failed in the end."""
        left = {int(entry["Id"]): entry for entry in batch}
        failures: dict[int, _Reason] = {}
        for _ in tries(self._clock):
            failed = self._try(url, list(left.values()))
            failures = {
                index: (reason, uncertain or (index in failures and failures[index][1]))
                for index, (reason, uncertain) in failed.items()
            }
            left = {index: left[index] for index in failed}
            if not left:
                break
        return failures

    def _try(self, url: str, entries: list[dict[str, Any]]) -> dict[int, _Reason]:
        try:
            if len(entries) == 1:
                single = {name: value for name, value in entries[0].items() if name != "Id"}
                call(self._client.send_message, QueueUrl=url, **single)
                return {}
            response = call(self._client.send_message_batch, QueueUrl=url, Entries=entries)
        except AwsError as error:
            return {int(entry["Id"]): (str(error), error.applied) for entry in entries}
        return {
            int(failed["Id"]): (f"{failed.get('Code')}: {failed.get('Message', '')}", False)
            for failed in response.get("Failed", [])
        }

    @staticmethod
    def _entry(index: int, message: Message, now: float) -> dict[str, Any]:
        body = message.encode()
        size = len(body.encode())
        if size > BODY_LIMIT:
            raise PayloadTooLarge(f"inputs of task {message.task!r}", size, BODY_LIMIT)
        entry: dict[str, Any] = {"Id": str(index), "MessageBody": body}
        if delay := message.delay(now):
            entry["DelaySeconds"] = delay
        if message.options.tenant is not None:
            entry["MessageGroupId"] = message.options.tenant
        return entry


def _batches(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Entries in batches of at most ten and at most one MiB together."""
    batch: list[dict[str, Any]] = []
    size = 0
    for entry in entries:
        length = len(entry["MessageBody"].encode())
        if batch and (len(batch) == BATCH_ENTRIES or size + length > BODY_LIMIT):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch

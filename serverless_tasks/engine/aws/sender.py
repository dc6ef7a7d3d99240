"""The one way out for messages: SQS carries what is due soon, EventBridge Scheduler sends what is due later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import MAX_DELAY
from serverless_tasks.engine.store.payloads import offload_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.aws.scheduler.one_time import Schedules
    from serverless_tasks.engine.aws.sqs.sending import QueueSender
    from serverless_tasks.engine.config import Config
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Blobs
    from serverless_tasks.errors import ServerlessTasksError

SETTINGS = ("schedule_group", "scheduler_role", "dead_letter_queue_url")


class Sender:
    """Sends messages, each by the way that its time asks for.

    Args:
        queue: what SQS carries.
        schedules: gives what is sent later; asked when there is such a message.
        blobs: where large inputs lie, or None.
        config: whether there is a scheduler.
        clock: the time.
        longest: seconds for which SQS holds a message back.
    """

    def __init__(
        self,
        queue: QueueSender,
        schedules: Callable[[], Schedules],
        blobs: Blobs | None,
        config: Config,
        clock: Clock,
        longest: int = MAX_DELAY,
    ) -> None:
        self._queue = queue
        self._schedules = schedules
        self._blobs = blobs
        self._config = config
        self._clock = clock
        self._longest = longest

    def is_far(self, message: Message) -> bool:
        """Return whether a message is due later than SQS can delay it."""
        return message.run_at is not None and message.delay(self._clock.now()) > self._longest

    def check(self, messages: Sequence[Message]) -> None:
        """See that messages have a queue, and can be held back for as long as they want to be.

        Raises:
            ConfigurationError: a queue has no URL, or a setting of the scheduler is missing.
        """
        for queue in {message.queue for message in messages}:
            self._config.queue_url(queue)
        if any(self.is_far(message) for message in messages):
            for setting in SETTINGS:
                self._config.require(setting)

    def send(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """Send messages, in batches where there are several.

        Returns:
            For each message None, or the error that says why it was not (or perhaps not) sent.

        Raises:
            PayloadTooLarge: a message is past the limit; none was sent.
            ConfigurationError: a queue has no URL, or a setting of the scheduler is missing; none was sent.
        """
        scheduled = [index for index, message in enumerate(messages) if self.is_far(message)]
        if not scheduled:
            return self._queue.send(messages)
        schedules = self._schedules()
        prepared = schedules.prepare([messages[index] for index in scheduled])
        near = [index for index in range(len(messages)) if index not in set(scheduled)]
        results: dict[int, ServerlessTasksError | None] = {}
        if near:
            results = dict(zip(near, self._queue.send([messages[index] for index in near]), strict=True))
        results |= dict(zip(scheduled, schedules.create(prepared), strict=True))
        return [results[index] for index in range(len(messages))]

    def resend(self, message: Message) -> None:
        """Send the message of a job's next attempt. Where there is no scheduler, one that is due late comes early,
        and is given back until it is due.

        Raises:
            ServerlessTasksError: it was not sent, or perhaps not.
        """
        if self.is_far(message):
            if all(getattr(self._config, setting) for setting in SETTINGS):
                message = offload_inputs(message, self._blobs, scheduled=True)
            else:
                message = replace(message, run_at=to_ms(self._clock.now() + self._longest))
        (error,) = self.send([message])
        if error is not None:
            raise error

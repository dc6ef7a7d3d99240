"""Messages that go back to their queue: when they come again, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_handlers.telemetry import count, logger
from serverless_tasks.engine.job.message import SETTLE, Message
from serverless_tasks.errors import MessageTooNew, MessageUndecodable, ServerlessTasksError

if TYPE_CHECKING:
    from serverless_tasks.engine.job.record import Failure
    from serverless_tasks.engine.services import Services

# During a rolling deployment, newer functions may know a task or a version that this one does not know yet.
NOT_YET_KNOWN = 60
# The delay after an AWS error on the first delivery; it doubles with each further delivery, up to 15 minutes. A queue
# moves a message to the dead-letter queue after 100 deliveries, and an outage of hours must not lose a job.
AFTER_ERROR = 10
LONGEST_AFTER_ERROR = 900


class GiveBack(Exception):
    """A message that must be delivered again."""


class Redelivery:
    """The messages of a batch that go back.

    Args:
        services: whose queues they came from.
        records: the batch.
    """

    def __init__(self, services: Services, records: list[dict[str, Any]]) -> None:
        self._services = services
        self._records = records
        self._seconds: dict[str, int] = {}

    def back(self, record: dict[str, Any], seconds: int, reason: str) -> GiveBack:
        """Note a message, and return what its record raises.

        Args:
            record: the message as it was delivered.
            seconds: how long it is to be hidden.
            reason: why it goes back.
        """
        self._seconds[record["receiptHandle"]] = seconds
        logger.info("message goes back", reason=reason, seconds=seconds)
        count("MessageReturned")
        return GiveBack(reason)

    def hide_all(self, seconds: int) -> None:
        """Hide the whole batch for so many seconds."""
        self._hide({record["receiptHandle"]: seconds for record in self._records})

    def finish(self) -> None:
        """Hide each message that goes back for its time."""
        self._hide(self._seconds)

    def explain(self, message: Message, failure: Failure) -> None:
        """Record in a job why it waits. What claims to be from a schedule may be no job, as is what settles a group."""
        if message.schedule is not None or message.workflow == SETTLE:
            return
        try:
            self._services.store.returned(message, failure)
        except ServerlessTasksError:
            logger.exception("why the job waits could not be recorded")

    def _hide(self, seconds: dict[str, int]) -> None:
        if not seconds:
            return
        try:
            self._services.visibility.change(self._url(), seconds)
        except ServerlessTasksError:
            # The queue's own visibility timeout applies instead: later, but safe.
            logger.exception("the messages' visibility could not be changed")

    def _url(self) -> str:
        """The batch's queue, found by its name: an event has its ARN only."""
        name = self._records[0]["eventSourceARN"].rsplit(":", 1)[-1]
        config = self._services.config
        urls = [*config.queue_urls.values(), config.dead_letter_queue_url]
        for url in urls:
            if url.rsplit("/", 1)[-1] == name:
                return url
        raise ServerlessTasksError(f"SERVERLESS_TASKS_QUEUE_URLS has no queue whose URL ends in {name!r}.")


def return_all(services: Services, records: list[dict[str, Any]], failure: Failure) -> None:
    """Give a whole batch back, none of which can be run, and let each job say why.

    Args:
        services: whose queues they came from.
        records: the batch.
        failure: why.
    """
    redelivery = Redelivery(services, records)
    for record in records:
        redelivery.back(record, doubled(record, NOT_YET_KNOWN), failure.message)
    redelivery.finish()
    for record in records:
        try:
            message = Message.decode(record["body"])
        except (MessageUndecodable, MessageTooNew):
            continue  # its own reason is found when it is delivered to a worker that works
        redelivery.explain(message, failure)


def after_error(record: dict[str, Any]) -> int:
    """Return the pause after an AWS error, in seconds."""
    return doubled(record, AFTER_ERROR)


def doubled(record: dict[str, Any], first: int) -> int:
    """Return the pause before a delivery is repeated, twice as long each time: a queue counts them.

    Args:
        record: the message as it was delivered.
        first: the pause after the first delivery, in seconds.
    """
    doublings = min(deliveries(record) - 1, 10)
    return min(first << doublings, LONGEST_AFTER_ERROR)


def deliveries(record: dict[str, Any]) -> int:
    """Return how often a message was delivered."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))

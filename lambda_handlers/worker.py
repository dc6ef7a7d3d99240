"""SQS batches in, partial batch responses out.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lambda_handlers.bootstrap import initialise, ready
from lambda_handlers.telemetry import counted, job, logger, report
from serverless_tasks.attempt import MARGIN
from serverless_tasks.errors import (
    MessageTooNew,
    MessageUndecodable,
    ServerlessTasksError,
    UnknownTask,
)
from serverless_tasks.message import Message

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from serverless_tasks.services import Services

# A rolling deployment may know a task, or a version, that this function does not know yet.
NOT_YET_KNOWN = 60
# After an error of AWS's, for the first delivery; each further one waits twice as long, up to a quarter of an hour. A
# queue gives a message up after 100 deliveries, and an outage of hours must not cost a job.
AFTER_ERROR = 10
LONGEST_AFTER_ERROR = 900
# Between the end of a run and the deletion of its messages.
GRACE = 10

initialise("store", "runner", "visibility")


class GiveBack(Exception):
    """A message that must be delivered again."""


class _Batch:
    """One invocation: its deadline, and when the messages that go back should come again."""

    def __init__(self, through: Services, records: list[dict[str, Any]], context: LambdaContext) -> None:
        self._through = through
        self._records = records
        self._context = context
        # A container's worker has none: nothing ends it, and its poller keeps the message hidden while it runs.
        bounded = getattr(context, "has_deadline", True)
        remaining = context.get_remaining_time_in_millis() / 1000
        self._deadline = through.clock.now() + remaining if bounded else None
        self._again: dict[str, int] = {}
        self._begun = False

    def shorten_visibility(self) -> None:
        """Hide the batch no longer than this run can last: after a kill the rest comes back soon, not after the
        queue's own visibility timeout (six times the function's).
        """
        if self._deadline is None:
            return
        seconds = math.ceil(self._remaining() + GRACE)
        self._hide({record["receiptHandle"]: seconds for record in self._records})

    def run(self, record: dict[str, Any]) -> bool:
        """Run one message; says whether it is done with, and need not be delivered again."""
        try:
            self._handle(record)
        except GiveBack:
            return False
        except Exception:  # noqa: BLE001 - one bad record fails alone
            logger.exception("a record could not be handled")
            return False
        return True

    def _handle(self, record: dict[str, Any]) -> None:
        try:
            message = Message.decode(record["body"])
        except MessageUndecodable as error:
            self._bury(record, str(error))
            return
        except MessageTooNew as error:
            raise self._back(record, NOT_YET_KNOWN, str(error)) from None
        with job(message):
            self._run(record, message)

    def _bury(self, record: dict[str, Any], reason: str) -> None:
        queue = record["eventSourceARN"].rsplit(":", 1)[-1]
        try:
            self._through.dead_letters.put(
                record["body"], reason, queue=queue, message_id=record["messageId"]
            )
        except ServerlessTasksError as error:
            logger.exception(
                "an undecodable message could not be sent to the dead-letter queue", reason=reason
            )
            raise self._back(record, _after_error(record), type(error).__name__) from error
        logger.error("undecodable message sent to the dead-letter queue", reason=reason)

    def finish(self) -> None:
        """Tell the queue when to deliver again what goes back."""
        self._hide(self._again)

    def _run(self, record: dict[str, Any], message: Message) -> None:
        try:
            timeout = self._through.registry.get(message.task).timeout
        except UnknownTask as error:
            raise self._back(record, NOT_YET_KNOWN, str(error)) from None
        # The first one begins in any case: it will never be given more time than now.
        if self._begun and self._remaining() < timeout + MARGIN:
            raise self._back(record, 0, "not enough time is left in this run")
        self._begun = True
        try:
            outcome = self._through.runner.execute(
                message, deadline=self._deadline, request_id=self._context.aws_request_id
            )
        except Exception as error:
            logger.exception("the job could not be claimed or recorded")
            raise self._back(record, _after_error(record), type(error).__name__) from error
        report(outcome)
        if outcome.give_back is not None:
            raise self._back(record, math.ceil(outcome.give_back), outcome.status)

    def _back(self, record: dict[str, Any], seconds: int, reason: str) -> GiveBack:
        self._again[record["receiptHandle"]] = seconds
        logger.info("message goes back", reason=reason, seconds=seconds)
        return GiveBack(reason)

    def _remaining(self) -> float:
        return math.inf if self._deadline is None else self._deadline - self._through.clock.now()

    def _hide(self, seconds: dict[str, int]) -> None:
        if not seconds:
            return
        try:
            self._through.visibility.change(self._url(), seconds)
        except ServerlessTasksError:
            # The queue's own visibility timeout holds then: later, but safe.
            logger.exception("the messages' visibility could not be changed")

    def _url(self) -> str:
        """The batch's queue, found by its name: an event has its ARN only."""
        name = self._records[0]["eventSourceARN"].rsplit(":", 1)[-1]
        config = self._through.config
        urls = [*config.queue_urls.values(), config.dead_letter_queue_url]
        for url in urls:
            if url.rsplit("/", 1)[-1] == name:
                return url
        raise ServerlessTasksError(f"SERVERLESS_TASKS_QUEUE_URLS has no queue whose URL ends in {name!r}.")


def _after_error(record: dict[str, Any]) -> int:
    doublings = min(_deliveries(record) - 1, 10)
    return min(AFTER_ERROR << doublings, LONGEST_AFTER_ERROR)


def _deliveries(record: dict[str, Any]) -> int:
    """How often a message was delivered. What went back most often begins first: of ten long tasks one is begun a
    run, and by chance alone some would meet the queue's limit of deliveries.
    """
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


@counted
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Run a batch of jobs; the answer names the messages that must be delivered again.

    Args:
        event: SQS records.
        context: Lambda's context.
    """
    records = sorted(event["Records"], key=_deliveries, reverse=True)
    batch = _Batch(ready(), records, context)
    batch.shorten_visibility()
    failed = [record["messageId"] for record in records if not batch.run(record)]
    batch.finish()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

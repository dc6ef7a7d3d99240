"""The end of the line: jobs that could not be delivered are settled, bodies that are no jobs are kept."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from lambda_handlers.bootstrap import initialise, ready
from lambda_handlers.telemetry import count, counted, logger
from serverless_tasks.errors import ConfigurationError, MessageError, MessageUndecodable, ServerlessTasksError
from serverless_tasks.message import VERSION, Message, version_of
from serverless_tasks.record import Failure

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from serverless_tasks.services import Services

GRACE = 1

initialise("store", "visibility")


class LiveLease(Exception):
    """A worker still holds the job; the message must wait for its end."""


class _Batch:
    def __init__(self, through: Services) -> None:
        self._through = through
        self._again: dict[str, int] = {}

    def run(self, record: SQSRecord) -> None:
        """Settle one message.

        Raises:
            LiveLease: a worker still holds the job.
        """
        try:
            message = Message.decode(record.body, any_version=True)
        except MessageUndecodable as error:
            self._keep(record, error)
            return
        claim = self._through.store.settle(message, self._reason(message, record))
        if claim.answer == "busy":
            self._again[record.receipt_handle] = max(
                GRACE, math.ceil(claim.until / 1000 - time.time()) + GRACE
            )
            raise LiveLease(message.uuid)
        if claim.answer == "settled":
            count("DeadLettered")
            logger.error("dead letter", uuid=message.uuid, task=message.task)
        else:
            logger.info("the job had ended before", uuid=message.uuid, task=message.task, status=claim.status)

    def finish(self) -> None:
        """Let the messages of live leases come back when those end."""
        if not self._again:
            return
        try:
            self._through.visibility.change(
                self._through.config.require("dead_letter_queue_url"), self._again
            )
        except ServerlessTasksError:
            logger.exception(
                "the messages' visibility could not be changed"
            )  # they come back later, but they do

    def _reason(self, message: Message, record: SQSRecord) -> Failure:
        version = version_of(record.body)
        if version > VERSION:
            said = f"The message has version {version}; the deployed code reads up to {VERSION}."
            return Failure(type="MessageTooNew", message=said)
        if message.task not in self._through.registry:
            return Failure(type="UnknownTask", message=f"No deployed task is named {message.task!r}.")
        return Failure(type="Undeliverable", message="The job was delivered many times and never ended.")

    def _keep(self, record: SQSRecord, error: MessageError) -> None:
        if self._through.blobs is None:
            raise ConfigurationError(
                "SERVERLESS_TASKS_BUCKET is not set; undecodable messages are kept there."
            )
        day = datetime.now(UTC).strftime("%Y/%m/%d")
        key = f"dead-letters/{day}/{record.message_id}"
        self._through.blobs.put(key, record.body.encode())
        count("Undecodable")
        logger.error("undecodable message kept", key=key, reason=str(error))


@counted
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Settle a batch of dead letters.

    Args:
        event: SQS records of the dead-letter queue.
        context: Lambda's context.
    """
    batch = _Batch(ready())
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    answer = process_partial_response(
        event=event, record_handler=batch.run, processor=processor, context=context
    )
    batch.finish()
    return answer

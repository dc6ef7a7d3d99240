"""The end of the line: jobs that could not be delivered are settled, bodies that are no jobs are kept."""

from __future__ import annotations

import json
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
            message = Message.decode(body_of(record.body), any_version=True)
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
        version = version_of(body_of(record.body))
        if version > VERSION:
            said = f"The message has version {version}; the deployed code reads up to {VERSION}."
            return Failure(type="MessageTooNew", message=said)
        if message.task not in self._through.registry:
            return Failure(type="UnknownTask", message=f"No deployed task is named {message.task!r}.")
        code, why = (record.message_attributes[name] for name in ("ERROR_CODE", "ERROR_MESSAGE"))
        if code is not None:
            reason = f"{code.string_value}: {why.string_value if why is not None else 'no reason was given'}"
            said = f"The scheduler could not bring the job to its queue: {reason}"
            return Failure(type="Undeliverable", message=said)
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


def body_of(text: str) -> str:
    """The message in a dead letter.

    EventBridge Scheduler leaves its whole call of SQS there, and says why in attributes:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html

    Args:
        text: the dead letter's body.
    """
    if '"MessageBody"' not in text:
        return text
    try:
        call_of_sqs = json.loads(text)
    except (ValueError, RecursionError):
        return text
    body = call_of_sqs.get("MessageBody") if isinstance(call_of_sqs, dict) else None
    return body if isinstance(body, str) else text


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

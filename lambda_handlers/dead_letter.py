"""The end of the line: jobs that could not be delivered are settled, and all bodies kept for those who see to them."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from lambda_handlers.bootstrap import initialise, ready, renewed
from lambda_handlers.telemetry import count, counted, job, logger
from serverless_tasks.engine.definition.recurring import SCHEDULED_TIME
from serverless_tasks.engine.definition.registry import OPERATIONS
from serverless_tasks.engine.job.dead_letter import DeadLetter, job_letter, undecodable_letter
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.job.message import OPEN, SETTLE, VERSION, Message, version_of
from serverless_tasks.engine.job.record import FAILED, Failure
from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.engine.worker.firing import task_for
from serverless_tasks.errors import (
    ConfigurationError,
    MessageUndecodable,
    NotDue,
    ServerlessTasksError,
    UnknownSchedule,
    UnknownTask,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.statistics.gatherer import Batch as BatchCounts

LEASE_GRACE = 1
# Seconds that are to be left of an invocation for its statistics, which may also wait for the next one.
TO_COUNT = 10
TOO_NEW, UNKNOWN, UNDELIVERABLE = "MessageTooNew", "UnknownTask", "Undeliverable"

initialise("store", "visibility", "statistics")


class LiveLease(Exception):
    """A worker still holds the job; the message must wait for its end."""


@contextmanager
def _told(record: SQSRecord) -> Iterator[None]:
    """Log why a dead letter comes back: the batch processor keeps what a record raises to itself."""
    try:
        yield
    except ServerlessTasksError:
        logger.exception("the dead letter could not be settled or kept", message_id=record.message_id)
        raise


class _Batch:
    def __init__(self, services: Services, counts: BatchCounts | None = None) -> None:
        self._services = services
        self._counts = counts
        self._again: dict[str, int] = {}

    def run(self, record: SQSRecord) -> None:
        """Settle one message, and keep it.

        Raises:
            LiveLease: a worker still holds the job.
            AwsError: it could not be settled or kept; it comes back, and nothing is lost.
        """
        body = body_of(record)
        try:
            message = Message.decode(body, any_version=True)
        except MessageUndecodable as error:
            with _told(record):
                self._keep_unsettled(record, error)
            return
        with job(message), _told(record):
            refusal = self._refusal(message)
            if refusal is None:
                self._settle(record, message, body)
            else:
                self._keep_unsettled(record, refusal, message.task)

    def _refusal(self, message: Message) -> ServerlessTasksError | None:
        """Return why a message is not the job whose id it has, which its schedule may still send; else None."""
        if message.workflow is not None:
            return None
        try:
            task_for(message, self._services.registry, self._services.clock.now())
        except (NotDue, UnknownSchedule) as error:
            return error
        except UnknownTask:
            return None
        return None

    def _settle(self, record: SQSRecord, message: Message, body: str) -> None:
        if message.workflow is not None and version_of(body) <= VERSION:
            self._settle_workflow(record, message)
            return
        if message.schedule is not None:  # scheduled jobs are not stored by a submit
            self._services.store.put_jobs([message])
        failure = self._reason(message, body, record)
        if self._services.statistics is not None:
            failure = self._services.statistics.mark(message.task, failure)
        claim = self._services.settle(message, failure)
        if claim.answer == ClaimAnswer.BUSY:
            self._again[record.receipt_handle] = max(
                LEASE_GRACE, math.ceil(claim.until / 1000 - self._services.clock.now()) + LEASE_GRACE
            )
            raise LiveLease(message.uuid)
        if claim.answer == ClaimAnswer.SETTLED:
            count("DeadLettered")
            logger.error("dead letter", reason=failure.message)
            if self._counts is not None:
                from lambda_handlers.counting import counting, settled_run  # statistics may be off

                with counting("a job"):
                    item_of = self._services.store.item_of
                    run = settled_run(message, claim, failure, size=len(body), item_of=item_of)
                    self._counts.note(run)
            self._keep_job(record, message, failure)
        elif claim.status == FAILED and (before := self._settled_before(message)) is not None:
            self._keep_job(record, message, before)
        else:
            logger.info("the job had ended before", status=claim.status)

    def _settle_workflow(self, record: SQSRecord, message: Message) -> None:
        """Do what a message of a group says once more; one that was never opened ends with the reason."""
        workflows = self._services.workflows
        if message.workflow == OPEN and self._services.store.groups.get(message.uuid) is None:
            workflows.settle(message, Failure(type=UNDELIVERABLE, message="The group could not be opened."))
            count("DeadLettered")
            return
        pause = workflows.deliver(replace(message, workflow=SETTLE))
        if pause is not None:
            self._again[record.receipt_handle] = math.ceil(pause)
            raise LiveLease(message.uuid)

    def finish(self) -> None:
        """Let the messages of live leases come back when those end."""
        if not self._again:
            return
        try:
            self._services.visibility.change(
                self._services.config.require("dead_letter_queue_url"), self._again
            )
        except ServerlessTasksError:  # they are redelivered later
            logger.exception("the messages' visibility could not be changed")

    def _reason(self, message: Message, body: str, record: SQSRecord) -> Failure:
        version, builds = version_of(body), message.builds(self._services.config.build)
        if version > VERSION:
            text = f"The message has version {version}; the deployed code reads up to {VERSION}{builds}."
            return Failure(type=TOO_NEW, message=text)
        if message.task not in self._services.registry and message.task not in OPERATIONS:
            text = (
                f"No deployed task is named {message.task!r}{builds}. Deploy a class with this name, or one that has it"
                " in `aliases`; then retry the job."
            )
            return Failure(type=UNKNOWN, message=text)
        code, why = (record.message_attributes[name] for name in ("ERROR_CODE", "ERROR_MESSAGE"))
        if code is not None:
            reason = f"{code.string_value}: {why.string_value if why is not None else 'no reason was given'}"
            text = f"The scheduler could not bring the job to its queue: {reason}"
            return Failure(type=UNDELIVERABLE, message=text)
        return Failure(type=UNDELIVERABLE, message="The job was delivered many times and never ended.")

    def _settled_before(self, message: Message) -> Failure | None:
        """Return the failure with which an earlier delivery has settled the job, if one did."""
        record = self._services.store.read(message.uuid)
        failure = record.failure if record is not None else None
        if failure is None or failure.type not in (TOO_NEW, UNKNOWN, UNDELIVERABLE):
            return None
        return failure

    def _keep_job(self, record: SQSRecord, message: Message, failure: Failure) -> None:
        if not self._services.config.bucket:
            return  # the record has the outcome; a retry needs the job item, which untracked jobs do not have
        letter = DeadLetter(
            id=job_letter(message.uuid),
            reason=f"{failure.type}: {failure.message}",
            task=message.task,
            queue=message.queue,
            deliveries=int(record.attributes.approximate_receive_count),
            sent=int(record.attributes.sent_timestamp),
        )
        self._services.dead_letter_store.keep(letter, body_of(record))

    def _keep_unsettled(self, record: SQSRecord, error: ServerlessTasksError, task: str = "") -> None:
        """Keep a body that is no job, or only says that it is one of a schedule's: there is nothing to settle."""
        if not self._services.config.bucket:
            raise ConfigurationError(
                "SERVERLESS_TASKS_BUCKET is not set; messages that are no job are kept there."
            )
        letter = DeadLetter(
            id=undecodable_letter(_first_id(record)),
            reason=str(error),
            task=task,
            queue=_source(record),
            deliveries=int(record.attributes.approximate_receive_count),
            sent=int(record.attributes.sent_timestamp),
        )
        self._services.dead_letter_store.keep(letter, record.body)
        count("Undecodable")
        logger.error("message kept that is no job", id=letter.id, reason=letter.reason)


def _first_id(record: SQSRecord) -> str:
    """The message's id in the queue that it came from: a worker that gave it up twice has sent it here twice."""
    first = record.message_attributes["message_id"]
    return uuid_in(first.string_value if first is not None else "") or record.message_id


def _source(record: SQSRecord) -> str:
    """The queue that it came from, as the worker says that gave it up, or SQS, which moved it."""
    attribute = record.message_attributes["queue"]
    if attribute is not None:
        return attribute.string_value or ""
    return (record.attributes.dead_letter_queue_source_arn or "").rsplit(":", 1)[-1]


def body_of(record: SQSRecord) -> str:
    """The message in a dead letter.

    EventBridge Scheduler leaves its whole call of SQS there, and says in attributes why, and for which time it was:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html

    Args:
        record: the dead letter.
    """
    text = record.body
    if '"MessageBody"' in text:
        try:
            call_of_sqs = json.loads(text)
        except (ValueError, RecursionError):
            return text
        body = call_of_sqs.get("MessageBody") if isinstance(call_of_sqs, dict) else None
        text = body if isinstance(body, str) else text
    scheduled = record.message_attributes["SCHEDULED_TIME"]
    if scheduled is not None and scheduled.string_value:
        text = text.replace(SCHEDULED_TIME, scheduled.string_value)
    return text


@renewed
@counted
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Settle a batch of dead letters.

    Args:
        event: SQS records of the dead-letter queue.
        context: Lambda's context.
    """
    services = ready()
    if services.statistics is None:
        return _settle_all(_Batch(services), event, context)
    from lambda_handlers.counting import counting  # statistics may be off

    with services.statistics.batch() as counts:
        response = _settle_all(_Batch(services, counts), event, context)
        with counting("a batch"):
            counts.end(write=context.get_remaining_time_in_millis() > TO_COUNT * 1000)
    return response


def _settle_all(batch: _Batch, event: dict[str, Any], context: LambdaContext) -> Any:
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    response = process_partial_response(
        event=event, record_handler=batch.run, processor=processor, context=context
    )
    batch.finish()
    return response

"""A task run by direct invoke: ``{"task": "sum", "inputs": {...}}`` in, the record out."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lambda_handlers.bootstrap import initialise, ready, renewed
from lambda_handlers.telemetry import counted, flush_spans, job, logger, report
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.job.message import Message, read_trace
from serverless_tasks.engine.submit.options import RULES
from serverless_tasks.errors import (
    InvalidEvent,
    InvalidInputs,
    PayloadTooLarge,
    ServerlessTasksError,
    TaskNotFound,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from serverless_tasks.engine.services import Services

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: a synchronous response is limited to 6 MB.
ANSWER_LIMIT = 6_000_000

initialise("store", "runner")


@renewed
@counted
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Run a task and return its record, or ``{"error": {"type", "message"}}``; never a stack trace.

    The same ``uuid`` twice runs once: the second call is answered by the first one's record.

    Args:
        event: ``task``, ``inputs`` and optionally ``uuid`` and ``owner``.
        context: Lambda's context.
    """
    try:
        return _run(ready(), event, context)
    except InvalidInputs as error:
        fields = [{"field": found.field, "message": found.message} for found in error.fields]
        return {"error": {"type": "InvalidInputs", "message": str(error), "fields": fields}}
    except ServerlessTasksError as error:
        logger.warning("the event was refused", reason=str(error))
        return {"error": {"type": type(error).__name__, "message": str(error)}}
    except Exception:  # noqa: BLE001 - a caller never sees a stack trace; the log has it
        logger.exception("the event could not be answered")
        return {
            "error": {"type": "InternalError", "message": f"See the log of request {context.aws_request_id}."}
        }


def _run(services: Services, event: Any, context: LambdaContext) -> dict[str, Any]:
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    message = replace(_message(services, event, deadline), **_trace(context))
    try:
        with job(message):
            report(
                services.runner.execute(
                    message, deadline=deadline, request_id=context.aws_request_id, retry=False
                )
            )
    finally:
        flush_spans(services, context)
    record = services.store.read(message.uuid)
    if record is None:
        raise TaskNotFound(message.uuid)
    # Else the caller would get another task's outputs.
    if services.registry.present_name(record.task) != message.task:
        raise InvalidEvent(
            f"The event's uuid {message.uuid} is that of a job of task {record.task!r}, not {message.task!r}; "
            "use a different id for each job."
        )
    answer = record.to_json(reveal=True)
    size = len(json.dumps(answer).encode())
    if size > ANSWER_LIMIT:
        what = f"outputs of job {message.uuid} ({record.status}; its id reads them)"
        raise PayloadTooLarge(what, size, ANSWER_LIMIT)
    return answer


def _trace(context: LambdaContext) -> dict[str, Any]:
    """The caller's span. It comes beside the event, of which a function of the version before takes no more members."""
    beside = getattr(context, "client_context", None)
    custom = getattr(beside, "custom", None)
    return read_trace(custom) if isinstance(custom, dict) else {}


def _message(services: Services, event: Any, deadline: float) -> Message:
    """The job that an event asks for, validated. No message stands behind it: when the function is killed, nobody
    takes the job up again, and past the deadline it reads as lost.

    Raises:
        InvalidEvent: it is not one.
        UnknownTask: there is no such task.
        InvalidInputs: the inputs do not fit.
    """
    if not isinstance(event, dict) or not isinstance(event.get("task"), str):
        raise InvalidEvent('The event is not a job; send {"task": "<name>", "inputs": {...}}.')
    extra = sorted(set(event) - {"task", "inputs", "uuid", "owner"})
    if extra:
        raise InvalidEvent(f"The event has {extra[0]!r}; a job has task, inputs, uuid and owner.")
    uuid = uuid_in(event.get("uuid") or uuid4())
    if uuid is None:
        raise InvalidEvent(f"The event's uuid is {event['uuid']!r}, which is not a UUID.")
    owner = event.get("owner")
    if owner is not None and not RULES["owner"].accepts(owner):
        raise InvalidEvent(f"The event's owner is {owner!r}; expected {RULES['owner'].expected}.")
    definition = services.registry.definition(event["task"])
    accepted = definition.accept_json(event.get("inputs", {}))
    return Message(
        uuid=uuid,
        task=definition.task.name,
        inputs=accepted.sent,
        owner=owner,
        created=to_ms(services.clock.now()),
        expires=to_ms(deadline),
    )

"""A batch of ten records whose task does nothing, as ours and others handle it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from benchmarks import deployment
from benchmarks.bare_writes import begin, end
from benchmarks.context import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

RECORDS = 10
_NO_FAILURES: dict[str, list[Any]] = {"batchItemFailures": []}


def ours(task: str = "noop", inputs: dict[str, Any] | None = None) -> Callable[[], None]:
    """Our worker's handler."""
    from lambda_handlers.worker import handler

    event = deployment.event(task, inputs or {"numbers": [1, 2]}, RECORDS)

    def step() -> None:
        assert handler(event, CONTEXT) == _NO_FAILURES

    return step


def pausing() -> Callable[[], None]:
    """Our worker's handler, with a task that waits."""
    return ours("pause", {"number": 1})


def pausing_without_overlap() -> Callable[[], None]:
    """The same, where each call waits for the answer to the one before it."""
    from serverless_tasks.engine.aws.botocore_overrides import connections

    connections.say_when_sent = lambda client: None
    return pausing()


def powertools() -> Callable[[], None]:
    """Powertools' batch processor around the two bare writes."""
    client = boto3.client("dynamodb")

    def run(record: SQSRecord) -> None:
        message = json.loads(record.body)
        begin(client, message["uuid"])
        end(client, message["uuid"])

    return _processed(run)


def idempotent() -> Callable[[], None]:
    """Powertools' batch processor around an idempotent function, as its documentation joins the two."""
    from aws_lambda_powertools.utilities.idempotency import (
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )

    config = IdempotencyConfig(event_key_jmespath="uuid")
    layer = DynamoDBPersistenceLayer(table_name="tasks")

    @idempotent_function(  # type: ignore[untyped-decorator]
        data_keyword_argument="message", config=config, persistence_store=layer
    )
    def work(message: dict[str, Any]) -> dict[str, Any]:
        return {"result": None}

    def run(record: SQSRecord) -> None:
        # Each delivery is a new job, as ours are to the endpoint, which keeps nothing.
        work(message={**json.loads(record.body), "uuid": str(uuid4())})

    def prepare() -> None:
        config.register_lambda_context(CONTEXT)

    return _processed(run, prepare)


def _processed(
    run: Callable[[SQSRecord], None], prepare: Callable[[], None] | None = None
) -> Callable[[], None]:
    event = deployment.event("noop", {"numbers": [1, 2]}, RECORDS)

    def step() -> None:
        if prepare is not None:
            prepare()
        processor = BatchProcessor(event_type=EventType.SQS)
        answer = process_partial_response(
            event=event,
            record_handler=run,
            processor=processor,
            context=CONTEXT,
        )
        assert answer == _NO_FAILURES

    return step

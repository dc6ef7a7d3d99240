"""The faults between a process and AWS, and what the table answered: hooks of botocore in every process of the run.

A throttled call does not leave the process: botocore gets the answer that AWS gives in place of the one on the wire,
and treats it like that, with its own retries:
https://docs.aws.amazon.com/boto3/latest/guide/events.html
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse

from benchmarks.soak.diary import RECORDED, THROTTLED, note
from serverless_tasks.engine.job.record import ENDED

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
_CODES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "sqs": "com.amazonaws.sqs#RequestThrottled",
}


class _Body:
    """The stream of an answer that was read to its end."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self._content]


def disturb(share: float, seed: str) -> None:
    """Throttle a share of this process's calls to SQS and DynamoDB, and note in the diary the ends that were recorded.

    Call it before the first client is made.

    Args:
        share: of the calls, tries of botocore's own among them.
        seed: of the choice.
    """
    chance = random.Random(seed)

    def throttled(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        service, operation = event_name.split(".")[1:]
        if service not in _CODES or chance.random() >= share:
            return None
        note(THROTTLED, f"{service}.{operation}")
        body = json.dumps({"__type": _CODES[service], "message": "Rate exceeded"}).encode()
        return AWSResponse(request.url, 400, {"content-type": "application/x-amz-json-1.0"}, _Body(body))

    def asked(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        update = json.loads(params["body"])
        if update.get("ExpressionAttributeValues", {}).get(":status", {}).get("S") in ENDED:
            context[RECORDED] = update["Key"]["pk"]["S"]

    def recorded(http_response: Any, context: dict[str, Any], **_: Any) -> None:
        if RECORDED in context and http_response.status_code == 200:
            note(RECORDED, context[RECORDED])

    boto3.setup_default_session()
    events = boto3.DEFAULT_SESSION.events
    events.register("before-send", throttled)
    events.register("before-call.dynamodb.UpdateItem", asked)
    events.register("after-call.dynamodb.UpdateItem", recorded)

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

from benchmarks.soak.diary import RECORDED, THROTTLED, await_kill, note
from serverless_tasks.engine.job.record import ENDED
from serverless_tasks.engine.store.groups import SHARD

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
_CODES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "sqs": "com.amazonaws.sqs#RequestThrottled",
}


# A value of the write that ends a group, which is no job that runs a task.
_CLOSES = ":members_succeeded"
# The process waits to be killed once the table has answered.
_DOOMED = "doomed"


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
        values = update.get("ExpressionAttributeValues", {})
        if values.get(":status", {}).get("S") in ENDED and _CLOSES not in values:
            context[RECORDED] = update["Key"]["pk"]["S"]

    def recorded(http_response: Any, context: dict[str, Any], **_: Any) -> None:
        if RECORDED in context and http_response.status_code == 200:
            note(RECORDED, context[RECORDED])

    boto3.setup_default_session()
    events = boto3.DEFAULT_SESSION.events
    events.register("before-send", throttled)
    events.register("before-call.dynamodb.UpdateItem", asked)
    events.register("after-call.dynamodb.UpdateItem", recorded)


def doom(counting: float, closing: float, seed: str) -> None:
    """Let this process wait to be killed at some of the writes that count the members of groups.

    Call it after `disturb`, and before the first client is made.

    Args:
        counting: the share of the counts of members.
        closing: the share of what is written when a shard is full, and when the group has ended.
        seed: of the choice: which writes, and whether before or after they are made.
    """
    chance = random.Random(seed)

    def asked(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        update = json.loads(params["body"])
        if chance.random() >= _share(update, counting, closing):
            return
        if chance.random() < 0.5:
            await_kill(update["Key"]["pk"]["S"])
        context[_DOOMED] = update["Key"]["pk"]["S"]

    def answered(context: dict[str, Any], **_: Any) -> None:
        if _DOOMED in context:
            await_kill(context[_DOOMED])

    events = boto3.DEFAULT_SESSION.events
    events.register("before-call.dynamodb.UpdateItem", asked)
    events.register("after-call.dynamodb.UpdateItem", answered)


def _share(update: dict[str, Any], counting: float, closing: float) -> float:
    """The share of updates of this kind that is chosen."""
    if update["Key"]["sk"]["S"] == SHARD:
        return counting
    values = update.get("ExpressionAttributeValues", {})
    return closing if ":unite_full" in values or _CLOSES in values else 0.0

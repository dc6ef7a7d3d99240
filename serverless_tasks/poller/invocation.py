"""Lambda's arguments of a function: the SQS event and the context."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.aws.sqs.receiving import QueueAttributes, ReceivedMessage

NO_DEADLINE_MS = 2**31 - 1
"""The remaining time that a worker without a deadline reports: about 24 days."""


def sqs_event(messages: Sequence[ReceivedMessage], queue: QueueAttributes) -> dict[str, Any]:
    """Build the event that Lambda's event source mapping builds from received messages.

    See https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html.
    """
    return {"Records": [_record(message, queue) for message in messages]}


def _record(message: ReceivedMessage, queue: QueueAttributes) -> dict[str, Any]:
    record: dict[str, Any] = {
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": dict(message.attributes),
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": queue.region,
    }
    if message.md5_of_message_attributes is not None:
        record["md5OfMessageAttributes"] = message.md5_of_message_attributes
    return record


def _attribute(value: Any) -> dict[str, Any]:
    attribute: dict[str, Any] = {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode("ascii")
    return attribute


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What the caller of a direct invoke has sent beside the event."""

    custom: Any = None


@dataclass(frozen=True, slots=True)
class Context:
    """The context object of one invocation, with the names that Lambda's has.

    Args:
        function_name: the function's name.
        region: the region it seems to run in.
        memory_limit_in_mb: what the template allows it; not enforced here.
        deadline: when it has to be done, on the clock of ``now``; None when nothing will stop it.
        now: seconds since the epoch.
        client_context: what came beside the event, or None.
    """

    function_name: str
    region: str
    memory_limit_in_mb: int
    deadline: float | None
    now: Callable[[], float]
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    client_context: ClientContext | None = None
    identity: None = None

    @property
    def has_deadline(self) -> bool:
        """True if anything will end the invocation; Lambda's own context lacks this and always has a deadline."""
        return self.deadline is not None

    @property
    def invoked_function_arn(self) -> str:
        """The function's ARN in the account that local stand-ins use."""
        return f"arn:aws:lambda:{self.region}:123456789012:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """The log group in which Lambda would have logged."""
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        """One stream for the process."""
        return f"local/[{self.function_version}]"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout; about 24 days when it has none."""
        if self.deadline is None:
            return NO_DEADLINE_MS
        return max(0, round((self.deadline - self.now()) * 1000))

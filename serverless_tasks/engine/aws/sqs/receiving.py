"""The receiving side of an SQS queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.engine.store.overlap import allows_overlap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BATCH = 10
"""Messages that one SQS call takes at most."""

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html, in seconds
LONGEST_VISIBILITY = 43_200

_DELETE_ATTEMPTS = 3
# The longest poll of SQS and a margin.
_READ_TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message as SQS handed it out, with the receipt that deletes it."""

    message_id: str
    receipt_handle: str
    body: str
    md5_of_body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    md5_of_message_attributes: str | None = None


@dataclass(frozen=True, slots=True)
class QueueAttributes:
    """The attributes of a queue that a consumer needs.

    Args:
        arn: the queue's ARN.
        visibility: seconds for which a received message is hidden unless the receiver says otherwise.
    """

    arn: str
    visibility: int

    @property
    def region(self) -> str:
        """The region in the ARN."""
        return self.arn.split(":")[3]

    @property
    def name(self) -> str:
        """The last part of the ARN."""
        return self.arn.rsplit(":", 1)[-1]


class ReceivingQueue:
    """Receive from one SQS queue, delete from it, and change how long messages stay hidden.

    Args:
        url: the queue's URL.
        sqs: a boto3 SQS client; the process's own unless given.

    Every call raises AwsError when it cannot be made or is refused. Safe to use from several threads.
    """

    def __init__(self, url: str, sqs: Any = None) -> None:
        self.url = url
        self._sqs = sqs if sqs is not None else client("sqs", read_timeout=_READ_TIMEOUT)

    def attributes(self) -> QueueAttributes:
        """Read the queue's attributes; fails at once when there is no such queue."""
        response = call(
            self._sqs.get_queue_attributes,
            QueueUrl=self.url,
            AttributeNames=["QueueArn", "VisibilityTimeout"],
        )
        attributes = response["Attributes"]
        return QueueAttributes(attributes["QueueArn"], int(attributes["VisibilityTimeout"]))

    def receive(
        self, limit: int = BATCH, *, wait: int = 20, visibility: int | None = None
    ) -> list[ReceivedMessage]:
        """Take up to ``limit`` messages (10 at most).

        Args:
            limit: how many at most.
            wait: seconds to wait for the first one (20 at most).
            visibility: seconds to hide them for; the queue's own timeout unless given.
        """
        options: dict[str, Any] = {} if visibility is None else {"VisibilityTimeout": visibility}
        response = call(
            self._sqs.receive_message,
            QueueUrl=self.url,
            MaxNumberOfMessages=min(limit, BATCH),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **options,
        )
        return [_received(message) for message in response.get("Messages", ())]

    def delete(self, messages: Sequence[ReceivedMessage]) -> list[ReceivedMessage]:
        """Delete messages, asking again for those that SQS could not delete; return what is still there."""
        left = list(messages)
        for _ in range(_DELETE_ATTEMPTS):
            if not left:
                break
            left = [
                message
                for part in batched(left, BATCH)
                for message in self._failed(
                    part,
                    call(
                        self._sqs.delete_message_batch,
                        QueueUrl=self.url,
                        Entries=[
                            {"Id": str(index), "ReceiptHandle": message.receipt_handle}
                            for index, message in enumerate(part)
                        ],
                    ),
                )
            ]
        return left

    def change_visibility(self, messages: Sequence[ReceivedMessage], seconds: int) -> list[ReceivedMessage]:
        """Hide messages for ``seconds`` from now (0 shows them at once); return those that SQS refused."""
        refused = _change_visibility(
            self._sqs, self.url, [(message.receipt_handle, seconds) for message in messages]
        )
        return [messages[index] for index in refused]

    @staticmethod
    def _failed(part: Sequence[ReceivedMessage], answer: Mapping[str, Any]) -> Iterable[ReceivedMessage]:
        return [part[int(entry["Id"])] for entry in answer.get("Failed", ())]


class Visibility:
    """The visibility timeouts of received messages.

    Args:
        client: an SQS client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def change(self, url: str, seconds_by_receipt: Mapping[str, int]) -> None:
        """Hide received messages for so many seconds from now; 0 delivers them again at once.

        Args:
            url: the queue's URL.
            seconds_by_receipt: receipt handle -> seconds.

        Raises:
            AwsError: the call as a whole failed. A single refused entry keeps its old time, which is safe.
        """
        with allows_overlap():
            _change_visibility(self._client, url, list(seconds_by_receipt.items()))


def _change_visibility(sqs: Any, url: str, seconds: Sequence[tuple[str, int]]) -> list[int]:
    """Change the visibility timeouts of receipt handles; return the indexes of those that SQS refused."""
    entries = [
        {
            "Id": str(index),
            "ReceiptHandle": receipt,
            "VisibilityTimeout": max(0, min(LONGEST_VISIBILITY, timeout)),
        }
        for index, (receipt, timeout) in enumerate(seconds)
    ]
    return [
        int(failed["Id"])
        for part in batched(entries, BATCH)
        for failed in call(sqs.change_message_visibility_batch, QueueUrl=url, Entries=list(part)).get(
            "Failed", ()
        )
    ]


def _received(message: Mapping[str, Any]) -> ReceivedMessage:
    return ReceivedMessage(
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        md5_of_body=message["MD5OfBody"],
        attributes=message.get("Attributes", {}),
        message_attributes=message.get("MessageAttributes", {}),
        md5_of_message_attributes=message.get("MD5OfMessageAttributes"),
    )

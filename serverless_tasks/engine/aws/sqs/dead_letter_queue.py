"""The queue for bodies that no retry can help."""

from __future__ import annotations

from typing import Any

from serverless_tasks.engine.aws.session import call


class DeadLetterQueue:
    """The queue for bodies that no retry can help.

    Args:
        client: an SQS client.
        url: the queue's URL.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, body: str, reason: str, *, queue: str = "", message_id: str = "") -> None:
        """Send a body there as it is, with what is known of it as message attributes.

        Args:
            body: the body.
            reason: why it cannot be run.
            queue: the queue that it came from.
            message_id: its id there: the same message, put twice, is one dead letter.

        Raises:
            AwsError: it could not be sent.
        """
        document = {"reason": reason[:500] or "unknown", "queue": queue, "message_id": message_id}
        call(
            self._client.send_message,
            QueueUrl=self._url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text} for name, text in document.items() if text
            },
        )

"""Announcing new kinds of failures to an SNS topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.session import call
from serverless_tasks.engine.job.record import iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.statistics.errors import NewError

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: at most 100 characters of ASCII, and no line breaks.
LONGEST_SUBJECT = 99


class ErrorTopic:
    """Publishes each new kind of failure to a topic.

    A failure's message may hold personal data, which could not be deleted from mailboxes: it is told with its numbers,
    ids and quoted texts folded.

    Args:
        make: makes an SNS client.
        arn: the topic's ARN.
        stack: names the deployment.
    """

    def __init__(self, make: Callable[[], Any], arn: str, stack: str) -> None:
        self._make = make
        self._arn = arn
        self._stack = stack

    def __call__(self, error: NewError) -> None:
        """Publish one.

        Raises:
            AwsError: it could not be published.
        """
        subject = f"{self._stack}: new error {error.type} in task {error.task}"
        lines = [
            f"Task {error.task} failed in a way that is new: {error.type}: {error.pattern}",
            *([f"In {error.frame}."] if error.frame else []),
            f"First seen {iso(error.seen)}, job {error.uuid}.",
            f"More: serverless-tasks errors {error.fingerprint} --stack {self._stack}",
        ]
        call(
            self._make().publish,
            TopicArn=self._arn,
            Subject=subject.encode("ascii", "replace").decode()[:LONGEST_SUBJECT].replace("\n", " "),
            Message="\n".join(lines),
        )

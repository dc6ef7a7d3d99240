"""The partial batch response of a handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.aws.sqs.receiving import ReceivedMessage


class BatchFailed(Exception):
    """The whole batch counts as failed; nothing of it is deleted."""


def done(response: Any, messages: Sequence[ReceivedMessage]) -> list[ReceivedMessage]:
    """Say which messages of a batch are done, by AWS's rules for partial batch responses.

    None, ``{}``, and a null or empty list of failures mean success. An identifier that is empty, not a string, under
    another name, or not of this batch fails the whole batch.
    See https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html.

    Raises:
        BatchFailed: with the reason.
    """
    failed = _failed_ids(response)
    unknown = failed - {message.message_id for message in messages}
    if unknown:
        raise BatchFailed(f"itemIdentifier {min(unknown)!r} is not a message of this batch")
    return [message for message in messages if message.message_id not in failed]


def _failed_ids(response: Any) -> set[str]:
    if response is None:
        return set()
    if not isinstance(response, dict):
        raise BatchFailed(
            f"the handler returned {type(response).__name__}, not an object with batchItemFailures"
        )
    failures = response.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        raise BatchFailed(f"batchItemFailures is {type(failures).__name__}, not a list")
    return {_identifier(failure) for failure in failures}


def _identifier(failure: Any) -> str:
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    if not isinstance(identifier, str) or not identifier:
        raise BatchFailed(f"batchItemFailures has the entry {failure!r}, without a usable itemIdentifier")
    return identifier

"""Statistics of a batch: what its deliveries did, as it is counted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lambda_handlers.telemetry import logger
from serverless_tasks.engine.job.message import due_at
from serverless_tasks.engine.job.record import CANCELLED, FAILED, PENDING, SUCCEEDED
from serverless_tasks.engine.statistics.run import JobRun
from serverless_tasks.engine.statistics.submission import submission_counts
from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.engine.store.items import job_item
from serverless_tasks.engine.worker.outcome import Disposition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Failure
    from serverless_tasks.engine.store.base import Claim
    from serverless_tasks.engine.store.items import Item
    from serverless_tasks.engine.worker.outcome import DeliveryResult

    type ItemOf = Callable[[Message], Item]


@contextmanager
def counting(what: str) -> Iterator[None]:
    """Log what goes wrong with a count: the jobs are done with, and depend on none.

    Args:
        what: what is counted, for the log.
    """
    try:
        yield
    except Exception:  # noqa: BLE001 - see above
        logger.exception("%s could not be counted", what)


def run_of(
    message: Message,
    result: DeliveryResult,
    *,
    deliveries: int,
    size: int,
    item_of: ItemOf = job_item,
) -> JobRun | None:
    """Return what is counted of a delivery, or None: another one counts the job.

    Args:
        message: the job.
        result: what the delivery did.
        deliveries: how often the message has been delivered, this time included.
        size: bytes of its body.
        item_of: see `submission_counts`.
    """
    claim = result.claim
    if claim is None:
        return None
    if result.disposition == Disposition.ENDED:
        return _unbegun(message, result, claim, deliveries, size, item_of)
    if result.disposition != Disposition.DECIDED or claim.answer != ClaimAnswer.CLAIMED:
        return None
    # Attempts whose worker was lost have counted nothing. When none before this one has ended, this one does for them.
    first = claim.failures == 0
    ran = result.job_status in (SUCCEEDED, PENDING) or result.exception is not None or result.duration > 0
    return JobRun(
        task=message.task,
        uuid=message.uuid,
        created=message.created,
        status=result.job_status,
        first=first,
        lost=claim.lost if first else int(claim.took_over),
        queue_wait=max(0.0, (claim.started - due_at(message)) / 1000) if claim.attempt == 1 else None,
        duration=result.duration if ran else None,
        failure=result.failure,
        submission=submission_counts(message, size, item_of) if first else {},
    )


def settled_run(
    message: Message, claim: Claim, failure: Failure, *, size: int, item_of: ItemOf = job_item
) -> JobRun:
    """Return what is counted of a job that was ended because no worker could run it.

    Args:
        message: the job.
        claim: what was known of it.
        failure: why it was ended.
        size: bytes of the message's body.
        item_of: see `submission_counts`.
    """
    first = claim.attempt == 0
    return JobRun(
        task=message.task,
        uuid=message.uuid,
        created=message.created,
        status=FAILED,
        first=first,
        failure=failure,
        submission=submission_counts(message, size, item_of) if first else {},
    )


def _unbegun(
    message: Message, result: DeliveryResult, claim: Claim, deliveries: int, size: int, item_of: ItemOf
) -> JobRun | None:
    if claim.answer == ClaimAnswer.SETTLED and result.failure is not None:
        return settled_run(message, claim, result.failure, size=size, item_of=item_of)
    # Cancelled while it waited, by a process that counts nothing. Later deliveries of the message are duplicates.
    if claim.status == CANCELLED and claim.attempt == 0 and deliveries == 1:
        return JobRun(
            task=message.task,
            uuid=message.uuid,
            created=message.created,
            status=CANCELLED,
            first=True,
            submission=submission_counts(message, size, item_of),
        )
    return None

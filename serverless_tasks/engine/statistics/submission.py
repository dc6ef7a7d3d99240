"""What a submission has asked of AWS, reckoned by the worker from the message, since submitters count nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.message import MAX_DELAY, due_at
from serverless_tasks.engine.store.items import job_item, units_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.items import Item

# https://aws.amazon.com/sqs/pricing/: each 64 KB of a payload is a request.
CHUNK: Final = 65_536
# What puts a job's item into an index, which is a write of its own.
_INDEXES: Final = ("task_day", "owner_day")
# Members of a group are sent ten at a time. Whether other jobs were sent together, their messages do not tell.
SENT: Final = 10


def requests_of(size: float) -> int:
    """Return the requests that SQS bills for messages of so many bytes together."""
    return max(1, math.ceil(size / CHUNK))


def submission_counts(
    message: Message, size: int, item_of: Callable[[Message], Item] = job_item
) -> dict[str, float]:
    """Return what the submission of a job is billed for, as attributes of `Counts.of`.

    Args:
        message: the job, as a worker receives it.
        size: bytes of the message's body.
        item_of: gives the item that is kept of it, as `Store.item_of`.
    """
    counts: dict[str, float] = {"sub_sqs": requests_of(size)}
    if message.member is not None:
        counts["sub_sqs"] = requests_of(size * SENT) / SENT
    if message.schedule is not None or due_at(message) - message.created > MAX_DELAY * 1000:
        counts["sub_sch"] = 1
    if message.options.track:
        item = item_of(message)
        counts["sub_wu"] = units_of(item) + sum(name in item for name in _INDEXES)
    if message.inputs_key is not None:
        counts["sub_s3p"] = 1
    return counts

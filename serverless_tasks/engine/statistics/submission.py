"""What a submission has asked of AWS, reckoned by the worker from the message, since submitters count nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.message import MAX_DELAY, due_at
from serverless_tasks.engine.store.items import job_item

if TYPE_CHECKING:
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.items import Item

# https://aws.amazon.com/sqs/pricing/: each 64 KB of a payload is a request.
CHUNK: Final = 65_536
_KB: Final = 1024
# What puts a job's item into an index, which is a write of its own.
_INDEXES: Final = ("task_day", "owner_day")
# Members of a group are sent ten at a time. Whether other jobs were sent together, their messages do not tell.
SENT: Final = 10


def requests_of(size: float) -> int:
    """Return the requests that SQS bills for messages of so many bytes together."""
    return max(1, math.ceil(size / CHUNK))


def submission_counts(message: Message, size: int) -> dict[str, float]:
    """Return what the submission of a job is billed for, as attributes of `Counts.of`.

    Args:
        message: the job, as a worker receives it.
        size: bytes of the message's body.
    """
    counts: dict[str, float] = {"sub_sqs": requests_of(size)}
    if message.member is not None:
        counts["sub_sqs"] = requests_of(size * SENT) / SENT
    if message.schedule is not None or due_at(message) - message.created > MAX_DELAY * 1000:
        counts["sub_sch"] = 1
    if message.options.track:
        item = job_item(message)
        counts["sub_wu"] = math.ceil(_size(item) / _KB) + sum(name in item for name in _INDEXES)
    if message.inputs_key is not None:
        counts["sub_s3p"] = 1
    return counts


def _size(item: Item) -> int:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    return sum(len(name) + _length(value) for name, value in item.items())


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    return 1 if isinstance(value, bool) else len(str(value))

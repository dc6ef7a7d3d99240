"""Offloading of payloads that are too large for their message to the bucket."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.message import inputs_key
from serverless_tasks.errors import AwsError, BucketMissing, PayloadTooLarge

if TYPE_CHECKING:
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Blobs

# Larger inputs go to the bucket: a message may have 1 MiB, but the job item no more than 400 KB.
INLINE_INPUTS = 200_000
# Without that item, up to where a put and a get of the bucket cost less than 64 KB after 64 KB of a message that is
# sent and received (https://aws.amazon.com/sqs/pricing/); written in the longest way it is within a message's 1 MiB.
UNTRACKED_INPUTS = 400_000
# A schedule takes 256 KB, and what JSON inside JSON adds to a text is less than two and a half times its size:
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
SCHEDULED_INPUTS = 100_000
LARGEST_INPUTS = 50_000_000


def offload_inputs(message: Message, blobs: Blobs | None, *, scheduled: bool = False) -> Message:
    """The message with its inputs in the bucket, when they are large.

    Args:
        message: the message.
        blobs: the bucket, or None.
        scheduled: whether a schedule will send it.

    Raises:
        PayloadTooLarge: they are too large even for that, or there is no bucket.
        AwsError: the bucket did not take them.
    """
    size = len(data := encode(message.inputs).encode())
    most = INLINE_INPUTS if message.options.track else UNTRACKED_INPUTS
    if scheduled:
        most = SCHEDULED_INPUTS
    if size <= most:
        return message
    _check(message.task, size, most, blobs)
    assert blobs is not None, "it is known that there is a bucket"
    key = inputs_key(message.uuid)
    blobs.put(key, data)
    return replace(message, inputs={}, inputs_key=key)


def check_size(task: str, inputs: Any, blobs: Blobs | None) -> None:
    """See that inputs are not too large for a job that is sent soon, of which nothing is kept yet.

    Raises:
        PayloadTooLarge: they are, even for the bucket, or there is no bucket.
    """
    size = len(encode(inputs).encode())
    if size > INLINE_INPUTS:
        _check(task, size, INLINE_INPUTS, blobs)


def _check(task: str, size: int, most: int, blobs: Blobs | None) -> None:
    what = f"inputs of task {task!r}"
    if size > LARGEST_INPUTS:
        raise PayloadTooLarge(what, size, LARGEST_INPUTS)
    if blobs is None:
        raise PayloadTooLarge(f"{what} (without SERVERLESS_TASKS_BUCKET)", size, most)


def load_inputs(message: Message, blobs: Blobs | None) -> Any:
    """Return a message's inputs, from the bucket where they lie there.

    Args:
        message: the message.
        blobs: the bucket, or None.

    Raises:
        BucketMissing: they lie in the bucket, and there is none.
        AwsError: the bucket did not give them; `AwsError.gone` says whether it never will.
    """
    if message.inputs_key is None:
        return message.inputs
    if blobs is None:
        raise BucketMissing(f"The inputs of job {message.uuid}")
    try:
        return json.loads(blobs.get(message.inputs_key))
    except AwsError as error:
        if not error.gone:
            raise
        reason = (
            f"the bucket no longer has {message.inputs_key}, the inputs of the job; it deletes payloads after the"
            " stack's PayloadRetentionDays, which have to be more than the longest delay"
        )
        raise AwsError(error.operation, error.code, reason, applied=False) from error

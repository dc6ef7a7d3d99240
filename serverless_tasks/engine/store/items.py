"""The items of the table: their keys and attributes.

Under one key (the uuid): ``job``, written by submit alone, once; ``s#state``, written by claim, worker, cancel and
dead-letter handler alone; and ``s#<token>#...`` items that the state names: messages, large outputs, ended attempts.
Items here are plain dictionaries of str, int, float and bool.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final
from zlib import compress, crc32

from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.masking import masked
from serverless_tasks.engine.job.message import MAX_DELAY, RETENTION
from serverless_tasks.engine.job.record import ENDED, RUNNING, WORKER_LOST
from serverless_tasks.engine.store.base import Claim, ClaimAnswer

if TYPE_CHECKING:
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.job.record import Failure, Record

type Item = dict[str, Any]

JOB: Final = "job"
# The inputs of a ``job`` item, in place of ``inputs``: their text, compressed by zlib.
COMPRESSED: Final = "inputs_zlib"
STATE: Final = "s#state"
STATE_PREFIX: Final = "s#"
# The attribute that only a group's state has.
TOTAL: Final = "total"
# Inputs of so many characters are hardly a unit by themselves, and never compressed.
UNCOMPRESSED: Final = 1024
# Level 1 takes half the time and leaves a tenth more; level 6 leaves a hundredth less.
LEVEL: Final = 5
# The bytes of a write unit.
UNIT: Final = 1024
DAY_MS: Final = 86_400_000
# A dead-letter queue keeps a message until 14 days after it was first sent, 10 days past the queues' own 4; a terminal
# state outlives the last moment of delivery by another 15.
KEEP_AFTER_EXPIRY_MS: Final = 25 * DAY_MS
COPIED: Final = ("task", "created", "expires", "owner", "group", "queue", "tenant", "retry_of")
# The index by task also lists the states of jobs that have failed, were cancelled, or wait long, by the time at which
# they became so, under keys that no task's jobs have.
INDEXED_SHARDS: Final = 4
INDEXED: Final = ("task_day", "created_uuid")
WAITING: Final = "waiting"
LISTED_DAYS: Final = 30
OWNER_SHARDS: Final = 2
TASK_SHARDS: Final = 4
# Of a job that is retried over and over.
RETRIES_NOTED: Final = 20
# Bytes in the state, so that it stays within the 1 KB of one write unit with names and owners of common length.
INLINE_OUTPUTS: Final = 300
INLINE_ERROR: Final = 200
INLINE_TYPE: Final = 80
ITEM_OUTPUTS: Final = 300_000
LARGEST_OUTPUTS: Final = 50_000_000
ITEM_MESSAGES: Final = 300_000
# The bytes of a message's time, at most.
MESSAGE_TIME: Final = 14
TRACEBACK_TAIL: Final = 8_000
ERROR_TEXT: Final = 20_000


def job_item(message: Message) -> Item:
    """The ``job`` item of a message."""
    day = day_of(message.created)
    item: Item = {
        "pk": message.uuid,
        "sk": JOB,
        "task": message.task,
        "queue": message.queue,
        "created": message.created,
        "expires": message.expires,
        "ttl": keep_until(needed_until(message)),
        "inputs": encode(masked(message.inputs, message.secrets) if message.secrets else message.inputs),
        "created_uuid": f"{message.created:013d}#{message.uuid}",
        "task_day": f"{message.task}#{day}#{shard(message.uuid, TASK_SHARDS)}",
        **message.options.encode(),
    }
    if message.inputs_key is not None:
        item["inputs_key"] = message.inputs_key
    if message.run_at is not None:
        item["run_at"] = message.run_at
    if message.schedule is not None:
        item["schedule"] = message.schedule
    if message.secrets:
        item["secrets"] = encode(message.secrets)
    if message.retry_of is not None:
        item["retry_of"] = message.retry_of
    if message.uncertain:
        item["uncertain"] = True
    if links := message.links():
        item["links"] = encode(links)
    if message.owner is not None:
        item["owner"] = message.owner
    if message.owner is not None and message.member is None:  # members are listed under their group
        item["owner_day"] = f"{message.owner}#{day}#{shard(message.uuid, OWNER_SHARDS)}"
    return item


def compressed(item: Item) -> Item:
    """Return a ``job`` item with its inputs compressed, or the item itself where it would be as many write units.

    The indexes hold no inputs, so that what is written to them is the same. Whether all who read items can read it is
    not asked here.
    """
    text = item["inputs"]
    if len(text) <= UNCOMPRESSED:
        return item
    smaller = {name: value for name, value in item.items() if name != "inputs"}
    smaller[COMPRESSED] = compress(text.encode(), LEVEL)
    return smaller if units_of(smaller) < units_of(item) else item


def units_of(item: Item) -> int:
    """Return the write units of an item, beside those of the indexes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
    """
    return math.ceil(sum(len(name) + _length(value) for name, value in item.items()) / UNIT)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bytes):
        return len(value)
    return 1 if isinstance(value, bool) else len(str(value))


def tombstone(record: Record, ttl: int) -> Item:
    """The state of a deleted job: that it has ended, and nothing of what it was about."""
    return {
        "pk": record.uuid,
        "sk": STATE,
        "status": record.status,
        "task": record.task,
        "created": record.created,
        "finished": record.finished,
        "deleted": True,
        "ttl": ttl,
    }


def is_tombstone(state: Item) -> bool:
    """Return whether a state is the tombstone of a deleted job."""
    return bool(state.get("deleted", False))


def day_of(milliseconds: int) -> str:
    """The UTC day of a time, as the listing index names it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")


def shard(uuid: str, shards: int) -> int:
    """Return the index shard of a job."""
    return crc32(uuid.encode()) % shards


def keep_until(milliseconds: int) -> int:
    """The ``ttl`` (seconds since the epoch) of what can be delivered until then."""
    return (milliseconds + KEEP_AFTER_EXPIRY_MS) // 1000


def needed_until(message: Message) -> int:
    """Return until when a job is delivered, or asked for: by what follows its group, as late as at the deadline."""
    return message.expires if message.member is None else max(message.expires, message.member.until)


def deliverable_until(now: int) -> int:
    """The last moment at which a queue could deliver a message that has been sent by now."""
    return now + (RETENTION + MAX_DELAY) * 1000


def state_copy(message: Message) -> Item:
    """Return what the state repeats of the job, so that it can be read alone."""
    copied = {name: getattr(message, name) for name in COPIED}
    return {name: value for name, value in copied.items() if value is not None}


def index_key(status: str, number: int) -> str:
    """Return the key of a shard of the index of states: of a terminal status, or of `WAITING`."""
    return f"#{status}#{number}"


def is_indexed(state: Item) -> bool:
    """Return whether the index lists a state under what it is. A worker of the version before does not take out what
    waited, and has ended by now.
    """
    key = str(state.get("task_day", ""))
    return bool(key) and (state["status"] not in ENDED or key.startswith(f"#{state['status']}#"))


def index_fields(uuid: str, status: str, now: int) -> Item:
    """Return what lists a state under its status: FAILED, CANCELLED or `WAITING`, since ``now`` (milliseconds)."""
    return {"task_day": index_key(status, shard(uuid, INDEXED_SHARDS)), "created_uuid": f"{now:013d}#{uuid}"}


def message_items(uuid: str, token: str, snapshot: Snapshot) -> list[Item]:
    """The items that hold a snapshot's messages, as many as their size asks for."""
    items: list[Item] = []
    start, size = 0, 0
    for number, text in enumerate(snapshot.messages):
        length = len(encode(text).encode()) + 1 + MESSAGE_TIME
        if number > start and size + length > ITEM_MESSAGES:
            items.append(_message_item(uuid, token, snapshot, start, number))
            start, size = number, 0
        size += length
    if snapshot.messages:
        items.append(_message_item(uuid, token, snapshot, start, len(snapshot.messages)))
    return items


def _message_item(uuid: str, token: str, snapshot: Snapshot, start: int, end: int) -> Item:
    item: Item = {
        "pk": uuid,
        "sk": f"{STATE_PREFIX}{token}#m#{snapshot.first + start:08d}",
        "n": end - start,
        "messages": encode(snapshot.messages[start:end]),
    }
    if times := snapshot.times[start:end]:
        # Each but the first as the time since the one before it, which is a few digits in place of thirteen.
        item["times"] = encode([times[0], *(after - before for before, after in pairwise(times))])
    return item


def message_times(item: Item) -> list[int] | None:
    """When each message of an item was added, in milliseconds; None where a version before has written it."""
    return list(accumulate(json.loads(item["times"]))) if "times" in item else None


def outputs_item(uuid: str, token: str, outputs: str) -> Item:
    """The item that holds outputs too large for the state."""
    return {"pk": uuid, "sk": f"{STATE_PREFIX}{token}#outputs", "outputs": outputs}


def ended_item(uuid: str, claim: Claim, failure: Failure, now: int, *, due: int | None = None) -> Item:
    """Return the item that tells how an attempt ended without success, and when the next one is due, if one is."""
    item: Item = {
        "pk": uuid,
        "sk": f"{STATE_PREFIX}{claim.token}#end",
        "number": claim.attempt,
        "started": claim.started,
        "ended": now,
        "request_id": claim.request_id,
        "type": failure.type,
        "message": _storable(failure.message[:ERROR_TEXT]),
        "public": failure.public,
        "traceback": _storable(failure.traceback[-TRACEBACK_TAIL:]),
    }
    if failure.path:
        item["path"] = _storable(failure.path[:ERROR_TEXT])
    if due is not None:
        item["due"] = due
    return item


# What a claim keeps of the attempt before it, in case that one was lost: its name here -> its name in the state.
PREVIOUS_ATTEMPT: Final = {
    "before_status": "status",
    "before_token": "token",
    "before_attempted": "attempted",
    "before_request": "request_id",
}


def lost_item(state: Item, now: int) -> Item | None:
    """Return the item that tells of the attempt which a claim has taken over, or None when that one had ended."""
    if state.get("before_status") != RUNNING:
        return None
    lost = Claim(
        answer=ClaimAnswer.CLAIMED,
        token=state["before_token"],
        attempt=state["attempt"] - 1,
        started=state["before_attempted"],
        request_id=state["before_request"],
    )
    return ended_item(state["pk"], lost, WORKER_LOST, now)


def failure_fields(failure: Failure) -> Item:
    """The state's own copy of a failure, marked when it is shorter than the failure."""
    error_type, error = clipped(failure.type, INLINE_TYPE), clipped(failure.message, INLINE_ERROR)
    fields: Item = {"error_type": error_type, "error": error, "error_public": failure.public}
    if (error_type, error) != (failure.type, failure.message):
        fields["error_clipped"] = True
    if failure.fingerprint:
        fields["failure_fingerprint"] = failure.fingerprint
    return fields


def returned_fields(failure: Failure) -> Item:
    """The state's copy of why the job was sent back unbegun."""
    return {
        "returned_type": clipped(failure.type, INLINE_TYPE),
        "returned": clipped(failure.message, INLINE_ERROR),
    }


def clipped(text: str, size: int) -> str:
    """The text's beginning, of at most so many bytes."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")


def _storable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 has no form for."""
    return text.encode(errors="replace").decode()

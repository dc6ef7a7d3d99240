"""What lies in the table: the items' keys and attributes, and the record that is made of them.

Under one key (the uuid): ``job``, written by submit alone, once; ``s#state``, written by claim, worker, cancel and
dead-letter handler alone; and ``s#<token>#...`` items that the state names: messages, large outputs, ended attempts.
Items here are plain dictionaries of str, int, float and bool.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from serverless_tasks.record import (
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    Attempt,
    Failure,
    Record,
)
from serverless_tasks.schema import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serverless_tasks.message import Message
    from serverless_tasks.progress import Snapshot

type Item = dict[str, Any]

JOB: Final = "job"
STATE: Final = "s#state"
STATE_PREFIX: Final = "s#"
DAY_MS: Final = 86_400_000
# A dead-letter queue keeps a message until 14 days after it was first sent, 10 days past the queues' own 4; a terminal
# state outlives the last moment of delivery by another 15.
KEEP_AFTER_EXPIRY_MS: Final = 25 * DAY_MS
LISTED_DAYS: Final = 30
OWNER_SHARDS: Final = 2
TASK_SHARDS: Final = 4
INLINE_OUTPUTS: Final = 300
INLINE_ERROR: Final = 200
ITEM_OUTPUTS: Final = 300_000
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
        "ttl": keep_until(message.expires),
        "inputs": encode(message.inputs),
        "created_uuid": f"{message.created:013d}#{message.uuid}",
        "task_day": f"{message.task}#{day}#{shard(message.uuid, TASK_SHARDS)}",
    }
    if message.inputs_key is not None:
        item["inputs_key"] = message.inputs_key
    if message.tenant is not None:
        item["tenant"] = message.tenant
    if message.owner is not None:
        item["owner"] = message.owner
        item["owner_day"] = f"{message.owner}#{day}#{shard(message.uuid, OWNER_SHARDS)}"
    return item


def day_of(milliseconds: int) -> str:
    """The UTC day of a time, as the listing index names it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")


def shard(uuid: str, shards: int) -> int:
    """Which of the index's shards a job falls in."""
    return crc32(uuid.encode()) % shards


def keep_until(milliseconds: int) -> int:
    """The ``ttl`` (seconds since the epoch) of what can be delivered until then."""
    return (milliseconds + KEEP_AFTER_EXPIRY_MS) // 1000


def copies(message: Message) -> Item:
    """What the state repeats of the job, so that it can be read alone."""
    item: Item = {"task": message.task, "created": message.created, "expires": message.expires}
    if message.owner is not None:
        item["owner"] = message.owner
    return item


def messages_item(uuid: str, token: str, snapshot: Snapshot) -> Item:
    """The item that holds a snapshot's messages."""
    return {
        "pk": uuid,
        "sk": f"{STATE_PREFIX}{token}#m#{snapshot.first:08d}",
        "n": len(snapshot.messages),
        "messages": encode(snapshot.messages),
    }


def outputs_item(uuid: str, token: str, outputs: str) -> Item:
    """The item that holds outputs too large for the state."""
    return {"pk": uuid, "sk": f"{STATE_PREFIX}{token}#outputs", "outputs": outputs}


def ended_item(uuid: str, token: str, attempt: Attempt) -> Item:
    """The item that tells how an attempt ended without success."""
    return {
        "pk": uuid,
        "sk": f"{STATE_PREFIX}{token}#end",
        "number": attempt.number,
        "started": attempt.started,
        "ended": attempt.ended,
        "request_id": attempt.request_id,
        "type": attempt.failure.type,
        "message": attempt.failure.message[:ERROR_TEXT],
        "public": attempt.failure.public,
        "traceback": attempt.failure.traceback[-TRACEBACK_TAIL:],
    }


# What a claim keeps of the attempt before it, in case that one was lost: its name here -> its name in the state.
BEFORE: Final = {
    "before_status": "status",
    "before_token": "token",
    "before_attempted": "attempted",
    "before_request": "request_id",
}


def lost_item(state: Item, now: int) -> Item | None:
    """The item that tells of the attempt which a claim has taken over, or None when that one had ended."""
    if state.get("before_status") != RUNNING:
        return None
    attempt = Attempt(
        number=state["attempt"] - 1,
        started=state["before_attempted"],
        ended=now,
        failure=WORKER_LOST,
        request_id=state["before_request"],
    )
    return ended_item(state["pk"], state["before_token"], attempt)


def failure_fields(failure: Failure) -> Item:
    """The state's own short copy of a failure."""
    return {
        "error_type": failure.type[:INLINE_ERROR],
        "error": failure.message[:INLINE_ERROR],
        "error_public": failure.public,
    }


def assemble(items: Iterable[Item], now: int) -> Record | None:
    """The record that a job's items make.

    Args:
        items: the job's items, in any order; without a state, the ``job`` item alone says what is known.
        now: the present, in milliseconds since the epoch.

    Returns:
        The record, its outputs still under ``outputs_key`` when they lie in the bucket; None when nothing is known.
    """
    by_key = {item["sk"]: item for item in items}
    state = by_key.get(STATE)
    if state is not None:
        return _from_state(state, by_key, now)
    job = by_key.get(JOB)
    return _from_job(job, now) if job is not None else None


def outputs_key(items: Iterable[Item]) -> str | None:
    """Where in the bucket the outputs lie, when they do."""
    for item in items:
        if item["sk"] == STATE:
            key: str | None = item.get("outputs_key")
            return key
    return None


def names_others(state: Item) -> bool:
    """Whether the record needs more items than the state: messages, large outputs, a long error."""
    if state.get("messages", 0) > 0:
        return True
    if state["status"] == SUCCEEDED:
        return "outputs" not in state and "outputs_key" not in state
    return len(state.get("error", "")) >= INLINE_ERROR


def _from_job(job: Item, now: int) -> Record:
    expired = now > job["expires"]
    return Record(
        uuid=job["pk"],
        task=job["task"],
        owner=job.get("owner"),
        created=job["created"],
        status=FAILED if expired else PENDING,
        failure=EXPIRED if expired else None,
        finished=job["expires"] if expired else None,
    )


def _from_state(state: Item, by_key: dict[str, Item], now: int) -> Record:
    prefix = f"{STATE_PREFIX}{state.get('token', '')}#"
    status, failure, finished = _status(state, by_key.get(f"{prefix}end"), now)
    return Record(
        uuid=state["pk"],
        task=state["task"],
        owner=state.get("owner"),
        created=state["created"],
        status=status,
        progress=state.get("progress", 0),
        target=state.get("target"),
        outputs=_outputs(state, by_key.get(f"{prefix}outputs")),
        messages=_messages(by_key, f"{prefix}m#", state.get("messages", 0)),
        failure=failure,
        attempt=state.get("attempt", 0),
        started=state.get("started"),
        finished=finished,
        cancel_requested=state.get("cancel", False),
        request_id=state.get("request_id", ""),
        history=tuple(
            sorted(
                (_attempt(item) for key, item in by_key.items() if key.endswith("#end")),
                key=lambda attempt: (attempt.number, attempt.ended),
            )
        ),
    )


def _status(state: Item, end: Item | None, now: int) -> tuple[str, Failure | None, int | None]:
    """Status, failure and end of a state; past every delivery, what waits or runs no more has failed."""
    status = state["status"]
    if status == PENDING and now > state["expires"]:
        return FAILED, EXPIRED, state["expires"]
    if status == RUNNING and now > max(state["lease"], state["expires"]):
        return FAILED, WORKER_LOST, state["lease"]
    if status in (PENDING, RUNNING):
        return status, None, None
    failure = None
    if "error_type" in state:
        source = {"error_type": end["type"], "error": end["message"]} if end else state
        failure = Failure(type=source["error_type"], message=source["error"], public=state["error_public"])
    return status, failure, state["finished"]


def _outputs(state: Item, stored: Item | None) -> dict[str, Any]:
    if state["status"] != SUCCEEDED:
        return {}
    text = state.get("outputs") or (stored or {}).get("outputs")
    outputs: dict[str, Any] = json.loads(text) if text else {}
    return outputs


def _messages(by_key: dict[str, Item], prefix: str, count: int) -> tuple[str, ...]:
    chunks = sorted(key for key in by_key if key.startswith(prefix))
    messages: list[str] = []
    for key in chunks:
        del messages[int(key.removeprefix(prefix)) :]  # a chunk written again replaces what follows
        messages += json.loads(by_key[key]["messages"])
    return tuple(messages[:count])


def _attempt(item: Item) -> Attempt:
    return Attempt(
        number=item["number"],
        started=item["started"],
        ended=item["ended"],
        request_id=item["request_id"],
        failure=Failure(
            type=item["type"], message=item["message"], public=item["public"], traceback=item["traceback"]
        ),
    )


EXPIRED = Failure(type="Expired", message="The job was not delivered in time.")
WORKER_LOST = Failure(type="WorkerLost", message="The worker that ran the task was lost.")

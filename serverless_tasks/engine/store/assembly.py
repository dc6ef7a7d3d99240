"""The record and the message that a job's items make, as far as they can be told without the bucket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from zlib import decompress

from serverless_tasks.engine.job.message import Message, read_links
from serverless_tasks.engine.job.options import JobOptions
from serverless_tasks.engine.job.record import (
    EXPIRED,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    WORKER_LOST,
    AttemptMessages,
    EndedAttempt,
    Failure,
    Record,
)
from serverless_tasks.engine.job.retry import EARLY
from serverless_tasks.engine.store.items import (
    COMPRESSED,
    JOB,
    STATE,
    STATE_PREFIX,
    TOTAL,
    Item,
    is_tombstone,
    keep_until,
    message_times,
    state_copy,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serverless_tasks.engine.store.group import Shard

# With one of these every write of a state changes what the record says.
VERSION_ATTRIBUTES: Final = (
    "status",
    "token",
    "attempt",
    "seq",
    "cancel",
    "deleted",
    "returned",
    "retried_as",
    TOTAL,
)
# What a record repeats of a ``job`` item.
RECORDED: Final = (
    "sk",
    "task",
    "owner",
    "created",
    "expires",
    "run_at",
    "uncertain",
    "links",
    "group",
    "queue",
    "tenant",
    "retry_of",
)


def record_from_items(items: Iterable[Item], now: int, shards: Sequence[Shard] = ()) -> Record | None:
    """Return the record that a job's items make.

    Args:
        items: the job's items, in any order; without a state, the ``job`` item alone says what is known.
        now: the present, in milliseconds since the epoch.
        shards: those of a group whose members are not counted in its state.

    Returns:
        The record, its outputs still under ``outputs_key`` when they lie in the bucket; None when nothing is known,
        or the job was deleted.
    """
    by_key = {item["sk"]: item for item in items}
    state = by_key.get(STATE)
    if state is not None:
        if is_tombstone(state):
            return None
        if TOTAL in state:
            from serverless_tasks.engine.store.groups import group_record

            return group_record(state, shards, now)
        return _from_state(state, by_key, now)
    job = by_key.get(JOB)
    return _from_job(job, now) if job is not None else None


def pending_record(message: Message, now: int) -> Record | None:
    """Return the record of an untracked job, of which the store knows nothing (yet).

    Args:
        message: the job.
        now: the present, in milliseconds since the epoch.

    Returns:
        The record; None so late that a state which it has had may be gone by now.
    """
    if now > keep_until(message.expires) * 1000:
        return None
    return _from_job({"pk": message.uuid, "run_at": message.run_at, **state_copy(message)}, now)


def message_from_item(job: Item) -> Message:
    """Return the message that a ``job`` item was made of; large inputs are still under ``inputs_key``."""
    return Message(
        uuid=job["pk"],
        task=job["task"],
        inputs=_inputs(job),
        owner=job.get("owner"),
        queue=job["queue"],
        created=job["created"],
        expires=job["expires"],
        inputs_key=job.get("inputs_key"),
        run_at=job.get("run_at"),
        secrets=tuple(json.loads(job.get("secrets", "[]"))),
        retry_of=job.get("retry_of"),
        **read_links(json.loads(job.get("links", "{}"))),
        options=JobOptions.decode(job),
    )


def _inputs(job: Item) -> Any:
    """Return the inputs of a ``job`` item: as text, or compressed."""
    packed = job.get(COMPRESSED)
    return json.loads(job["inputs"] if packed is None else decompress(packed))


def outputs_key(items: Iterable[Item]) -> str | None:
    """Return the key of the outputs in the bucket, when they lie there."""
    for item in items:
        if item["sk"] == STATE:
            key: str | None = item.get("outputs_key")
            return key
    return None


def version_token(state: Item | None, shards: Iterable[Shard] = ()) -> str:
    """Return a text that changes whenever the record that a state makes may have changed; empty without a state.

    Args:
        state: the state, or None.
        shards: see `record_from_items`.
    """
    if state is None:
        return ""
    sizes = [str(sum(map(len, shard.sets().values()))) for shard in shards]
    return " ".join([*(str(state.get(name, "")) for name in VERSION_ATTRIBUTES), *sizes])


def names_others(state: Item) -> bool:
    """Return whether the record needs more items than the state: messages, large outputs, a long error."""
    if is_tombstone(state) or TOTAL in state:  # a group's shards lie elsewhere
        return False
    if state.get("messages", 0) > 0:
        return True
    if state["status"] == SUCCEEDED:
        return "outputs" not in state and "outputs_key" not in state
    return bool(state.get("error_clipped", False))


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
        run_at=job.get("run_at"),
        uncertain=job.get("uncertain", False) and not expired,
        group=json.loads(job["links"]).get("member", {}).get("group") if "links" in job else job.get("group"),
        **_submitted_with(job),
    )


def _from_state(state: Item, by_key: dict[str, Item], now: int) -> Record:
    prefix = f"{STATE_PREFIX}{state.get('token', '')}#"
    status, failure, finished = _status(state, by_key.get(f"{prefix}end"), now)
    # How an attempt ended is written before the state says that it has: until then it has not.
    going_on = f"{prefix}end" if status == RUNNING else None
    ends = [item for key, item in by_key.items() if key.endswith("#end") and key != going_on]
    present, said = _messages(state, by_key)
    return Record(
        uuid=state["pk"],
        task=state["task"],
        owner=state.get("owner"),
        created=state["created"],
        run_at=state["not_before"] + EARLY if status == PENDING and "not_before" in state else None,
        returned=_returned(state) if status == PENDING else None,
        status=status,
        progress=state.get("progress", 0),
        target=state.get("target"),
        outputs=_outputs(state, by_key.get(f"{prefix}outputs")),
        messages=present.texts if present is not None else (),
        messages_by_attempt=said,
        failure=failure,
        attempt=state.get("attempt", 0),
        started=state.get("started"),
        attempted=state.get("attempted"),
        finished=finished,
        cancel_requested=state.get("cancel", False),
        token=state.get("token", ""),
        seq=state.get("seq", 0),
        request_id=state.get("request_id", ""),
        group=state.get("group"),
        **_submitted_with(state),
        retried_as=tuple(state.get("retried_as", "").split()),
        fingerprint=state.get("failure_fingerprint", ""),
        due=state.get("due"),
        build=state.get("build", "") if state.get("attempt", 0) else "",
        lease=state.get("lease") if status == RUNNING else None,
        history=tuple(
            sorted(
                (_attempt(item) for item in ends),
                key=lambda attempt: (attempt.number, attempt.ended),
            )
        ),
    )


def _submitted_with(item: Item) -> dict[str, Any]:
    """Return what an item repeats of a submission, for the record; nothing where a version before wrote it."""
    return {name: item[name] for name in ("queue", "tenant", "retry_of") if name in item}


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
        failure = Failure(type=state["error_type"], message=state["error"], public=state["error_public"])
        if (
            end is not None
            and state.get("error_clipped", False)
            and end["message"].startswith(state["error"])
        ):
            failure = _attempt(end).failure
    return status, failure, state["finished"]


def _returned(state: Item) -> Failure | None:
    if "returned_type" not in state:
        return None
    return Failure(type=state["returned_type"], message=state["returned"], public=False)


def _outputs(state: Item, stored: Item | None) -> dict[str, Any]:
    if state["status"] != SUCCEEDED:
        return {}
    text = state.get("outputs") or (stored or {}).get("outputs")
    outputs: dict[str, Any] = json.loads(text) if text else {}
    return outputs


def _messages(
    state: Item, by_key: dict[str, Item]
) -> tuple[AttemptMessages | None, tuple[AttemptMessages, ...]]:
    """Return the messages of the present attempt, None without any, and those of all attempts in their order."""
    chunks: dict[str, list[str]] = {}
    for key in sorted(by_key):
        token, mark, _ = key.removeprefix(STATE_PREFIX).partition("#m#")
        if mark:
            chunks.setdefault(token, []).append(key)
    present = None
    if (keys := chunks.pop(state.get("token", ""), None)) and (count := state.get("messages", 0)):
        present = _attempt_messages(by_key, keys, state.get("attempt", 0), count)
    earlier = []
    for token, keys in chunks.items():
        end = by_key.get(f"{STATE_PREFIX}{token}#end")
        earlier.append(_attempt_messages(by_key, keys, end["number"] if end is not None else 0))
    earlier.sort(key=lambda each: (each.attempt, each.times[0] or 0))
    return present, tuple(earlier if present is None else [*earlier, present])


def _attempt_messages(
    by_key: dict[str, Item], keys: Sequence[str], attempt: int, count: int | None = None
) -> AttemptMessages:
    """Return the messages of one attempt: as many as the state names, or as there are."""
    texts: list[str] = []
    times: list[int | None] = []
    for key in keys:
        first, item = int(key.rpartition("#")[2]), by_key[key]
        del texts[first:], times[first:]  # a chunk written again replaces what follows
        added = json.loads(item["messages"])
        texts += added
        times += message_times(item) or [None] * len(added)
    return AttemptMessages(attempt=attempt, texts=tuple(texts[:count]), times=tuple(times[:count]))


def _attempt(item: Item) -> EndedAttempt:
    return EndedAttempt(
        number=item["number"],
        started=item["started"],
        ended=item["ended"],
        request_id=item["request_id"],
        due=item.get("due"),
        failure=Failure(
            type=item["type"],
            message=item["message"],
            public=item["public"],
            traceback=item["traceback"],
            path=item.get("path", ""),
        ),
    )

"""State transitions: what each event in a job's life changes in its ``s#state`` item, whichever store keeps it.

DynamoDB changes an item without reading it first, so a transition is not a new state but a `Change`: the table sends it
as an update expression, the store in memory applies it to its item. Whether a transition is allowed is what
`claim_refusal` and `settle_refusal` say; the table says the same in the condition of its write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.message import MAX_DELAY, SCHEDULER_TRIES, due_at
from serverless_tasks.engine.job.record import (
    CANCELLED,
    ENDED,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    TASK_CANCELLED,
)
from serverless_tasks.engine.job.retry import EARLY, LONGEST_WAIT
from serverless_tasks.engine.store.base import Claim, ClaimAnswer
from serverless_tasks.engine.store.items import (
    INDEXED,
    PREVIOUS_ATTEMPT,
    RETRIES_NOTED,
    WAITING,
    Item,
    deliverable_until,
    failure_fields,
    index_fields,
    is_tombstone,
    keep_until,
    needed_until,
    returned_fields,
    state_copy,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.job.record import Failure, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a state, in the terms of DynamoDB's UpdateItem: all of it is computed from the item as it was.

    Attributes:
        put: attributes to set.
        add: attributes to count up, from 0.
        unite: sets of numbers to take more into, from none.
        keep: attributes to set unless they are there.
        copy: attribute -> the one whose old value it takes; "" where there was none.
        remove: attributes to remove.
    """

    put: Item = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    unite: Mapping[str, frozenset[int]] = field(default_factory=dict)
    keep: Item = field(default_factory=dict)
    copy: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()

    def apply(self, state: Item) -> Item:
        """Return the state after this change; the one before it stays as it is."""
        changed = {name: value for name, value in state.items() if name not in self.remove}
        changed |= self.put
        changed |= {name: state.get(name, 0) + by for name, by in self.add.items()}
        changed |= {name: state.get(name, frozenset()) | more for name, more in self.unite.items()}
        changed |= {name: state.get(name, value) for name, value in self.keep.items()}
        changed |= {name: state.get(source, "") for name, source in self.copy.items()}
        return changed


def claimed(
    message: Message, *, token: str, lease: int, request_id: str, now: int, build: str = ""
) -> Change:
    """Begin an attempt: of a job that waits, or of one whose last attempt has lost its lease.

    ``build`` is the worker's, or "".
    """
    due = due_at(message)
    return Change(
        put={
            **state_copy(message),
            "status": RUNNING,
            "token": token,
            "lease": lease,
            "request_id": request_id,
            "attempted": now,
            "progress": 0,
            "seq": 0,
            "messages": 0,
            "ttl": _ttl(message, now),
            **({"build": build} if build else {}),
        },
        add={"attempt": 1, "failures": 0},
        # That of a retry, where the job was submitted without a delay, is later than its start.
        keep={"started": now, **({"due": due} if due > message.created else {})},
        copy=PREVIOUS_ATTEMPT,
        remove=(
            "not_before",
            "target",
            "returned_type",
            "returned",
            *INDEXED,
            *(() if build else ("build",)),
        ),
    )


def progressed(snapshot: Snapshot, *, lease: int | None) -> Change:
    """Report progress, and renew the lease where one is given."""
    return Change(put=_counters(snapshot) if lease is None else {**_counters(snapshot), "lease": lease})


def ended(uuid: str, status: str, fields: Item, snapshot: Snapshot, now: int) -> Change:
    """End the job by its attempt; ``fields`` say with which outputs or failure."""
    listed = {} if status == SUCCEEDED else index_fields(uuid, status, now)
    return Change(
        put={**_counters(snapshot), **fields, **listed, "status": status, "finished": now},
        remove=("cancel", *PREVIOUS_ATTEMPT),
    )


def retried(message: Message, claim: Claim, snapshot: Snapshot, *, not_before: int, now: int) -> Change:
    """Let the job wait for its next attempt, for which ``message`` is sent."""
    listed = index_fields(message.uuid, WAITING, now) if not_before - now > MAX_DELAY * 1000 else {}
    return Change(
        put={
            **_counters(snapshot),
            **listed,
            "status": PENDING,
            "not_before": not_before,
            "failures": claim.failures + 1,
            "expires": message.expires,
            "ttl": _ttl(message, now),
        },
        remove=tuple(PREVIOUS_ATTEMPT),
    )


def released() -> Change:
    """Give a claimed job back, as if the attempt had not begun."""
    return Change(put={"status": PENDING}, add={"attempt": -1})


def returned(message: Message, failure: Failure, now: int) -> Change:
    """Say of a job that waits why the worker has sent it back to its queue unbegun."""
    return Change(
        put={
            **state_copy(message),
            **returned_fields(failure),
            "status": PENDING,
            "ttl": _ttl(message, now),
        },
        keep=index_fields(message.uuid, WAITING, now),
    )


def settled(message: Message, failure: Failure, now: int, status: str = FAILED) -> Change:
    """End a job that nobody holds, for its message can no longer be delivered."""
    return Change(
        put={
            **state_copy(message),
            **failure_fields(failure),
            **index_fields(message.uuid, status, now),
            "status": status,
            "finished": now,
            "ttl": _ttl(message, now),
        },
        remove=("cancel",),
    )


def stop_requested() -> Change:
    """Ask a running job to stop."""
    return Change(put={"cancel": True})


def cancelled(record: Record, job: Item | None, message: Message | None, now: int) -> Change:
    """Cancel a job that waits.

    Args:
        record: how the job reads.
        job: its ``job`` item, where it has one.
        message: an untracked job's message, which has no such item.
        now: the present, in milliseconds since the epoch.
    """
    expires = message.expires if message is not None else (job or {}).get("expires", now)
    # The message of a retry may come much later than the first one could.
    latest = deliverable_until(now) + ((LONGEST_WAIT + SCHEDULER_TRIES) * 1000 if record.attempt else 0)
    keep = {"task": record.task, "created": record.created, "expires": expires}
    if record.queue:
        keep["queue"] = record.queue
    for name in ("owner", "group", "tenant", "retry_of"):
        if (value := getattr(record, name)) is not None:
            keep[name] = value
    if message is not None and message.run_at is not None:
        keep["not_before"] = message.run_at - EARLY  # the job's deletion finds its schedule by it
    return Change(
        put={
            **failure_fields(TASK_CANCELLED),
            **index_fields(record.uuid, CANCELLED, now),
            "status": CANCELLED,
            "finished": now,
            "ttl": max(keep_until(max(expires, latest)), (job or {}).get("ttl", 0)),
        },
        keep=keep,
        remove=("cancel",),
    )


def retry_noted(retries: str, retry: str) -> Change:
    """Note on a job that another one repeats it; ``retries`` are the ids of those that are noted already."""
    return Change(put={"retried_as": " ".join([*retries.split(), retry][-RETRIES_NOTED:])})


def retries_of(state: Item | None) -> str | None:
    """Return the retries that an ended job notes, their ids with spaces between; None where none can be noted."""
    if state is None or state.get("status") not in ENDED or is_tombstone(state):
        return None
    retries: str = state.get("retried_as", "")
    return retries


def claim_from_state(state: Item) -> Claim:
    """Return the claim of the attempt that holds a state."""
    return Claim(
        answer=ClaimAnswer.CLAIMED,
        token=state["token"],
        attempt=state["attempt"],
        failures=state["failures"],
        status=RUNNING,
        started=state["attempted"],
        request_id=state["request_id"],
        cancelled=state.get("cancel", False),
        ttl=state["ttl"],
        took_over=state.get("before_status") == RUNNING,
    )


def claim_refusal(state: Item | None, now: int) -> Claim | None:
    """Return why a job cannot be claimed, or None: it has ended, is held under a live lease, or is not due yet."""
    if state is not None and state["status"] == PENDING and state.get("not_before", 0) > now:
        return Claim(answer=ClaimAnswer.WAITING, until=state["not_before"], status=PENDING)
    return settle_refusal(state, now)


def settle_refusal(state: Item | None, now: int) -> Claim | None:
    """Return why a job cannot be settled, or None: it has ended, or is held under a live lease."""
    if state is not None and state["status"] in ENDED:
        return Claim(answer=ClaimAnswer.ENDED, status=state["status"], attempt=state.get("attempt", 0))
    if state is not None and state["status"] == RUNNING and state["lease"] >= now:
        return Claim(answer=ClaimAnswer.BUSY, until=state["lease"], status=RUNNING)
    return None


def _counters(snapshot: Snapshot) -> Item:
    counters: Item = {
        "progress": snapshot.progress,
        "seq": snapshot.seq,
        "messages": snapshot.message_count,
    }
    return counters if snapshot.target is None else {**counters, "target": snapshot.target}


def _ttl(message: Message, now: int) -> int:
    return keep_until(max(needed_until(message), deliverable_until(now)))

"""A store in this process's memory: for the threading and immediate backends, and for users' tests, without AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.record import (
    CANCELLED,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    TASK_CANCELLED,
    Attempt,
    Failure,
    Record,
)
from serverless_tasks.engine.store.base import Claim
from serverless_tasks.engine.store.items import (
    BEFORE,
    COPIED,
    JOB,
    STATE,
    Item,
    copies,
    ended_item,
    failure_fields,
    is_tombstone,
    job_item,
    keep_until,
    lost_item,
    message_items,
    refusal,
    tombstone,
)
from serverless_tasks.engine.store.memory_reader import MemoryReader
from serverless_tasks.errors import AlreadyFinished, LeaseLost, NotFinished, TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot


class MemoryStore(MemoryReader):
    """See `Store`; everything is lost with the process. See `MemoryReader` for its arguments."""

    def put_jobs(self, messages: Sequence[Message]) -> None:
        """See `Store.put_jobs`."""
        with self._lock:
            for message in messages:
                self._items.setdefault(message.uuid, {}).setdefault(JOB, job_item(message))

    def claim(self, message: Message, *, token: str, lease: int, request_id: str) -> Claim:
        """See `Store.claim`."""
        with self._lock:
            now = self._now()
            state = self._state(message.uuid)
            if state is not None:
                refused = refusal(state, now)
                if refused is not None:
                    return refused
            state = {"failures": 0, "attempt": 0, "started": now} | (
                state or {"pk": message.uuid, "sk": STATE}
            )
            before = {name: state.get(source, "") for name, source in BEFORE.items()}
            for name in ("not_before", "target"):
                state.pop(name, None)
            state |= {
                **copies(message),
                "status": RUNNING,
                "token": token,
                "lease": lease,
                "request_id": request_id,
                "attempted": now,
                "progress": 0,
                "seq": 0,
                "messages": 0,
                "attempt": state["attempt"] + 1,
                **before,
            }
            self._items.setdefault(message.uuid, {})[STATE] = state
            lost = lost_item(state, now)
            if lost is not None:
                self._items[message.uuid][lost["sk"]] = lost
            return Claim(
                answer="claimed",
                token=token,
                attempt=state["attempt"],
                failures=state["failures"],
                status=RUNNING,
                started=now,
                request_id=request_id,
                cancelled=state.get("cancel", False),
            )

    def write_progress(self, uuid: str, token: str, snapshot: Snapshot, *, lease: int | None) -> bool:
        """See `Store.write_progress`."""
        with self._lock:
            state = self._held(uuid, token)
            if snapshot.seq > state["seq"]:
                self._count(state, snapshot)
                if lease is not None:
                    state["lease"] = lease
            return bool(state.get("cancel", False))

    def cancel_requested(self, uuid: str, token: str) -> bool:
        """See `Store.cancel_requested`."""
        with self._lock:
            return bool(self._held(uuid, token).get("cancel", False))

    def succeed(self, uuid: str, claim: Claim, snapshot: Snapshot, outputs: dict[str, Any]) -> None:
        """See `Store.succeed`."""
        with self._lock:
            state = self._held(uuid, claim.token)
            self._count(state, snapshot)
            state |= {"status": SUCCEEDED, "finished": self._now(), "outputs": encode(outputs)}
            state.pop("cancel", None)

    def fail(
        self, uuid: str, claim: Claim, snapshot: Snapshot, failure: Failure, *, status: str = FAILED
    ) -> None:
        """See `Store.fail`."""
        with self._lock:
            state = self._held(uuid, claim.token)
            self._count(state, snapshot)
            self._keep_ended(uuid, claim, failure)
            state |= {**failure_fields(failure), "status": status, "finished": self._now()}
            state.pop("cancel", None)

    def retry(
        self, message: Message, claim: Claim, snapshot: Snapshot, failure: Failure, *, not_before: int
    ) -> bool:
        """See `Store.retry`."""
        with self._lock:
            state = self._held(message.uuid, claim.token)
            self._count(state, snapshot)
            self._keep_ended(message.uuid, claim, failure)
            waits = {"status": PENDING, "not_before": not_before, "expires": message.expires}
            state |= {**waits, "failures": claim.failures + 1}
            return bool(state.get("cancel", False))

    def release(self, uuid: str, token: str) -> None:
        """See `Store.release`."""
        with self._lock:
            state = self._state(uuid)
            if state is not None and state.get("token") == token and state["status"] == RUNNING:
                state |= {"status": PENDING, "attempt": state["attempt"] - 1}

    def settle(self, message: Message, failure: Failure) -> Claim:
        """See `Store.settle`."""
        with self._lock:
            now = self._now()
            state = self._state(message.uuid) or {"pk": message.uuid, "sk": STATE, "status": PENDING}
            refused = refusal(state | {"not_before": 0}, now)
            if refused is not None:
                return refused
            state |= {**copies(message), **failure_fields(failure), "status": FAILED, "finished": now}
            state.pop("cancel", None)
            self._items.setdefault(message.uuid, {})[STATE] = state
            return Claim(answer="settled", status=FAILED)

    def delete(self, uuid: str) -> None:
        """See `Store.delete`."""
        with self._lock:
            state = self._state(uuid)
            if state is not None and is_tombstone(state) and len(self._items[uuid]) > 1:
                self._items[uuid] = {STATE: state}  # it was published once more
                return
            record = self.read(uuid)
            if record is None:
                raise TaskNotFound(uuid)
            if not record.ended:
                raise NotFinished(uuid, record.status)
            self._items[uuid] = {STATE: tombstone(record, keep_until(self._now()))}

    def cancel(self, uuid: str, *, message: Message | None = None) -> Record:
        """See `Store.cancel`."""
        with self._lock:
            record = self.read(uuid, message=message)
            if record is None:
                raise TaskNotFound(uuid)
            if record.ended:
                raise AlreadyFinished(uuid, record.status)
            items = self._items.setdefault(uuid, {})
            if record.status == RUNNING:
                items[STATE]["cancel"] = True
            else:
                job = items.get(JOB, {}) if message is None else copies(message)
                copied: Item = {name: job[name] for name in COPIED if name in job}
                state = items.setdefault(STATE, {"pk": uuid, "sk": STATE} | copied)
                ended = {"status": CANCELLED, "finished": self._now(), "cancel": False}
                state |= failure_fields(TASK_CANCELLED) | ended
            return self.read(uuid) or record

    def _held(self, uuid: str, token: str) -> Item:
        state = self._state(uuid)
        if state is None or state.get("token") != token or state["status"] != RUNNING:
            raise LeaseLost(f"Attempt {token} no longer holds job {uuid}.")
        return state

    def _count(self, state: Item, snapshot: Snapshot) -> None:
        state |= {"progress": snapshot.progress, "seq": snapshot.seq, "messages": snapshot.message_count}
        if snapshot.target is not None:
            state["target"] = snapshot.target
        for item in message_items(state["pk"], state["token"], snapshot):
            self._items[state["pk"]][item["sk"]] = item

    def _keep_ended(self, uuid: str, claim: Claim, failure: Failure) -> None:
        attempt = Attempt(
            number=claim.attempt,
            started=claim.started,
            ended=self._now(),
            failure=failure,
            request_id=claim.request_id,
        )
        item = ended_item(uuid, claim.token, attempt)
        self._items[uuid][item["sk"]] = item

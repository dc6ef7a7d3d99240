"""The protocol of job stores, which the table and the in-memory store follow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.job.record import Failure, Record
    from serverless_tasks.engine.store.group import Groups
    from serverless_tasks.engine.store.listing import IndexFilter
    from serverless_tasks.errors import ServerlessTasksError

    # Deletes what is kept of a job that failed outside of its items: the fingerprint, its id, and when (milliseconds).
    type Forget = Callable[[str, str, int], None]


class ClaimAnswer(StrEnum):
    """The store's answer to a claim.

    Attributes:
        CLAIMED: the attempt holds the job: run it.
        BUSY: another attempt holds a live lease.
        WAITING: the job is not due yet.
        ENDED: the job has a terminal state.
        SETTLED: this call has just given it one.
    """

    CLAIMED = "claimed"
    BUSY = "busy"
    WAITING = "waiting"
    ENDED = "ended"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The answer to a worker that asks for a job.

    Attributes:
        answer: whether the attempt holds the job, or what keeps it from that.
        token: the attempt's token, which every later write of the attempt must show.
        attempt: the attempt's number, from 1; of a job that has ended, how many there were.
        failures: how many attempts before it ended in an exception.
        until: for ``BUSY`` and ``WAITING``: when to ask again, milliseconds since the epoch.
        status: the job's status.
        started: when this attempt began, milliseconds since the epoch.
        request_id: the Lambda request that runs it.
        cancelled: whether a running job that was taken over had been asked to stop.
        ttl: until when the job's state is kept, in seconds since the epoch.
        took_over: whether it took the job from an attempt whose lease had expired.
    """

    answer: ClaimAnswer
    token: str = ""
    attempt: int = 0
    failures: int = 0
    until: int = 0
    status: str = ""
    started: int = 0
    request_id: str = ""
    cancelled: bool = False
    ttl: int = 0
    took_over: bool = False

    @property
    def lost(self) -> int:
        """The number of earlier attempts whose worker was lost: they ended without an outcome."""
        return self.attempt - 1 - self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of jobs, of a listing newest first; ``cursor`` asks for the next one and is None on the last."""

    records: tuple[Record, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Page):
    """A page of a listing by time.

    Attributes:
        positions: the place of each record in the listing, for `cursor_at`.
        looked_at: how many jobs the store has looked at for it.
    """

    positions: tuple[str, ...]
    looked_at: int


class Store(Protocol):
    """Jobs and their states. Times are milliseconds since the epoch.

    Attributes:
        any_size: whether it keeps inputs of any size; else large ones go to the bucket first.
        clock: the time that it goes by.
    """

    any_size: bool
    clock: Clock

    @property
    def groups(self) -> Groups:
        """The groups and chains."""

    def put_jobs(self, messages: Sequence[Message]) -> None:
        """Keep the ``job`` items of messages that were sent; a job that is already there stays as it is.

        Those that are not to be tracked are not for here.
        """

    def item_of(self, message: Message) -> dict[str, Any]:
        """Return the ``job`` item that `put_jobs` keeps of a message."""

    def claim(self, message: Message, *, token: str, lease: int, request_id: str) -> Claim:
        """Ask for a job, for an attempt that lives until ``lease`` unless it is renewed."""

    def write_progress(self, uuid: str, token: str, snapshot: Snapshot, *, lease: int | None) -> bool:
        """Write progress under a token, and renew the lease where one is given.

        Returns:
            Whether the job was asked to stop.

        Raises:
            LeaseLost: the token no longer holds the job.
        """

    def cancel_requested(self, uuid: str, token: str) -> bool:
        """Read whether the job was asked to stop.

        Raises:
            LeaseLost: the token no longer holds the job.
        """

    def succeed(self, uuid: str, claim: Claim, snapshot: Snapshot, outputs: dict[str, Any]) -> None:
        """End the job with outputs.

        Raises:
            LeaseLost: the token no longer holds the job.
            PayloadTooLarge: the outputs are past what can be kept.
        """

    def fail(
        self, uuid: str, claim: Claim, snapshot: Snapshot, failure: Failure, *, status: str = "failed"
    ) -> None:
        """End the job without success, as ``failed`` or ``cancelled``.

        Raises:
            LeaseLost: the token no longer holds the job.
        """

    def retry(
        self, message: Message, claim: Claim, snapshot: Snapshot, failure: Failure, *, not_before: int
    ) -> bool:
        """Let the job wait for its next attempt.

        Args:
            message: the message that will be sent for it; its ``expires`` is the state's from now on.
            not_before: when that attempt may begin.

        Returns:
            Whether the job was asked to stop meanwhile.

        Raises:
            LeaseLost: the token no longer holds the job.
        """

    def release(self, uuid: str, token: str) -> None:
        """Give a claimed job back as if it had not been begun; without effect when the token no longer holds it."""

    def returned(self, message: Message, failure: Failure) -> None:
        """Keep why a worker has sent a job back to its queue unbegun; one that does not wait stays as it is."""

    def settle(self, message: Message, failure: Failure, *, status: str = "failed") -> Claim:
        """End a job that nobody holds, as ``failed`` or ``cancelled``: for the dead-letter handler and for groups.

        Returns:
            ``settled``; ``ended`` when it had ended before; ``busy`` while an attempt holds a live lease.
        """

    def delete(self, uuid: str, *, ending: Callable[[Record], None] | None = None) -> None:
        """Delete what is kept of an ended job: its items and its payloads; of a group, all its members' as well.

        A state without any of it stays, so that a late message does not run the job again; readers see nothing. A
        deletion that was cut short is taken up by the next one.

        Args:
            uuid: the job's id.
            ending: is called with a member of a group before it is deleted: it has to be counted by then.

        Raises:
            TaskNotFound: nothing is known of it, or it has been deleted.
            NotFinished: it has not ended.
        """

    def cancel(self, uuid: str, *, message: Message | None = None) -> Record:
        """Cancel a waiting job, or ask a running one to stop.

        Args:
            uuid: the job's id.
            message: see `read`.

        Raises:
            TaskNotFound: nothing is known of it.
            AlreadyFinished: it has ended.
        """

    def note_retry(self, uuid: str, retry: str) -> bool:
        """Note on an ended job that another one repeats it: in `Record.retried_as`, of which the last ones are kept.

        Noting the same once more changes nothing.

        Args:
            uuid: the ended job.
            retry: the id of the job that repeats it.

        Returns:
            Whether it is noted; False when the job has no terminal state, or was deleted.
        """

    def read(self, uuid: str, *, whole: bool = True, message: Message | None = None) -> Record | None:
        """The job's record, or None when nothing is known of it.

        Args:
            uuid: the job's id.
            whole: with its outputs, wherever they lie; False leaves out those that would have to be fetched from the
                bucket, for callers that want to know how the job stands.
            message: a job that is not tracked, from whoever has submitted it: what is known of it before a worker has
                begun it.
        """

    def deleted(self, uuid: str) -> bool:
        """Return whether the job was deleted: nothing is known of it, and it never runs again."""

    def read_many(self, uuids: Sequence[str], *, whole: bool = True) -> dict[str, Record]:
        """The records of several jobs, as `read` gives them; those of which nothing is known are left out."""

    def changed(
        self, seen: Mapping[str, str]
    ) -> Mapping[str, tuple[str, Record | ServerlessTasksError | None]]:
        """Return what has changed of many watched jobs, for less than reading them.

        What time alone changes, a job that expires, is not noticed.

        Args:
            seen: uuid -> the version token that came with what was last seen of it; ``"?"`` for nothing yet.

        Returns:
            uuid -> the new token and the record, for those whose token has changed; None when nothing is known of
            the job, and the error when this one alone cannot be read. The record may be the one that was seen before.

        Raises:
            AwsError: the table could not be asked.
        """

    def job(self, uuid: str) -> Message | None:
        """The job as it was submitted, its secret inputs masked, or None when that was not kept.

        Large inputs are fetched from the bucket; where it no longer has them, ``inputs`` is empty and ``inputs_key``
        says where they lay.
        """

    def list_owner(
        self,
        owner: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        until: int | None = None,
        whole: bool = True,
    ) -> Listed:
        """An owner's jobs, newest first; see `list_tasks`."""

    def owner_uuids(
        self, owner: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[str], str | None]:
        """The ids of an owner's jobs, newest first, and the cursor of the next page.

        Among them are jobs whose deletion was cut short, of which `list_owner` says nothing.
        """

    def list_tasks(
        self,
        tasks: Sequence[str],
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        until: int | None = None,
        whole: bool = True,
    ) -> Listed:
        """The jobs of several tasks, newest first.

        Args:
            tasks: the tasks' names.
            limit: how many at most.
            cursor: where the page before ended.
            since: the earliest submission that is wanted.
            until: the first submission that is not; None for none.
            whole: as `read` gives them; False for what the state alone tells: no messages, no outputs and no text of a
                long error that are kept beside it.
        """

    def list_states(
        self,
        status: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        until: int | None = None,
        where: IndexFilter | None = None,
    ) -> Listed:
        """The jobs that failed, were cancelled, or wait long, by when they began to, the latest first.

        They are as they stand now, by what their states alone tell; one that no longer waits may be among them. With a
        filter a page may have fewer than ``limit``, or none, although it has a cursor.

        Args:
            status: ``failed``, ``cancelled`` or `WAITING`.
            limit: how many at most.
            cursor: where the page before ended.
            since: the earliest time at which they ended, or began to wait.
            until: the first one that is too late; None for none.
            where: which of them; None for all.
        """

    def find_jobs(
        self,
        where: IndexFilter,
        names: Sequence[str],
        *,
        limit: int = 50,
        cursor: str | None = None,
        indexed: bool = True,
    ) -> Listed:
        """Look among an owner's or some tasks' jobs, newest first, by what their states alone tell, and only so far.

        A page may have fewer than ``limit``, or none, although it has a cursor.

        Args:
            where: which.
            names: the tasks among whose jobs they are looked for, where the filter names neither owner nor tasks.
            limit: how many at most.
            cursor: where the page before ended.
            indexed: False leaves out those that `list_states` lists.
        """

    def indexed_since(self) -> int | None:
        """Return since when `list_states` lists all that it is to list; 0 for ever, None where nobody has said so."""


class Blobs(Protocol):
    """Payloads that are too large for a message or an item."""

    def put(self, key: str, data: bytes) -> None:
        """Keep a payload."""

    def get(self, key: str) -> bytes:
        """Fetch a payload."""

    def list(self, prefix: str) -> list[str]:
        """The keys that begin so."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete payloads; one that is not there counts as deleted."""

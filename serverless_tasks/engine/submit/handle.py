"""The handle of a submitted job."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.record import FAILED, SUCCEEDED, Failure, Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import NotPublished, ServerlessTasksError, TaskFailed, TaskNotFound, WaitTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Store
    from serverless_tasks.engine.submit.publication import Publication

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


class Handle:
    """A submitted job: its record as last read.

    Attributes are read from the record that `refresh` or `wait` fetched last; a new handle knows what was submitted.
    ``repeated`` says that it is an earlier job, given back in place of a new one: nothing was sent for it now.

    A copy shares the job's publication. An unpickled handle reads from the table of the process that it is in; of a job
    that was waiting for its transaction it learns from there alone whether that was committed.

    Args:
        publication: the job's message, and whether it is published.
        store: where its record is.
        clock: the time.
        cancel: cancels the job; the store's unless given.
        token: makes tokens for it; the process's services do unless given.

    Attributes:
        in_background: that its job goes on whether it is awaited or not.
    """

    in_background = True

    def __init__(
        self,
        publication: Publication,
        store: Store,
        clock: Clock,
        cancel: Callable[..., Record] | None = None,
        token: Callable[..., str] | None = None,
    ) -> None:
        if token is not None:
            self._token = token
        self._cancel = cancel or store.cancel
        self.repeated = publication.repeated
        publication = publication.original
        message = publication.message
        self._publication = publication
        self._store = store
        self._clock = clock
        self._record = publication.earlier or Record.of(message)

    @cached_property
    def _store(self) -> Store:
        return current_services().store

    @cached_property
    def _clock(self) -> Clock:
        return current_services().clock

    @cached_property
    def _cancel(self) -> Callable[..., Record]:
        return current_services().cancel

    @cached_property
    def _token(self) -> Callable[..., str]:
        return current_services().browser_token

    @property
    def uuid(self) -> str:
        """The job's id."""
        return self._record.uuid

    @property
    def record(self) -> Record:
        """The record as last read."""
        if self._publication.rolled_back:
            gone = Failure(
                type="NotPublished", message="The transaction that submitted the job was rolled back."
            )
            return replace(self._record, status=FAILED, failure=gone)
        return self._record

    @property
    def published(self) -> bool:
        """True if the job has been sent."""
        return self._publication.published

    @property
    def in_store(self) -> bool:
        """True if the store is asked for the job: it was sent, or waited for the transaction of another process."""
        return self._publication.published or self._publication.elsewhere

    def when_published(self, call: Callable[[], object]) -> None:
        """Call a function once the job has been sent, or now if it has been; it must not raise."""
        self._publication.then(call)

    @property
    def publication_error(self) -> ServerlessTasksError | None:
        """The error with which sending failed, or None."""
        return self._publication.error

    @property
    def status(self) -> str:
        """``pending``, ``running``, ``succeeded``, ``failed`` or ``cancelled``."""
        return self.record.status

    @property
    def progress(self) -> int | float:
        """The progress so far."""
        return self.record.progress

    @property
    def target(self) -> int | float | None:
        """The progress at the end, or None."""
        return self.record.target

    @property
    def messages(self) -> tuple[str, ...]:
        """The task's messages, in order."""
        return self.record.messages

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs; empty until there are some."""
        return self.record.outputs

    @property
    def error(self) -> dict[str, str] | None:
        """The reason of a failure: ``{"type", "message"}``, or None."""
        failure = self.record.failure
        return failure.to_json(reveal=True) if failure else None

    def refresh(self) -> Handle:
        """Read the record again.

        Raises:
            TaskNotFound: nothing is known of the job.
        """
        if self.in_store:
            record = self._store.read(self.uuid, message=self._untracked)
            if record is None:
                raise TaskNotFound(self.uuid)
            self._record = record
            if not self.published and (record.attempt or self._untracked is None):
                self._publication.settle(None)
        return self

    async def arefresh(self) -> Handle:
        """As `refresh`, in a coroutine."""
        from serverless_tasks.engine.backends.off_loop import in_thread

        return await in_thread(self.refresh)

    def wait(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait until the job has ended and return its outputs.

        Args:
            timeout: seconds to wait at most; None waits for ever.

        Raises:
            NotPublished: it has not been sent: its transaction is open, or was rolled back.
            TaskFailed: it failed or was cancelled.
            WaitTimeout: it has not ended in time.
        """
        from serverless_tasks.engine.backends.pool import giving_place

        self._require_published()
        pauses = self._pauses(timeout)
        while not self._has_ended():
            pause = next(pauses)
            with giving_place():
                self._clock.sleep(pause)
        return self._result()

    async def awaiting(self, timeout: float | None = None) -> dict[str, Any]:  # noqa: ASYNC109 - as `wait`
        """As `wait`, in a coroutine; ``await handle`` is the same without a timeout.

        A coroutine that is cancelled asks no more; the job goes on.
        """
        from serverless_tasks.engine.backends.off_loop import in_thread

        self._require_published()
        pauses = self._pauses(timeout)
        while not await in_thread(self._has_ended):
            await self._clock.pause(next(pauses))
        return self._result()

    def __await__(self) -> Generator[Any, Any, dict[str, Any]]:
        return self.awaiting().__await__()

    def cancel(self) -> Handle:
        """Cancel the job: a waiting one never starts, a running one learns of it.

        Raises:
            AlreadyFinished: it has ended.
            NotPublished: it has not been sent.
        """
        self._require_published()
        self._record = self._cancel(self.uuid, message=self._untracked)
        return self

    async def acancel(self) -> Handle:
        """As `cancel`, in a coroutine."""
        from serverless_tasks.engine.backends.off_loop import in_thread

        return await in_thread(self.cancel)

    def browser_token(self, minutes: float = 15, allow: Iterable[str] = ("read",)) -> str:
        """Return a token with which a browser reads this job, or cancels it, without a login; see docs/tokens.md.

        Of a group or a chain it is good for the members as well. It cannot be taken back before its time.

        Args:
            minutes: how long it holds, at most 1,440 (a day).
            allow: what it allows: ``"read"``, ``"cancel"``.

        Raises:
            ValueError: the minutes are too many, or ``allow`` names something else.
            ConfigurationError: no key is configured.
        """
        return self._token(self.uuid, minutes=minutes, allow=allow)

    def followed(self) -> tuple[Store, Clock, Message | None]:
        """Return where the record is read, the time, and the message of a job that is not tracked; for `as_completed`.

        Raises:
            NotPublished: it has not been sent.
        """
        self._require_published()
        return self._store, self._clock, self._untracked

    def take(self, record: Record) -> None:
        """Keep a record that was read with others."""
        self._record = record

    def _has_ended(self) -> bool:
        """Read whether it has ended. What has succeeded stays so; a failure may be one by the time alone."""
        return self.record.status == SUCCEEDED or self.refresh().record.ended

    def _pauses(self, timeout: float | None) -> Iterator[float]:
        """Yield the seconds from each look at the job to the next.

        Raises:
            WaitTimeout: the time is over.
        """
        began, slept = self._clock.now(), 0.0
        pause = FIRST_PAUSE
        while True:
            left = pause
            if timeout is not None:
                # What was slept counts as well: a test may have stopped the clock.
                left = min(pause, timeout - max(slept, self._clock.now() - began))
            if left <= 0:
                raise WaitTimeout(f"Job {self.uuid} is still {self.status} after {timeout:g} seconds.")
            yield left
            slept += left
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _result(self) -> dict[str, Any]:
        if self.status != SUCCEEDED:
            raise TaskFailed(self.uuid, self.status, self.error)
        return self.outputs

    @property
    def _untracked(self) -> Message | None:
        """The message, when it alone says what the job is until a worker begins it."""
        message = self._publication.message
        return None if message.options.track else message

    def _require_published(self) -> None:
        if self._publication.error is not None:
            raise self._publication.error
        if not self.in_store:
            state = "was rolled back" if self._publication.rolled_back else "is still open"
            raise NotPublished(f"Job {self.uuid} has not been published: its transaction {state}.")

    def __copy__(self) -> Handle:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Handle:
        return self.__copy__()

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.__dict__.items()
            if name not in {"_store", "_clock", "_cancel", "_token"}
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uuid} {self.record.task} {self.status}>"

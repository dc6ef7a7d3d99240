"""Many jobs, in the order in which they end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.backends.off_loop import in_thread
from serverless_tasks.engine.backends.pool import giving_place
from serverless_tasks.errors import ServerlessTasksError, TaskNotFound, WaitTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Store
    from serverless_tasks.engine.submit.handle import Handle

# Jobs that are looked at before those of them that have ended are given out.
WINDOW: Final = 1000
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
# Seconds after which all are read once more, changed or not: `Store.changed` does not notice what time alone changes.
READ_ANEW: Final = 30.0
# What `Store.changed` takes for a job of which nothing was seen, and for one that nobody has begun.
_UNSEEN: Final = "?"
_WITHOUT_STATE: Final = ""


class Rounds:
    """Looks at jobs again and again until all have ended; whoever looks pauses in between.

    A look costs one call for each hundred jobs, and the reads of those that have changed.

    Args:
        store: where the jobs are.
        clock: the time.
        uuids: the jobs, and the message of each that is not tracked: see `Store.read`.
        timeout: seconds to wait at most for all of them.
        submitted: whether they are known to have been sent: those that nobody has begun are not read.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        uuids: Mapping[str, Message | None],
        timeout: float | None,
        *,
        submitted: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._left = dict(uuids)
        self._total = len(self._left)
        self._timeout = timeout
        self._began = self._read = clock.now()
        self._slept = 0.0
        self._pause = FIRST_PAUSE
        self._seen = dict.fromkeys(uuids, _WITHOUT_STATE) if submitted else {}
        self._round: list[str] = []

    def __bool__(self) -> bool:
        """Return whether there are jobs that have not ended."""
        return bool(self._left)

    def look(self) -> list[Record]:
        """Return the records of those that have ended, among the next `WINDOW` jobs.

        Raises:
            TaskNotFound: nothing is known of one of them.
        """
        if not self._round:
            self._round = list(self._left)
            if self._clock.now() - self._read >= READ_ANEW:
                self._seen.clear()
                self._read = self._clock.now()
        window, self._round = self._round[:WINDOW], self._round[WINDOW:]
        ended = []
        changed = self._store.changed({uuid: self._seen.get(uuid, _UNSEEN) for uuid in window})
        for uuid, (version, record) in changed.items():
            if isinstance(record, ServerlessTasksError):
                raise record
            if record is None and self._left[uuid] is None:
                raise TaskNotFound(uuid)
            self._seen[uuid] = version
            if record is not None and record.ended:
                ended.append(record)
                del self._left[uuid], self._seen[uuid]
                self._pause = FIRST_PAUSE
        return ended

    def pause(self) -> float:
        """Return the seconds to pause before the next look, 0 for none.

        Raises:
            WaitTimeout: the time is over.
        """
        if self._round or not self._left:
            return 0.0
        pause = self._pause
        if self._timeout is not None:
            # What was slept counts as well: a test may have stopped the clock.
            left = self._timeout - max(self._slept, self._clock.now() - self._began)
            if left <= 0:
                raise WaitTimeout(
                    f"{len(self._left)} of {self._total} jobs have not ended after {self._timeout:g} seconds."
                )
            pause = min(pause, left)
        self._slept += pause
        self._pause = min(self._pause * 1.5, LONGEST_PAUSE)
        return pause

    def __iter__(self) -> Iterator[Record]:
        while self:
            yield from self.look()
            if pause := self.pause():
                with giving_place():
                    self._clock.sleep(pause)

    async def __aiter__(self) -> AsyncIterator[Record]:
        while self:
            for record in await in_thread(self.look):
                yield record
            if pause := self.pause():
                await self._clock.pause(pause)


class Completed:
    """Handles of jobs, in the order in which these end: for ``for`` and for ``async for``. `as_completed` makes it."""

    def __init__(self, handles: Iterable[Handle], timeout: float | None) -> None:
        self._handles = list(handles)
        self._timeout = timeout

    def __iter__(self) -> Iterator[Handle]:
        waiting, rounds = self._begin()
        for record in rounds or ():
            yield from _settled(waiting, record)

    async def __aiter__(self) -> AsyncIterator[Handle]:
        waiting, rounds = await in_thread(self._begin)
        if rounds is None:
            return
        async for record in rounds:
            for handle in _settled(waiting, record):
                yield handle

    def __repr__(self) -> str:
        return f"<as_completed handles={len(self._handles)}>"

    def _begin(self) -> tuple[dict[str, list[Handle]], Rounds | None]:
        waiting: dict[str, list[Handle]] = {}
        uuids: dict[str, Message | None] = {}
        rounds: Callable[..., Rounds] | None = None
        for handle in self._handles:
            store, clock, uuids[handle.uuid] = handle.followed()
            waiting.setdefault(handle.uuid, []).append(handle)
            rounds = rounds or partial(Rounds, store, clock)
        return waiting, None if rounds is None else rounds(uuids, self._timeout, submitted=True)


def as_completed(handles: Iterable[Handle], timeout: float | None = None) -> Completed:
    """Return the handles of jobs as these end, each with its last record: ``for handle in as_completed(handles)``.

    In a coroutine, ``async for handle in as_completed(handles)``. Many are read at once, a hundred with one call.

    Args:
        handles: the jobs, all of one table.
        timeout: seconds to wait at most for all of them.

    Raises:
        NotPublished: a job has not been sent: its transaction is open, or was rolled back. This and the errors below
            are raised by the loop.
        TaskNotFound: nothing is known of one of them.
        WaitTimeout: some had not ended in time.
    """
    return Completed(handles, timeout)


def _settled(waiting: dict[str, list[Handle]], record: Record) -> list[Handle]:
    handles = waiting.pop(record.uuid)
    for handle in handles:
        handle.take(record)
    return handles

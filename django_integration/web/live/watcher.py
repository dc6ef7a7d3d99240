"""One look at the store a second for everybody who follows a job in this process, off the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from django_integration.web.live.job_view import JobView
from django_integration.web.live.shared_reads import drop
from serverless_tasks.engine.job.forks import call_when_forked
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from serverless_tasks.engine.job.record import Record

logger = logging.getLogger(__name__)

PAUSE: Final = 1.0
# Looks in a row that may fail, each after a longer pause: about half a minute. Then the clients ask by themselves.
# One job's own failures are counted alike, for those who follow it alone.
FAILURES: Final = 5
_UNSEEN: Final = "?"


@dataclass(slots=True, eq=False)
class Follower:
    """A stream's interest in one job.

    Attributes:
        view: the job as it was last seen; None once there will be no more of it.
        woken: set when there is news; the followers of one stream share it.
        fresh: whether the stream has not taken this `view` yet.
    """

    view: JobView | None
    woken: asyncio.Event
    fresh: bool = True

    def show(self, view: JobView | None) -> None:
        """Wake the stream for what it has not seen yet; None says that there will be no more."""
        if self.view is not None and (view is None or view.data != self.view.data):
            self.view = view
            self.fresh = True
            self.woken.set()

    def take(self) -> bool:
        """Take the view; return whether it is a fresh one."""
        fresh, self.fresh = self.fresh, False
        return fresh


@dataclass(slots=True)
class _Watched:
    """A task that somebody follows.

    Attributes:
        mark: the store's mark of what was last seen of it.
        failures: looks in a row that could not read it while they read others.
        followers: who follows it.
    """

    mark: str = _UNSEEN
    failures: int = 0
    followers: set[Follower] = field(default_factory=set)


class Watcher:
    """Looks at all followed tasks at once, as long as somebody follows one. For one event loop."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return the number of watched jobs."""
        return len(self._watched)

    @contextmanager
    def follow(self, record: Record, woken: asyncio.Event | None = None) -> Iterator[Follower]:
        """Follow a job, until it ends.

        Args:
            record: what has just been read of it.
            woken: the event of a stream that follows several; the follower's own unless given.
        """
        follower = Follower(JobView.of(record), woken or asyncio.Event())
        if record.ended:
            yield follower
            return
        watched = self._watched.setdefault(record.uuid, _Watched())
        # The others may have seen less than this record tells, or more: the next look tells everybody.
        watched.mark = _UNSEEN
        watched.followers.add(follower)
        if self._looking is None or self._looking.done():
            # Not in the context of the request that happens to be the first.
            self._looking = asyncio.get_running_loop().create_task(
                self._look(), context=contextvars.Context()
            )
            self._looking.add_done_callback(_log_fault)
        try:
            yield follower
        finally:
            self._leave(record.uuid, watched, {follower})

    def _leave(self, uuid: str, watched: _Watched, followers: Set[Follower]) -> None:
        watched.followers -= followers
        if not watched.followers and self._watched.get(uuid) is watched:
            del self._watched[uuid]

    async def look(self, pool: ThreadPoolExecutor) -> None:
        """Look once, on a thread of the pool, and tell the followers of what has changed.

        Raises:
            ServerlessTasksError: the store cannot be read.
        """
        seen = {uuid: watched.mark for uuid, watched in self._watched.items()}
        there = {uuid: frozenset(watched.followers) for uuid, watched in self._watched.items()}
        store = current_services().store
        changed = await asyncio.get_running_loop().run_in_executor(pool, store.changed, seen)
        # Who follows a task and then polls it must not be shown an older state.
        drop(*changed)
        for uuid, (mark, record) in changed.items():
            watched = self._watched.get(uuid)
            if watched is None:
                continue
            if isinstance(record, ServerlessTasksError):
                _count_failure(uuid, watched, record)
                continue
            watched.failures = 0
            # Who came meanwhile may know more than this: the next look is for them.
            newcomers = watched.followers - there[uuid]
            watched.mark = _UNSEEN if newcomers else mark
            view = None if record is None else JobView.of(record)
            told = watched.followers & there[uuid]
            for follower in told:
                follower.show(view)
            if view is None or view.last:
                self._leave(uuid, watched, told)

    async def _look(self) -> None:
        failures = 0
        # A thread of its own: a slow store holds up nobody else's work in the loop's common pool.
        pool = ThreadPoolExecutor(1, thread_name_prefix="watcher")
        try:
            while self._watched and failures < FAILURES:
                await asyncio.sleep(PAUSE * 2**failures)
                try:
                    await self.look(pool)
                except ServerlessTasksError as error:
                    failures += 1
                    logger.warning("followed jobs could not be read: %s", error)
                else:
                    failures = 0
        finally:
            pool.shutdown(wait=False)
            for watched in self._watched.values():
                for follower in watched.followers:
                    follower.show(None)


def _count_failure(uuid: str, watched: _Watched, error: ServerlessTasksError) -> None:
    """Look again at a task that could not be read; after too many looks its followers are left to ask by themselves."""
    watched.mark = _UNSEEN
    watched.failures += 1
    logger.warning("job %s could not be read: %s", uuid, error)
    if watched.failures >= FAILURES:
        for follower in watched.followers:
            follower.show(None)


def _log_fault(looking: asyncio.Task[None]) -> None:
    if not looking.cancelled() and (error := looking.exception()) is not None:
        logger.error("polling of followed jobs failed", exc_info=error)


_watchers: WeakKeyDictionary[asyncio.AbstractEventLoop, Watcher] = WeakKeyDictionary()


def watcher() -> Watcher:
    """The watcher of the running event loop: a server has one a process."""
    return _watchers.setdefault(asyncio.get_running_loop(), Watcher())


@call_when_forked
def _forked() -> None:
    """A loop that goes on in a forked process has none of the threads that looked for it."""
    _watchers.clear()

"""One read of a job for all who ask for it within a second, whoever they are: what each may see is asked afterwards."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from django_integration.web.live.job_view import JobView, etag_of, shows_internal_errors
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.services import Services, current_services

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_integration.web.live.job_view import Version
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.record import Record

KEPT: Final = 1_000
KEPT_BYTES: Final = 16_000_000
# Older sights answer nobody, but spare the next read the writing of the same JSON; in seconds.
KEPT_FOR: Final = 10.0
ANY: Final = (False, 0, 0)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A view, and when the read that found it began: it is no older than that."""

    view: JobView
    began: float


@dataclass(frozen=True, slots=True, eq=False)
class _Flight:
    """A read that is under way, since when, and what it will have found."""

    began: float
    found: Future[JobView | None] = field(default_factory=Future)


class SharedReads:
    """Recent reads of jobs, shared by the threads of this process.

    Nothing is kept of jobs that were not found, since they may be submitted at any time, nor of reads that failed. An
    ended job is kept no longer than another: it may be deleted.

    Args:
        seconds: how old an answer may be when the question comes.
        clock: the time.
        kept: how many jobs are kept at most.
        kept_bytes: how many bytes of JSON are kept at most.
    """

    def __init__(
        self, seconds: float, clock: Clock, *, kept: int = KEPT, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._limits = (kept, kept_bytes)
        self.forked()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`: whoever waited for one of the parent's reads would wait for ever."""
        # The one that was read longest ago comes first.
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of kept jobs."""
        return len(self._kept)

    def read(self, uuid: str, ask: Callable[[str], Record | None], at_least: Version = ANY) -> JobView | None:
        """Return the view of a job, or None when nothing is known of it.

        Args:
            uuid: the job's id.
            ask: reads the job; called by one of those who ask at the same time, whose error is everybody's.
            at_least: what the caller has seen before, perhaps through another process: nothing older will do.
        """
        now = self._clock.now()
        with self._lock:
            kept = self._kept.get(uuid)
            if kept is not None and self._is_new(kept.began, now) and _answers(kept.view, at_least):
                return kept.view
            flight = self._flights.get(uuid)
            leads = flight is None or not self._is_new(flight.began, now)
            if flight is None or leads:
                flight = self._flights[uuid] = _Flight(now)
        if leads:
            return self._lead(uuid, flight, ask)
        try:
            view = flight.found.result()
        except CancelledError:
            view = None
        if view is not None and _answers(view, at_least):
            return view
        record = ask(uuid)
        return None if record is None else JobView.of(record)

    def drop(self, uuid: str) -> None:
        """Let the next who asks for a job read it: it was written, or somebody was shown what may be newer."""
        with self._lock:
            self._flights.pop(uuid, None)
            self._forget(uuid)

    def _is_new(self, began: float, now: float) -> bool:
        return 0 <= now - began < self._seconds

    def _lead(self, uuid: str, flight: _Flight, ask: Callable[[str], Record | None]) -> JobView | None:
        view = None
        try:
            record = ask(uuid)
            if record is not None:
                view = self._sight(record)
        except Exception as error:
            flight.found.set_exception(error)
            raise
        else:
            flight.found.set_result(view)
            return view
        finally:
            # Without effect unless this thread is being ended, which is no concern of those who wait.
            flight.found.cancel()
            self._landed(uuid, flight, view)

    def _sight(self, record: Record) -> JobView:
        kept = self._kept.get(record.uuid)
        if kept is not None and kept.view.id == etag_of(record):
            return kept.view
        return JobView.of(record)

    def _landed(self, uuid: str, flight: _Flight, view: JobView | None) -> None:
        with self._lock:
            if self._flights.get(uuid) is not flight:
                return  # dropped meanwhile, or too slow
            del self._flights[uuid]
            self._forget(uuid)
            if view is None:
                return
            self._kept[uuid] = _Kept(view, flight.began)
            self._bytes += len(view.data)
            most, most_bytes = self._limits
            while self._kept and (
                len(self._kept) > most
                or self._bytes > most_bytes
                or next(iter(self._kept.values())).began < flight.began - KEPT_FOR
            ):
                self._forget(next(iter(self._kept)))

    def _forget(self, uuid: str) -> None:
        kept = self._kept.pop(uuid, None)
        if kept is not None:
            self._bytes -= len(kept.view.data)


def _answers(view: JobView, at_least: Version) -> bool:
    return view.version >= at_least and view.revealed == shows_internal_errors()


_of: WeakKeyDictionary[Services, SharedReads] = WeakKeyDictionary()


def share(services: Services, reads: SharedReads) -> None:
    """Share what is read through these services, whose ``on_write`` is `SharedReads.drop`."""
    _of[services] = reads


def shared_reads() -> SharedReads | None:
    """Return the shared reads of the process's services, or None where each request reads for itself."""
    return _of.get(current_services())


def drop(*uuids: str) -> None:
    """See `SharedReads.drop`."""
    reads = shared_reads()
    if reads is not None:
        for uuid in uuids:
            reads.drop(uuid)

"""Counting in a worker process: what its batches did is gathered, and written seldom."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from zlib import crc32

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.job.record import FAILED
from serverless_tasks.engine.statistics.counts import GB_SECONDS
from serverless_tasks.engine.statistics.errors import ErrorKind
from serverless_tasks.engine.statistics.fingerprint import kind_of, trace_of
from serverless_tasks.engine.statistics.items import EXAMPLES, SHARDS, hour_of
from serverless_tasks.engine.statistics.pending_counts import PendingCounts
from serverless_tasks.engine.statistics.pending_errors import PendingErrors
from serverless_tasks.engine.statistics.submission import requests_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.record import Failure
    from serverless_tasks.engine.statistics.base import StatisticsStore
    from serverless_tasks.engine.statistics.errors import NewError
    from serverless_tasks.engine.statistics.run import JobRun

logger = logging.getLogger(__name__)

# Seconds without a batch after which the counts of the next are written with it.
QUIET: Final = 10.0
# Requests of SQS that a batch takes beside its receipt and those of this process: the deletion of its messages.
DELETIONS: Final = 1
# Seconds after which a batch's statistics begin no further write, of counts and of failures each, and those of a
# process that is to end: a slow table must not keep the answer for messages that are done with.
TO_WRITE: Final = 2.0
TO_WRITE_LAST: Final = 10.0
# Kinds of failures that are remembered between the mark in a job's state and the count.
_KINDS: Final = 500


class _Thread(threading.local):
    """The task whose job a thread runs, or "", and the batch that it is in, or None."""

    task: str = ""
    batch: Batch | None = None


class Gatherer:
    """Counts what a process does, and writes it; see `PendingCounts` and `PendingErrors` for how often.

    Nothing of it raises, and no job depends on it.

    Args:
        store: where it is written.
        clock: the time.
        name: names the process, for its shard of each hour.
        memory: megabytes of the Lambda function, or 0 outside of it.
        arm: whether it is an arm64 function, whose time has a price of its own.
        on_new: called with each kind of failure that is new.
    """

    def __init__(
        self,
        store: StatisticsStore,
        clock: Clock,
        *,
        name: str,
        memory: int = 0,
        arm: bool = False,
        on_new: Sequence[Callable[[NewError], object]] = (),
    ) -> None:
        self._clock = clock
        self._memory = memory
        self._arm = arm
        now = clock.now()
        number = crc32(name.encode())
        self._counts = PendingCounts(store, number % SHARDS, now)
        self._errors = PendingErrors(store, on_new, number % len(EXAMPLES))
        self._kinds: dict[str, ErrorKind] = {}
        self._tasks: dict[str, str] = {}
        self._running = 0
        self._idle_since = now - QUIET
        self._lock = threading.Lock()
        self._thread = _Thread()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.Lock()
        self._thread = _Thread()
        self._running, self._tasks = 0, {}
        self._counts.forked()
        self._errors.forked()

    def mark(self, task: str, failure: Failure, error: BaseException | None = None) -> Failure:
        """Return a final failure with its fingerprint, which the job's state is to say.

        Args:
            task: the task's name.
            failure: the failure, secrets masked.
            error: the exception behind it, or None.
        """
        try:
            return self._marked(task, failure, error)
        except Exception:  # the job has to end, whatever its exception is
            logger.warning("a failure of task %s has no fingerprint", task, exc_info=True)
            return failure

    def _marked(self, task: str, failure: Failure, error: BaseException | None) -> Failure:
        trace = None if error is None else trace_of(error)
        kind = self._errors.admit(kind_of(task, failure.type, failure.message, trace), self._clock.now())
        with self._lock:
            if len(self._kinds) >= _KINDS:
                self._kinds.clear()
            self._kinds[kind.fingerprint] = kind
        return replace(failure, fingerprint=kind.fingerprint)

    @contextmanager
    def batch(self, size: int = 0) -> Iterator[Batch]:
        """Count a batch; the block notes what its jobs did.

        Args:
            size: bytes of its messages, for which their receipt is billed.
        """
        with self._lock:
            began = self._clock.now()
            quiet = not self._running and began - self._idle_since >= QUIET
            self._running += 1
        batch = self._thread.batch = Batch(self, began, size, quiet=quiet)
        try:
            yield batch
        finally:
            with self._lock:
                self._running -= 1
                self._idle_since = self._clock.now()
                self._thread.task, self._thread.batch = "", None
                for uuid in batch.uuids:
                    self._tasks.pop(uuid, None)

    def flush(self, *, last: bool = False) -> None:
        """Write what is due outside of a batch, for a process that goes on without one.

        Args:
            last: the process is to end: write everything.
        """
        now = self._clock.now()
        quiet = not self._running and now - self._idle_since >= QUIET
        self._write(now, whole=quiet, last=last)

    def _write(self, now: float, *, whole: bool, last: bool = False) -> None:
        seconds = TO_WRITE_LAST if last else TO_WRITE
        if self._counts.write(now, self._in_time(seconds), whole=whole, last=last):
            self._errors.write(now, self._in_time(seconds), last=last)

    def _in_time(self, seconds: float) -> Callable[[], bool]:
        until = self._clock.now() + seconds
        return lambda: self._clock.now() < until

    def count_call(self, pk: str, attribute: str, amount: float) -> None:
        """Count a call of AWS for the task whose job it is about, or whose job this thread runs, else for the batch.

        Args:
            pk: the id of the job that it is about, or "". The message of a job that is not of a batch here submits it:
                that is counted by the worker that receives it.
            attribute: one of `CALLS`.
            amount: requests, or units.
        """
        if attribute == "sqs" and pk and pk not in self._tasks:
            return
        task = self._tasks.get(pk) or self._thread.task
        if task:
            now = self._clock.now()
            self._counts.add(task, hour_of(to_ms(now)), {attribute: amount}, now)
        elif self._thread.batch is not None:
            self._thread.batch.shared[attribute] += amount

    def _expect(self, uuid: str, task: str) -> None:
        self._tasks[uuid] = task

    def _kind(self, task: str, failure: Failure) -> ErrorKind:
        """Return the kind that `mark` has found, or, where that is forgotten, one of its name."""
        known = self._kinds.get(failure.fingerprint)
        return known or ErrorKind(fingerprint=failure.fingerprint, task=task, type=failure.type)


class Batch:
    """One batch of messages; made by `Gatherer.batch`.

    Args:
        gatherer: whose it is.
        began: when it began, seconds since the epoch.
        size: bytes of its messages.
        quiet: whether the process had nothing to do before it.
    """

    def __init__(self, gatherer: Gatherer, began: float, size: int, *, quiet: bool) -> None:
        self._gatherer = gatherer
        self._began = began
        self._size = size
        self._quiet = quiet
        self._ran: list[tuple[str, float]] = []
        self.uuids: list[str] = []
        self.shared: defaultdict[str, float] = defaultdict(float)

    def expect(self, uuid: str, task: str) -> None:
        """Count calls about a job as its task's, from now on until the batch ends."""
        self.uuids.append(uuid)
        self._gatherer._expect(uuid, task)

    def begin(self, task: str) -> None:
        """Count calls that this thread makes from now on, and that are about no job of the batch, as a task's."""
        self._gatherer._thread.task = task

    def note(self, run: JobRun) -> None:
        """Gather what a delivery did."""
        gatherer = self._gatherer
        now = gatherer._clock.now()
        counts = run.counts()
        hour = hour_of(to_ms(now))
        if counts:
            gatherer._counts.add(run.task, hour, counts, now)
        if run.first:
            gatherer._counts.add(run.task, hour_of(run.created), {"submitted": 1, **run.submission}, now)
        if run.failure is not None and run.failure.fingerprint and run.status == FAILED:
            kind = gatherer._kind(run.task, run.failure)
            gatherer._errors.add(kind, run.uuid, run.failure.message, to_ms(now))
        self._ran.append((run.task, run.duration or 0.0))

    def end(self, *, write: bool = True) -> None:
        """Gather what the batch took as a whole, and write what is due.

        Args:
            write: whether there is time to write.
        """
        gatherer = self._gatherer
        now = gatherer._clock.now()
        self._share(now)
        # What the statistics themselves take is counted by itself.
        gatherer._thread.task, gatherer._thread.batch = "", None
        gatherer._counts.earn(len(self._ran))
        if write:
            gatherer._write(now, whole=self._quiet)

    def _share(self, now: float) -> None:
        """Share the batch's time and requests among its jobs: each its own duration, and the rest equally."""
        if not self._ran:
            return
        memory, jobs = self._gatherer._memory, len(self._ran)
        rest = max(0.0, now - self._began - sum(duration for _, duration in self._ran)) / jobs
        hour = hour_of(to_ms(now))
        for task, duration in self._ran:
            share = {name: amount / jobs for name, amount in self.shared.items()}
            share["sqs"] = share.get("sqs", 0.0) + (requests_of(self._size) + DELETIONS) / jobs
            if memory:
                share |= {"lam": 1 / jobs, GB_SECONDS: (duration + rest) * memory / 1024}
            if memory and self._gatherer._arm:
                share["arm"] = share[GB_SECONDS]
            self._gatherer._counts.add(task, hour, share, now)

"""Counts that a process has gathered and not written: when they are written, and for how many write units."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serverless_tasks.engine.statistics.base import StatisticsStore

logger = logging.getLogger(__name__)

# Seconds between two writes of a task by one process.
INTERVAL: Final = 10.0
# Write units that a process may spend: so many for each job, and so many for each second, of which it saves a few.
# Where jobs follow upon each other that is the whole cost, however many tasks and processes they are spread over.
UNITS_PER_JOB: Final = 0.1
UNITS_PER_SECOND: Final = 0.01
SAVED: Final = 5.0
# Seconds without a write after one has failed.
PAUSE: Final = 60.0
# Hours of tasks that are kept while the table refuses their counts; past that the oldest are given up.
MOST: Final = 500


class PendingCounts:
    """Counts of tasks by the hour, which are added to the store's seldom, and by the items of one shard.

    Counts are lost when the process dies before they are written, and when it is not known whether a write was applied.

    Args:
        store: where they are added.
        shard: the process's shard of each hour.
        now: the present, seconds since the epoch.
    """

    def __init__(self, store: StatisticsStore, shard: int, now: float) -> None:
        self._store = store
        self._shard = shard
        self._hours: dict[tuple[str, str], dict[str, float]] = {}
        self._since: dict[str, float] = {}
        self._written: dict[str, float] = {}
        # Units that the statistics themselves have taken, of which the next write of a task tells.
        self._owed: dict[str, float] = {}
        self._units = 0.0
        self._earned_at = now
        self._paused_until = 0.0
        self._failed = False
        self._lock = threading.Lock()

    def forked(self) -> None:
        """Begin with nothing in a forked process: the counts are its parent's."""
        self._lock = threading.Lock()
        self._hours, self._since, self._owed = {}, {}, {}

    def add(self, task: str, hour: str, counts: Mapping[str, float], now: float) -> None:
        """Gather counts of a task's hour."""
        with self._lock:
            self._since.setdefault(task, now)
            self._merge(task, hour, counts)

    def earn(self, jobs: int) -> None:
        """Let units be spent for jobs that have run."""
        with self._lock:
            self._units += UNITS_PER_JOB * jobs

    def write(
        self, now: float, in_time: Callable[[], bool], *, whole: bool = False, last: bool = False
    ) -> bool:
        """Write what is due, longest waiting task first; errors are logged once and never raised.

        Args:
            now: the present, seconds since the epoch.
            in_time: asked before each task, whether there is time for it.
            whole: write it whatever it costs, since it may otherwise wait for long: after a quiet time.
            last: write everything, since the process is to end.

        Returns:
            False where the store did not take something.
        """
        for task in self._due(now, whole=whole, last=last):
            if not in_time():
                break
            if not self._write_task(task, now):
                return False
            self._written[task] = now
        return True

    def _write_task(self, task: str, now: float) -> bool:
        """Write a task's counts, earliest hour first; returns False where the store did not take those of one."""
        with self._lock:
            hours = sorted(self._hours_of(task))
            self._since.pop(task, None)
        for hour in hours:
            with self._lock:
                counts = self._hours.pop((task, hour), {})
            if counts and not self._write(task, hour, counts, now):
                self._wait_again(task, now)
                return False
        return True

    def _wait_again(self, task: str, now: float) -> None:
        """Let what is left of a task's counts wait behind the others, whom one that is never taken would keep out."""
        with self._lock:
            if self._hours_of(task):
                self._since.setdefault(task, now)

    def _due(self, now: float, *, whole: bool, last: bool) -> list[str]:
        with self._lock:
            self._units = min(SAVED, self._units + UNITS_PER_SECOND * (now - self._earned_at))
            self._earned_at = now
            if now < self._paused_until:
                return []
            waiting = sorted(self._since, key=self._since.__getitem__)
            if last:
                return waiting
            due = [task for task in waiting if self._written.get(task, 0.0) + INTERVAL <= now]
            if whole:
                return due
            units, affordable = self._units, []
            for task in due:
                if units < 1:
                    break
                units -= len(self._hours_of(task))
                affordable.append(task)
            return affordable

    def _write(self, task: str, hour: str, counts: dict[str, float], now: float) -> bool:
        owed = self._owed.pop(task, 0.0)
        sent = {**counts, "own": owed} if owed else counts
        try:
            units = self._store.add(
                task, hour, self._shard, {name: round(by, 6) for name, by in sent.items()}
            )
        except Exception as error:
            self._paused_until = now + PAUSE
            if not self._failed:
                self._failed = True
                logger.warning("statistics could not be written; jobs are not affected", exc_info=True)
            if isinstance(error, AwsError) and not error.applied:
                self._keep(task, hour, counts)
            return False
        self._failed = False
        with self._lock:
            self._units -= units
            self._owed[task] = self._owed.get(task, 0.0) + units
        return True

    def _keep(self, task: str, hour: str, counts: dict[str, float]) -> None:
        """Keep counts that were certainly not added."""
        with self._lock:
            self._merge(task, hour, counts)
            while len(self._hours) > MOST:
                first = min(self._hours, key=lambda key: key[1])
                del self._hours[first]

    def _merge(self, task: str, hour: str, counts: Mapping[str, float]) -> None:
        kept = self._hours.setdefault((task, hour), {})
        for name, by in counts.items():
            kept[name] = kept.get(name, 0) + by

    def _hours_of(self, task: str) -> list[str]:
        return [hour for name, hour in self._hours if name == task]

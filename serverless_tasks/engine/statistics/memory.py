"""Statistics in this process's memory: for the in-process backends without a table, and for tests."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.statistics.counts import Counts
from serverless_tasks.engine.statistics.items import (
    KEPT_DAYS,
    error_days,
    errors_key,
    example_fields,
    example_key,
    forget_days,
    forgotten,
    hour_attribute,
    kind_fields,
)
from serverless_tasks.engine.store.items import DAY_MS, day_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serverless_tasks.engine.statistics.errors import ErrorDay, Occurrences


class MemoryStatistics:
    """See `StatisticsStore`; everything is lost with the process, and nothing before."""

    def __init__(self) -> None:
        self._hours: dict[tuple[str, str], dict[str, float]] = {}
        self._errors: dict[tuple[str, str], dict[str, Any]] = {}
        self._kinds: dict[str, tuple[int, int]] = {}
        self._lock = threading.RLock()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.RLock()

    def add(self, task: str, hour: str, shard: int, counts: Mapping[str, float]) -> float:
        """See `StatisticsStore.add`."""
        with self._lock:
            kept = self._hours.setdefault((task, hour), {})
            for name, by in counts.items():
                kept[name] = kept.get(name, 0) + by
        return 1.0

    def hours(self, task: str, since: str, until: str) -> dict[str, Counts]:
        """See `StatisticsStore.hours`."""
        with self._lock:
            return {
                hour: Counts.of(counts)
                for (name, hour), counts in sorted(self._hours.items())
                if name == task and since <= hour < until
            }

    def add_errors(self, occurrences: Occurrences) -> tuple[float, bool]:
        """See `StatisticsStore.add_errors`."""
        kind, day = occurrences.kind, day_of(occurrences.first)
        hour = hour_attribute(occurrences.first)
        with self._lock:
            item = self._errors.setdefault(
                (day, kind.fingerprint), {"pk": errors_key(day), "sk": kind.fingerprint}
            )
            item |= {**kind_fields(kind), "last": max(occurrences.last, item.get("last", 0))}
            item.setdefault("first", occurrences.first)
            sk = example_key(kind.fingerprint)
            for name, value in example_fields(occurrences).items():
                self._errors.setdefault((day, sk), {"pk": errors_key(day), "sk": sk}).setdefault(name, value)
            item[hour] = item.get(hour, 0) + occurrences.count
            first, last = self._kinds.get(kind.fingerprint, (occurrences.first, -KEPT_DAYS * DAY_MS - 1))
            new = occurrences.first - last > KEPT_DAYS * DAY_MS
            self._kinds[kind.fingerprint] = occurrences.first if new else first, occurrences.last
        return 1.0, new

    def errors(self, days: Sequence[str]) -> list[ErrorDay]:
        """See `StatisticsStore.errors`."""
        with self._lock:
            return error_days(dict(item) for (day, _), item in self._errors.items() if day in days)

    def error(self, fingerprint: str, days: Sequence[str]) -> list[ErrorDay]:
        """See `StatisticsStore.error`."""
        return [day for day in self.errors(days) if day.kind.fingerprint == fingerprint]

    def first_seen(self, fingerprints: Sequence[str]) -> dict[str, int]:
        """See `StatisticsStore.first_seen`."""
        with self._lock:
            return {name: self._kinds[name][0] for name in fingerprints if name in self._kinds}

    def forget(self, fingerprint: str, uuid: str, failed: int) -> None:
        """See `StatisticsStore.forget`."""
        with self._lock:
            for day in forget_days(failed):
                item = self._errors.get((day, example_key(fingerprint)), {})
                for name in forgotten(item, uuid):
                    del item[name]

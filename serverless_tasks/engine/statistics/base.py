"""The protocol of the stores of statistics, which the table and the one in memory follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serverless_tasks.engine.statistics.counts import Counts
    from serverless_tasks.engine.statistics.errors import ErrorDay, Occurrences


class StatisticsStore(Protocol):
    """Counts and errors. Hours are ``2026-01-31T08``, days ``2026-01-31``, both in UTC.

    What adds is not idempotent: it is tried once, and one whose answer was lost may have been counted. Every method
    raises AwsError when its call fails.
    """

    def add(self, task: str, hour: str, shard: int, counts: Mapping[str, float]) -> float:
        """Add counts to those of a task's hour.

        Args:
            task: the task's name.
            hour: the hour.
            shard: which of the hour's items, so that many processes do not wait for each other.
            counts: the attributes of `Counts.of` -> by how much they grow.

        Returns:
            The write units that it took.
        """

    def hours(self, task: str, since: str, until: str) -> dict[str, Counts]:
        """Return the counts of a task by the hour, of hours that have any.

        Args:
            task: the task's name.
            since: the first hour.
            until: the hour after the last.
        """

    def add_errors(self, occurrences: Occurrences) -> tuple[float, bool]:
        """Add failures of one kind to those of their day.

        Returns:
            The write units that it took, and whether the kind is new: it has not occurred for 90 days, if ever.
        """

    def errors(self, days: Sequence[str]) -> list[ErrorDay]:
        """Return all kinds of failures of some days."""

    def error(self, fingerprint: str, days: Sequence[str]) -> list[ErrorDay]:
        """Return one kind of failures on some days, of those that have any."""

    def first_seen(self, fingerprints: Sequence[str]) -> dict[str, int]:
        """Return when kinds of failures first occurred, milliseconds since the epoch; unknown ones are left out."""

    def forget(self, fingerprint: str, uuid: str, failed: int) -> None:
        """Delete what is kept of one job that failed: its id, and its message where that is the example.

        Args:
            fingerprint: the kind of its failure.
            uuid: the job's id.
            failed: when it failed, milliseconds since the epoch.
        """

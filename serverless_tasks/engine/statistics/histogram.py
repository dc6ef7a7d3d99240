"""Times in seconds, counted in buckets of fixed logarithmic bounds: counts of several processes can be added up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# The upper bound of the first bucket, in seconds, and how many buckets there are to ten times as long: each bound is a
# third above the one before it. Never changed: counts of one hour are added to those that other code has written.
SHORTEST: Final = 0.001
PER_DECADE: Final = 8
LAST: Final = 80


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of times by their length.

    Attributes:
        buckets: the number of a bucket -> the count of the times in it, of buckets that have any.
    """

    buckets: Mapping[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of times."""
        return sum(self.buckets.values())

    def percentile(self, percent: float) -> float | None:
        """Return the time in seconds below which so many percent of the times lie, or None of an empty histogram.

        It is interpolated within a bucket, so that it is wrong by a sixth at most.

        Args:
            percent: more than 0, and 100 at most.
        """
        rank = self.count * percent / 100
        seen = 0
        for number in sorted(self.buckets):
            count = self.buckets[number]
            if seen + count >= rank and count:
                return _within(number, (rank - seen) / count)
            seen += count
        return None

    def __add__(self, other: Histogram) -> Histogram:
        """Return the times of both."""
        numbers = {*self.buckets, *other.buckets}
        return Histogram(
            {number: self.buckets.get(number, 0) + other.buckets.get(number, 0) for number in numbers}
        )


def bucket_of(seconds: float) -> int:
    """Return the number of the bucket of a time."""
    if seconds <= SHORTEST:
        return 0
    return min(LAST, math.ceil(PER_DECADE * math.log10(seconds / SHORTEST) - 1e-9))


def bounds(number: int) -> tuple[float, float]:
    """Return the seconds above which, and up to which, a time is in a bucket."""
    upper = SHORTEST * 10 ** (number / PER_DECADE)
    return (0.0 if number == 0 else SHORTEST * 10 ** ((number - 1) / PER_DECADE)), upper


def _within(number: int, part: float) -> float:
    lower, upper = bounds(number)
    return upper * part if number == 0 else lower * (upper / lower) ** part

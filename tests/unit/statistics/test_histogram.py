"""Times in buckets: bounds, percentiles, sums."""

import random

import pytest

from serverless_tasks.engine.statistics.histogram import LAST, Histogram, bounds, bucket_of


def histogram(*times: float) -> Histogram:
    total = Histogram()
    for time in times:
        total += Histogram({bucket_of(time): 1})
    return total


@pytest.mark.parametrize("seconds", [0.0011, 0.0099, 0.01, 0.5, 1.0, 59.9, 900.0, 43_200.0])
def test_a_time_lies_within_the_bounds_of_its_bucket(seconds: float) -> None:
    lower, upper = bounds(bucket_of(seconds))
    assert lower < seconds <= upper * (1 + 1e-9)
    assert upper / lower == pytest.approx(10 ** (1 / 8))


def test_buckets_of_the_ends() -> None:
    assert [bucket_of(seconds) for seconds in (-1.0, 0.0, 0.001)] == [0, 0, 0]
    assert bucket_of(1e12) == LAST


def test_bounds_are_never_changed() -> None:
    assert [bucket_of(seconds) for seconds in (0.0013, 0.01, 0.1, 1.0, 60.0, 3600.0)] == [
        1,
        8,
        16,
        24,
        39,
        53,
    ]


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_a_percentile_is_wrong_by_a_sixth_at_most(percent: int) -> None:
    chosen = random.Random(17)
    times = sorted(chosen.lognormvariate(0, 1) for _ in range(5_000))
    exact = times[round(len(times) * percent / 100) - 1]
    assert histogram(*times).percentile(percent) == pytest.approx(exact, rel=1 / 6)


def test_there_is_none_of_nothing() -> None:
    assert Histogram().percentile(50) is None
    assert Histogram({3: 0}).percentile(50) is None


def test_times_of_two_are_added_up() -> None:
    both = histogram(0.5, 2.0) + histogram(0.5)
    assert (both.count, both.buckets[bucket_of(0.5)]) == (3, 2)

"""Times on the command line are in the local zone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from serverless_tasks.cli.times import length, moment, shown, shown_short
from serverless_tasks.errors import ConfigurationError

# 14:30:05 in Berlin, in summer.
NOW = datetime(2026, 7, 10, 12, 30, 5, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("10:00", "2026-07-10T08:00:00"),
        ("9:05", "2026-07-10T07:05:00"),
        ("14:30:05", "2026-07-10T12:30:05"),
        ("14:30:06", "2026-07-09T12:30:06"),  # the last one that was
        ("23:00", "2026-07-09T21:00:00"),
        ("45s", "2026-07-10T12:29:20"),
        ("30m", "2026-07-10T12:00:05"),
        ("2h", "2026-07-10T10:30:05"),
        ("7d", "2026-07-03T12:30:05"),
        ("2w", "2026-06-26T12:30:05"),
        ("2026-01-31", "2026-01-30T23:00:00"),
        ("2026-01-31T08:00:00", "2026-01-31T07:00:00"),
        ("2026-01-31 08:00:00.250", "2026-01-31T07:00:00.250"),
        ("2026-01-31T08:00:00+05:30", "2026-01-31T02:30:00"),
        ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00"),
    ],
)
def test_a_time_is_read_as_a_person_means_it(given: str, expected: str) -> None:
    read = datetime.fromtimestamp(moment(given, NOW, "--since") / 1000, UTC)
    assert read == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "given", ["", "yesterday", "25:00", "10:61", "-2h", "2 h", "2y", "2026-13-01", "1767225600"]
)
def test_what_is_no_time_is_refused_with_what_is_one(given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--until .*: give a time of the day such as 10:00"):
        moment(given, NOW, "--until")


def test_a_time_is_shown_with_its_zone() -> None:
    assert shown(int(NOW * 1000)) == "2026-07-10 14:30:05 CEST"
    assert (shown_short(int(NOW * 1000)), shown_short(None)) == ("07-10 14:30:05", "")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""),
        (0.0, "0.00s"),
        (0.214, "0.21s"),
        (0.999, "1.0s"),
        (4.25, "4.2s"),
        (9.96, "10s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (7800, "2h10m"),
        (47 * 3600, "47h00m"),
        (4 * 86_400 + 3700, "4d01h"),
    ],
)
def test_a_length_of_time_is_short(seconds: float | None, expected: str) -> None:
    assert length(seconds) == expected

"""Going through jobs from Python."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serverless_tasks import ConfigurationError, Task, TaskClient
from serverless_tasks.client import listing
from serverless_tasks.params import IntParameter
from serverless_tasks.testing import START, RecordedTasks, recorded

BEGIN = datetime.fromtimestamp(START, UTC)


class Double(Task):
    name = "double"
    inputs = {"n": IntParameter()}

    def run(self, n: int) -> None:
        if n < 0:
            raise ValueError("negative")


class Other(Task):
    name = "other"
    aliases = ["earlier"]

    def run(self) -> None: ...


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(Double, Other) as jobs:
        yield jobs


@pytest.fixture
def client(jobs: RecordedTasks) -> TaskClient:
    return TaskClient()


def submitted(jobs: RecordedTasks, *numbers: int, **options: Any) -> list[str]:
    uuids = []
    for n in numbers:
        uuids.append(Double.options(**options).submit(n=n).uuid)
        jobs.move(1)
    return uuids


def test_the_newest_come_first_over_several_pages(
    client: TaskClient, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 3)
    uuids = submitted(jobs, *range(8))

    assert [record.uuid for record in client.list(task=Double)] == uuids[::-1]
    assert [record.uuid for record in client.list(task="double", limit=4)] == uuids[:3:-1]
    assert [record.uuid for record in client.list()] == uuids[::-1]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"status": "failed"}, [1]),
        ({"status": "succeeded"}, [2, 0]),
        ({"owner": "7"}, [2]),
        ({"owner": None, "status": None}, [2, 1, 0]),
        ({"since": BEGIN + timedelta(seconds=1), "until": BEGIN + timedelta(seconds=2)}, [1]),
        ({"error_type": "ValueError"}, [1]),
        ({"tasks": [Other]}, []),
        ({"tasks": [Other, "double"]}, [2, 1, 0]),
    ],
)
def test_what_does_not_match_is_left_out(
    client: TaskClient, jobs: RecordedTasks, filters: dict[str, Any], found: list[int]
) -> None:
    uuids = submitted(jobs, 1, -1) + submitted(jobs, 3, owner="7")
    jobs.drain()

    assert [uuids.index(record.uuid) for record in client.list(**filters)] == found


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({"colour": "red"}, "A filter of jobs has no 'colour'; it has tasks, status"),
        ({"status": "lost"}, "No job has the status 'lost'"),
        ({"since": datetime(2026, 1, 1)}, "since=.*: expected a datetime with a time zone"),  # noqa: DTZ001
        ({"until": 3}, "until=3: expected a datetime with a time zone"),
        ({"limit": 0}, "limit=0: expected a whole number from 1"),
        ({"limit": True}, "limit=True: expected a whole number from 1"),
    ],
)
def test_what_is_no_filter_is_refused_at_once(
    client: TaskClient, filters: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        client.list(**filters)


def test_no_page_is_read_before_it_is_asked_for(
    client: TaskClient, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    submitted(jobs, *range(6))
    pages = []
    search = listing.search_jobs
    monkeypatch.setattr(listing, "search_jobs", lambda *a, **k: (pages.append(1), search(*a, **k))[1])

    records = client.list(task="double")
    assert pages == []
    next(records)
    assert pages == [1]

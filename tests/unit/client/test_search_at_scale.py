"""A page of an indexed filter costs the same few queries with a hundred thousand jobs as with ten."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from serverless_tasks.client.search import JobFilter, JobsPage, search_jobs
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.store.items import DAY_MS, WAITING, Item, index_fields
from tests.support.clock import FakeClock
from tests.support.index_client import IndexClient

COUNT = 100_000
TASKS = tuple(f"task-{number}" for number in range(12))
MOST_QUERIES = 8


def state(number: int, now: int) -> Item:
    """One of the states: four fifths have failed, one every 20 s; one of ten thousand is of the rare task."""
    uuid = str(UUID(int=number * 2_654_435_761 % 2**32 << 96, version=4))
    moment = now - number * 20_000
    status = ("failed", "failed", "failed", "failed", "cancelled" if number % 2 else WAITING)[number % 5]
    waits = status == WAITING
    return {
        "pk": uuid,
        "sk": "s#state",
        "status": "pending" if waits else status,
        "task": "rare" if number % 10_000 == 8_000 else TASKS[number % 12],
        "owner": f"owner-{number % 1000}",
        "tenant": f"tenant-{number % 700}",
        "created": moment - 60_000,
        "expires": moment + 4 * DAY_MS,
        "attempt": 1,
        "started": moment - 30_000,
        "seq": 1,
        "token": "a",
        "messages": 1,  # beside the state: a query for each job, if anybody asked for them
        "ttl": 1,
        **({"not_before": moment + DAY_MS, "expires": now + DAY_MS} if waits else {"finished": moment}),
        **({} if waits else {"error_type": "KeyError", "error": "'x'", "error_public": False}),
        "error_clipped": not waits,
        **index_fields(uuid, status, moment),
    }


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    return FakeClock(1_790_000_000.0)


@pytest.fixture(scope="module")
def filled(clock: FakeClock) -> IndexClient:
    states = (state(number, clock.ms) for number in range(COUNT))
    return IndexClient(states, {"indexed_since": clock.ms - 40 * DAY_MS})


@pytest.fixture
def client(filled: IndexClient) -> Iterator[IndexClient]:
    filled.calls.clear()
    return filled


@pytest.fixture
def table(client: IndexClient, clock: FakeClock) -> Table:
    return Table(client, "jobs", clock, None)


def pages(table: Table, client: IndexClient, filters: JobFilter, most: int = 1000) -> list[JobsPage]:
    """The pages of a search, none of which may cost too much."""
    found: list[JobsPage] = []
    while len(found) < most and (not found or found[-1].cursor is not None):
        client.calls.clear()
        cursor = found[-1].cursor if found else None
        found.append(search_jobs(table, filters, limit=50, names=TASKS, cursor=cursor))
        assert client.calls["Query"] <= MOST_QUERIES
        assert client.calls["BatchGetItem"] <= 6
    return found


@pytest.mark.parametrize("status", ["failed", "cancelled", "waiting"])
def test_a_page_of_a_status_is_four_queries(table: Table, client: IndexClient, status: str) -> None:
    found = pages(table, client, JobFilter(status=status), most=3)
    assert [len(page.records) for page in found] == [50, 50, 50]
    assert client.calls == {"Query": 4, "BatchGetItem": 1}
    assert len({record.uuid for page in found for record in page.records}) == 150


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (JobFilter(status="failed", tasks=("task-1",)), None),
        (JobFilter(status="failed", tasks=("rare",)), 10),
        (JobFilter(status="failed", tasks=("no-such",)), 0),
        (JobFilter(status="failed", owner="owner-8"), 100),
        (JobFilter(status="cancelled", owner="owner-9", tasks=TASKS), 100),
        (JobFilter(status="failed", owner="owner-8", tasks=("task-8",)), None),
    ],
)
def test_a_task_or_an_owner_among_them_is_found_by_as_few(
    table: Table, client: IndexClient, filters: JobFilter, expected: int | None
) -> None:
    found = pages(table, client, filters)
    uuids = [record.uuid for page in found for record in page.records]
    assert len(uuids) == len(set(uuids))
    if expected is not None:
        assert len(uuids) == expected
        assert len(found) <= 6  # each has looked at thousands
        assert sum(page.looked_at for page in found) >= len(uuids)
    finished = [record.finished for page in found for record in page.records]
    assert finished == sorted(finished, reverse=True)
    back_to = [page.looked_back_to for page in found[:-1]]
    assert None not in back_to
    assert found[-1].looked_back_to is None


def test_what_the_index_does_not_tell_is_looked_for_in_five_hundred_states_a_page(
    table: Table, client: IndexClient
) -> None:
    found = pages(table, client, JobFilter(status="failed", tenant="tenant-3"), most=3)
    assert [page.looked_at for page in found] == [500, 500, 500]
    assert client.calls["BatchGetItem"] == 5


def test_a_time_range_is_asked_for_by_the_end_and_by_the_submission(
    table: Table, client: IndexClient, clock: FakeClock
) -> None:
    since, until = clock.ms - 10 * DAY_MS, clock.ms - 10 * DAY_MS + 3_600_000
    by_end = pages(table, client, JobFilter(status="failed", time="finished", since=since, until=until))
    ends = [record.finished for page in by_end for record in page.records]
    assert len(ends) == 144  # four of five, one every 20 s
    assert all(end is not None and since <= end < until for end in ends)

    for none in ({"since": until, "until": since}, {"since": since, "until": since}):
        (page,) = pages(table, client, JobFilter(status="failed", time="finished", **none))
        assert page.records == ()

    submitted = pages(table, client, JobFilter(status="failed", since=clock.ms - 3_600_000))
    created = [record.created for page in submitted for record in page.records]
    assert len(created) == 143  # submitted a minute before their end
    assert min(created) >= clock.ms - 3_600_000


def test_a_short_id_among_them_is_found_by_few(table: Table, client: IndexClient, clock: FakeClock) -> None:
    recent, old = state(5, clock.ms)["pk"], state(20_000, clock.ms)["pk"]
    page = search_jobs(table, JobFilter(id_prefix=recent[:8], status="failed"), limit=50)
    assert [record.uuid for record in page.records] == [recent]
    assert client.calls["Query"] <= MOST_QUERIES
    found = pages(table, client, JobFilter(id_prefix=old[:8], status="failed"))
    assert [record.uuid for page in found for record in page.records] == [old]

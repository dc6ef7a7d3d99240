"""Looking for jobs by task, owner, status and time."""

from serverless_tasks.client import search as listing
from serverless_tasks.client.search import JobFilter, search_jobs
from serverless_tasks.engine.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.jobs import a_message


def filled(clock: FakeClock, count: int, cancelled: int) -> tuple[MemoryStore, list[str]]:
    """A store with jobs, of which the oldest are cancelled; their ids, newest first."""
    store = MemoryStore(clock)
    uuids = []
    for number in range(count):
        message = a_message(clock, owner="7" if number % 2 else None, task=f"task-{number % 3}")
        store.put_jobs([message])
        if number < cancelled:
            store.cancel(message.uuid)
        uuids.insert(0, message.uuid)
        clock.move(1)
    return store, uuids


EVERY = ("task-0", "task-1", "task-2")


def test_a_status_is_looked_for_page_by_page() -> None:
    store, uuids = filled(FakeClock(), 40, cancelled=5)

    page = search_jobs(store, JobFilter(status="cancelled"), limit=10, names=EVERY)

    assert [record.uuid for record in page.records] == uuids[-5:]
    assert page.cursor is None


def test_pages_hold_every_job_once() -> None:
    store, uuids = filled(FakeClock(), 40, cancelled=20)
    filters = JobFilter(status="cancelled")
    found: list[str] = []
    cursor = None
    while True:
        page = search_jobs(store, filters, limit=6, names=EVERY, cursor=cursor)
        found += [record.uuid for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
        assert 6 <= len(page.records) < 12

    assert found == uuids[-20:]


def test_a_rare_status_does_not_read_everything_for_one_page(monkeypatch) -> None:
    monkeypatch.setattr(listing, "LOOKED_AT", 20)
    store, uuids = filled(FakeClock(), 40, cancelled=1)
    filters = JobFilter(status="cancelled")

    first = search_jobs(store, filters, limit=10, names=EVERY)
    second = search_jobs(store, filters, limit=10, names=EVERY, cursor=first.cursor)

    assert (first.records, first.cursor is None) == ((), False)
    assert [record.uuid for record in second.records] == uuids[-1:]


def test_an_owner_is_narrowed_by_task() -> None:
    store, _ = filled(FakeClock(), 12, cancelled=0)

    of_all = search_jobs(store, JobFilter(tasks=(), owner="7"), limit=20, names=EVERY).records
    of_one = search_jobs(store, JobFilter(tasks=("task-1",), owner="7"), limit=20, names=EVERY).records

    assert len(of_all) == 6
    assert {record.task for record in of_one} == {"task-1"}
    assert len(of_one) == 2

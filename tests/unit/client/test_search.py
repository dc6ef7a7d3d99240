"""Looking for jobs by what is known of them; the calls that it costs are in tests/integration/client/test_search.py."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks import Task
from serverless_tasks.client import search, ways
from serverless_tasks.client.search import JobFilter, JobsPage, known_names, search_jobs
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.store.base import Store
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.errors import InvalidCursor, TaskNotFound
from serverless_tasks.params import IntParameter
from serverless_tasks.testing import recorded
from serverless_tasks.workflow import group
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

EVERY = ("task-0", "task-1", "task-2")
BROKEN = Failure(type="KeyError", message="'x'")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Store:
    return MemoryStore(clock)


def submitted(store: Store, clock: FakeClock, count: int, **given: Any) -> list[Message]:
    """Jobs a second apart, newest first."""
    made = []
    for number in range(count):
        message = a_message(
            clock, **{"owner": "7" if number % 2 else None, "task": EVERY[number % 3], **given}
        )
        store.put_jobs([message])
        made.insert(0, message)
        clock.move(1)
    return made


def ended(store: Store, clock: FakeClock, message: Message, *, failure: Failure | None = None) -> None:
    claim = store.claim(message, token="a", lease=clock.ms + 60_000, request_id="r")
    clock.move(1)
    if failure is None:
        store.succeed(message.uuid, claim, Snapshot(1), {})
    else:
        store.fail(message.uuid, claim, Snapshot(1), failure)


def ids(jobs: Sequence[Any]) -> list[str]:
    return [job.uuid for job in jobs]


def pages(store: Store, filters: JobFilter, limit: int) -> list[JobsPage]:
    found = [search_jobs(store, filters, limit=limit, names=EVERY)]
    while (cursor := found[-1].cursor) is not None:
        found.append(search_jobs(store, filters, limit=limit, names=EVERY, cursor=cursor))
    return found


def test_jobs_of_all_known_tasks_are_listed_newest_first(store: Store, clock: FakeClock) -> None:
    jobs = submitted(store, clock, 12)
    found = pages(store, JobFilter(), 5)
    assert [ids(page.records) for page in found] == [ids(jobs[:5]), ids(jobs[5:10]), ids(jobs[10:])]
    assert [(page.looked_at, page.looked_back_to) for page in found] == [
        (5, jobs[4].created),
        (5, jobs[9].created),
        (2, None),
    ]


def test_pages_of_an_indexed_status_hold_every_job_once(store: Store, clock: FakeClock) -> None:
    jobs = submitted(store, clock, 40)
    for job in jobs[20:]:
        store.cancel(job.uuid)
    found = pages(store, JobFilter(status="cancelled"), 6)
    assert [len(page.records) for page in found] == [6, 6, 6, 2]
    # By when they were cancelled: the fixture has cancelled all at one moment.
    assert {uuid for page in found for uuid in ids(page.records)} == set(ids(jobs[20:]))


def test_the_failed_are_listed_by_their_end(store: Store, clock: FakeClock) -> None:
    jobs = submitted(store, clock, 3)
    for job in jobs:
        ended(store, clock, job, failure=BROKEN)
    assert ids(search_jobs(store, JobFilter(status="failed"), limit=10).records) == ids(jobs[::-1])


@pytest.mark.parametrize(
    ("time", "expected"), [("submitted", [3, 4]), ("started", [0]), ("finished", [0, 1])]
)
def test_the_time_is_the_one_that_is_asked_for(
    store: Store, clock: FakeClock, time: str, expected: list[int]
) -> None:
    """Five jobs are submitted from second 0 to 4; from second 5 on one starts each second, and ends in the next."""
    start = clock.ms
    jobs = submitted(store, clock, 5)[::-1]
    for number in (0, 1, 3, 4):
        ended(store, clock, jobs[number], failure=BROKEN)
    since, until = {
        "submitted": (start + 3000, start + 5000),
        "started": (start, start + 6000),
        "finished": (start + 6000, start + 8000),
    }[time]
    filters = JobFilter(status="failed", time=time, since=since, until=until)
    assert sorted(ids(search_jobs(store, filters, limit=10).records)) == sorted(
        jobs[number].uuid for number in expected
    )


@pytest.mark.parametrize("time", ["started", "finished"])
def test_times_of_what_no_index_lists_are_right_as_well(store: Store, clock: FakeClock, time: str) -> None:
    start = clock.ms
    jobs = submitted(store, clock, 5)[::-1]
    for job in jobs[:3]:
        ended(store, clock, job)
    filters = JobFilter(status="succeeded", time=time, since=start + 6000, until=start + 7000)
    (record,) = search_jobs(store, filters, limit=10, names=EVERY).records
    assert record.uuid == {"started": jobs[1], "finished": jobs[0]}[time].uuid


def test_what_no_index_tells_is_looked_for_in_so_many_jobs(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (search, ways):
        monkeypatch.setattr(module, "LOOKED_AT", 20)
    jobs = submitted(store, clock, 50)
    ended(store, clock, jobs[-1])
    found = pages(store, JobFilter(status="succeeded"), 5)
    assert [ids(page.records) for page in found] == [[], [], ids(jobs[-1:])]
    assert [(page.looked_at, page.looked_back_to) for page in found] == [
        (20, jobs[19].created),
        (20, jobs[39].created),
        (10, None),
    ]


def test_a_large_page_looks_at_no_more(store: Store, clock: FakeClock) -> None:
    store.put_jobs([a_message(clock, task="task-0") for _ in range(600)])
    page = search_jobs(store, JobFilter(status="succeeded"), limit=400, names=EVERY)
    assert (page.records, page.looked_at) == ((), 500)


def test_a_page_of_what_no_index_tells_is_no_longer_than_asked_for(store: Store, clock: FakeClock) -> None:
    jobs = submitted(store, clock, 30, tenant="acme")
    found = pages(store, JobFilter(tenant="acme"), 7)
    assert [len(page.records) for page in found] == [7, 7, 7, 7, 2]
    assert [uuid for page in found for uuid in ids(page.records)] == ids(jobs)


def test_a_page_of_the_failed_with_an_error_is_no_longer_than_asked_for(
    store: Store, clock: FakeClock
) -> None:
    jobs = submitted(store, clock, 9)
    for number, job in enumerate(jobs):
        ended(store, clock, job, failure=BROKEN if number % 3 else Failure(type="ValueError", message=""))
    found = pages(store, JobFilter(error_type="KeyError"), 4)
    expected = [job for number, job in enumerate(jobs) if number % 3][::-1]
    assert [ids(page.records) for page in found] == [ids(expected[:4]), ids(expected[4:])]


def test_an_error_is_looked_for_among_the_failed_and_a_cancellation_among_the_cancelled(
    store: Store, clock: FakeClock
) -> None:
    failed, stopped = submitted(store, clock, 2, task="of no known name")
    ended(store, clock, failed, failure=BROKEN)
    store.cancel(stopped.uuid)
    assert ids(search_jobs(store, JobFilter(error_type="KeyError"), limit=5).records) == [failed.uuid]
    assert ids(search_jobs(store, JobFilter(error_type="TaskCancelled"), limit=5).records) == [stopped.uuid]
    assert search_jobs(store, JobFilter(fingerprint="no-such"), limit=5).records == ()


def test_what_waits_for_a_retry_or_a_worker_is_found_however_old_it_is(
    store: Store, clock: FakeClock
) -> None:
    paused, returned, *_ = jobs = submitted(store, clock, 40)
    claim = store.claim(paused, token="a", lease=clock.ms + 60_000, request_id="r")
    again = replace(paused, expires=paused.expires + 86_400_000)
    store.retry(again, claim, Snapshot(1), BROKEN, not_before=clock.ms + 86_400_000)
    clock.move(1)
    store.returned(returned, BROKEN)
    page = search_jobs(store, JobFilter(status="waiting"), limit=10)
    assert ids(page.records) == ids(jobs[1::-1])
    assert (page.cursor, page.looked_at) == (None, 2)
    clock.move(4 * 86_400 + 3600)  # returned, and never delivered again: it reads as failed
    page = search_jobs(store, JobFilter(status="waiting"), limit=10)
    assert [(record.uuid, record.status) for record in page.records] == [
        (returned.uuid, "failed"),
        (paused.uuid, "pending"),
    ]


def test_an_owner_is_narrowed_by_task(store: Store, clock: FakeClock) -> None:
    submitted(store, clock, 12)
    of_all = search_jobs(store, JobFilter(owner="7"), limit=20).records
    of_one = search_jobs(store, JobFilter(tasks=("task-1",), owner="7"), limit=20).records
    assert len(of_all) == 6
    assert ids(of_one) == [record.uuid for record in of_all if record.task == "task-1"]
    assert len(of_one) == 2


def test_a_whole_id_is_read_at_once_and_must_fit_the_rest(store: Store, clock: FakeClock) -> None:
    (job,) = submitted(store, clock, 1)
    page = search_jobs(store, JobFilter(id_prefix=job.uuid.upper()), limit=5)
    assert (ids(page.records), page.cursor, page.looked_at) == ([job.uuid], None, 1)
    assert search_jobs(store, JobFilter(id_prefix=job.uuid, owner="8"), limit=5).records == ()
    stranger = "0b0c3f0a-6a8e-4c59-8f64-0b7d2d5f3a51"
    page = search_jobs(store, JobFilter(id_prefix=stranger), limit=5)
    assert (page.records, page.cursor, page.looked_at) == ((), None, 0)


def test_a_short_id_is_looked_for_among_the_failed_first_and_then_among_all(
    store: Store, clock: FakeClock
) -> None:
    first, second, *_ = submitted(store, clock, 5)
    ended(store, clock, second, failure=BROKEN)
    page = search_jobs(store, JobFilter(id_prefix=second.uuid[:8]), limit=5)
    assert ids(page.records) == [second.uuid]  # under no name that is known here
    page = search_jobs(store, JobFilter(id_prefix=first.uuid[:8].upper()), limit=5, names=EVERY)
    assert (ids(page.records), page.cursor) == ([first.uuid], None)
    page = search_jobs(store, JobFilter(id_prefix=first.uuid[:8], status="running"), limit=5, names=EVERY)
    assert page.records == ()
    page = search_jobs(store, JobFilter(id_prefix=second.uuid[:8], status="failed"), limit=5)
    assert ids(page.records) == [second.uuid]


def test_a_beginning_of_many_ids_is_looked_for_in_pages(store: Store, clock: FakeClock) -> None:
    jobs = [
        a_message(clock, uuid=f"abc{number:05}-0000-4000-8000-000000000000", task="task-0")
        for number in range(7)
    ]
    store.put_jobs(jobs)
    found = pages(store, JobFilter(id_prefix="abc"), 3)
    assert [uuid for page in found for uuid in ids(page.records)] == sorted(ids(jobs), reverse=True)


class Odd(Task):
    name = "odd"
    inputs = {"number": IntParameter()}

    def run(self, number: int) -> None:
        if number % 2 == 0:
            raise KeyError(number)


def test_the_members_of_a_group_are_found_by_their_index(immediate: Services) -> None:
    uuid = group(Odd.signature(number=number) for number in range(25)).submit().uuid
    Odd.submit(number=1)
    found = pages(immediate.store, JobFilter(group=uuid), 10)
    assert [len(page.records) for page in found] == [10, 10, 5]
    assert {record.group for page in found for record in page.records} == {uuid}
    failed = pages(immediate.store, JobFilter(group=uuid, status="failed", error_type="KeyError"), 10)
    assert [len(page.records) for page in failed] == [10, 3]
    assert pages(immediate.store, JobFilter(group=uuid, owner="nobody"), 10)[-1].records == ()


def test_a_group_that_nobody_knows_is_told(store: Store) -> None:
    with pytest.raises(TaskNotFound):
        search_jobs(store, JobFilter(group="0b0c3f0a-6a8e-4c59-8f64-0b7d2d5f3a51"), limit=5)


@pytest.mark.parametrize("cursor", ["", "nonsense", "failed.", "submitted.nonsense", "member.3"])
def test_a_cursor_of_another_search_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        search_jobs(store, JobFilter(), limit=5, names=EVERY, cursor=cursor)


def test_the_known_names_are_those_of_the_tasks_here_of_groups_and_of_the_deployed_build() -> None:
    with recorded(Odd) as jobs:
        assert known_names(jobs.services) == ("chain", "group", "odd")

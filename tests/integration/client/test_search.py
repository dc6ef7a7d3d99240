"""Looking for jobs in the table: those that the version before has ended, and the calls that it costs."""

import json
from pathlib import Path
from typing import Any

import pytest

from serverless_tasks.client.search import JobFilter, JobsPage, known_names, search_jobs
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.manifest.build import Manifest
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.store.items import DAY_MS
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message
from tests.support.stores import aws_account, config, table
from tests.support.tasks import Double

__all__ = ["aws_account", "config", "table"]

RECORDED = json.loads(
    (Path(__file__).parents[2] / "events/jobs_of_the_version_before.json").read_text(encoding="utf-8")
)["items"]
NOW = 1_790_000_000.0
# What stands in the record as failed: one of them only because nobody has delivered it in time.
FAILED = {each["uuid"] for each in RECORDED if each["kind"] in ("failed", "failed, clipped", "settled")}
CANCELLED = {each["uuid"] for each in RECORDED if each["kind"] == "cancelled"}
NAMES = ("sum", "work")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def upgraded(table: Table, config: Config, clock: FakeClock) -> dict[str, Message]:
    """A table of the version before, to which this one has come, and jobs that have ended since: a day later."""
    for each in RECORDED:
        for item in each["items"]:
            session.client("dynamodb").put_item(TableName=config.table, Item=item)
    clock.move(86_400)
    ended = {}
    for status in ("failed", "cancelled", "succeeded"):
        message = ended[status] = a_message(clock, owner="ada" if status == "failed" else None)
        table.put_jobs([message])
        claim = table.claim(message, token="a", lease=clock.ms + 60_000, request_id="r")
        if status == "succeeded":
            table.succeed(message.uuid, claim, Snapshot(1), {})
        else:
            table.fail(
                message.uuid, claim, Snapshot(1), Failure(type="KeyError", message="'x'"), status=status
            )
    return ended


def keep_mark(config: Config, clock: FakeClock, since: int | None) -> None:
    """What a worker that began then has written."""
    store = Services(config, clock=clock, registry=Registry()).manifest_store
    assert store is not None
    store.write(Manifest(build="b", since=1, indexed_since=since))


def pages(table: Table, filters: JobFilter, limit: int = 50) -> list[JobsPage]:
    found = [search_jobs(table, filters, limit=limit, names=NAMES)]
    while (cursor := found[-1].cursor) is not None:
        found.append(search_jobs(table, filters, limit=limit, names=NAMES, cursor=cursor))
    return found


def uuids(page: JobsPage) -> set[str]:
    return {record.uuid for record in page.records}


class TestTheVersionBefore:
    """Its workers have ended jobs without listing them under their status."""

    @pytest.mark.parametrize(("status", "old"), [("failed", FAILED), ("cancelled", CANCELLED)])
    def test_what_it_has_ended_is_found_after_what_is_indexed(
        self, table: Table, upgraded: dict[str, Message], status: str, old: set[str]
    ) -> None:
        assert len(old) == {"failed": 3, "cancelled": 1}[status]

        indexed, *before = pages(table, JobFilter(status=status))

        assert uuids(indexed) == {upgraded[status].uuid}
        assert [uuids(page) for page in before] == [
            old,
            set(),
        ]  # 31 days of two tasks are looked at in two steps
        assert before[-1].looked_back_to is None

    def test_it_is_found_by_task_owner_error_and_time_as_well(
        self, table: Table, upgraded: dict[str, Message], clock: FakeClock
    ) -> None:
        of_ada = {each["uuid"] for each in RECORDED if each["uuid"] in FAILED and each["owner"] == "ada"}
        assert 0 < len(of_ada) < len(FAILED)

        assert [uuids(page) for page in pages(table, JobFilter(status="failed", owner="ada"))] == [
            {upgraded["failed"].uuid},
            of_ada,
        ]
        assert [uuids(page) for page in pages(table, JobFilter(status="failed", tasks=("work",)))] == [
            set(),
            FAILED,
        ]
        at = {"since": round(NOW * 1000), "until": round(NOW * 1000) + 1}
        for time in ("submitted", "finished"):
            found = pages(table, JobFilter(status="failed", time=time, **at))
            assert [uuids(page) for page in found][:2] == [set(), FAILED]
        (settled,) = (each["uuid"] for each in RECORDED if each["kind"] == "settled")
        error = next(each["record"]["error"]["type"] for each in RECORDED if each["uuid"] == settled)
        found = pages(table, JobFilter(error_type=error))
        assert [uuids(page) for page in found if page.records] == [{settled}]

    @pytest.mark.parametrize("limit", [1, 2])
    def test_its_pages_hold_every_job_once(
        self, table: Table, upgraded: dict[str, Message], limit: int
    ) -> None:
        found = [
            record.uuid for page in pages(table, JobFilter(status="failed"), limit) for record in page.records
        ]

        assert found[0] == upgraded["failed"].uuid
        assert sorted(found[1:]) == sorted(FAILED)

    def test_it_is_looked_for_as_long_as_the_mark_says_that_some_may_be_there(
        self, table: Table, config: Config, upgraded: dict[str, Message], clock: FakeClock
    ) -> None:
        keep_mark(config, clock, clock.ms)

        assert uuids(pages(table, JobFilter(status="failed"))[1]) == FAILED

    @pytest.mark.parametrize(
        ("days", "asked"),
        [(29, True), (30.9, True), (31.1, False), (300, False)],  # one day is the rolling deployment's
    )
    def test_it_is_looked_for_no_longer_than_jobs_are_listed(
        self, table: Table, config: Config, clock: FakeClock, days: float, asked: bool
    ) -> None:
        keep_mark(config, clock, clock.ms - int(days * DAY_MS))

        page = search_jobs(table, JobFilter(status="failed"), limit=5, names=NAMES)

        assert (page.cursor is not None) == asked

    def test_it_is_not_looked_for_on_a_table_that_it_never_had(
        self, table: Table, config: Config, clock: FakeClock
    ) -> None:
        services = Services(config, clock=clock, registry=Registry())
        clock.move(services.manifest_store.made() / 1000 - clock.now() + 600)
        services.build_record.write()

        assert search_jobs(table, JobFilter(status="failed"), limit=5, names=NAMES).cursor is None

    def test_nothing_submitted_after_the_deployment_is_looked_for_among_its_jobs(
        self, table: Table, config: Config, upgraded: dict[str, Message], clock: FakeClock
    ) -> None:
        keep_mark(config, clock, round(NOW * 1000) - DAY_MS - 1)  # and a day for the workers that were there

        found = pages(table, JobFilter(status="failed"))
        later = pages(table, JobFilter(status="failed", since=round(NOW * 1000)))

        assert [uuids(page) for page in found if page.records] == [{upgraded["failed"].uuid}]
        assert len(found) > 1
        assert [uuids(page) for page in later] == [{upgraded["failed"].uuid}]

    def test_what_waits_is_not_looked_for_job_by_job(
        self, table: Table, upgraded: dict[str, Message]
    ) -> None:
        (page,) = pages(table, JobFilter(status="waiting"))

        assert page.records == ()


class TestCalls:
    def test_a_page_of_an_indexed_status_is_four_queries_and_the_mark_is_read_once(
        self, table: Table, config: Config, upgraded: dict[str, Message], clock: FakeClock
    ) -> None:
        keep_mark(config, clock, 0)
        with counted_calls() as first:
            search_jobs(table, JobFilter(status="failed"), limit=50)
        with counted_calls() as second:
            search_jobs(table, JobFilter(status="failed"), limit=50)

        assert first == {"Query": 4, "BatchGetItem": 2}
        assert second == {"Query": 4, "BatchGetItem": 1}

    def test_messages_outputs_and_long_errors_are_not_read_for_a_list(
        self, table: Table, clock: FakeClock
    ) -> None:
        """As one query a job, these were most of what a search cost."""
        for number in range(8):
            message = a_message(clock)
            table.put_jobs([message])
            claim = table.claim(message, token="a", lease=clock.ms + 60_000, request_id="r")
            snapshot = Snapshot(1, messages=("a message",))
            if number % 2:
                table.fail(message.uuid, claim, snapshot, Failure(type="KeyError", message="x" * 1000))
            else:
                table.succeed(message.uuid, claim, snapshot, {"text": "x" * 1000})

        with counted_calls() as failed:
            assert len(search_jobs(table, JobFilter(status="failed"), limit=50).records) == 4
        now = clock.ms
        with counted_calls() as succeeded:
            filters = JobFilter(status="succeeded", since=now)
            assert len(search_jobs(table, filters, limit=50, names=("sum",)).records) == 4

        assert failed == {"Query": 4, "BatchGetItem": 2}
        assert succeeded == {"Query": 4, "BatchGetItem": 1}

    def test_a_search_among_jobs_asks_a_bounded_number_of_days_for_a_page(
        self, table: Table, clock: FakeClock
    ) -> None:
        names = [f"task-{number}" for number in range(10)]
        old = a_message(clock, task="task-3", created=clock.ms - 20 * DAY_MS, tenant="acme")
        table.put_jobs([old])
        found, cursor, days = [], None, []
        while True:
            with counted_calls() as calls:
                page = search_jobs(table, JobFilter(tenant="acme"), limit=5, names=names, cursor=cursor)
            assert calls["Query"] <= 128
            found += page.records
            days.append(page.looked_back_to)
            if (cursor := page.cursor) is None:
                break

        assert [record.uuid for record in found] == [old.uuid]
        assert days[0] == (clock.ms // DAY_MS - 2) * DAY_MS - 1  # three days are 120 queries
        assert len(days) == 11

    def test_a_short_id_is_found_by_a_bounded_number_of_queries(
        self, table: Table, upgraded: dict[str, Message], clock: FakeClock
    ) -> None:
        wanted = upgraded["succeeded"].uuid
        with counted_calls() as calls:
            page = search_jobs(table, JobFilter(id_prefix=wanted[:8]), limit=5, names=NAMES)
        assert [record.uuid for record in page.records] == [wanted]
        assert calls["Query"] <= 3 * 8 + 128

        with counted_calls() as of_failed:
            page = search_jobs(table, JobFilter(id_prefix=upgraded["failed"].uuid[:8]), limit=5, names=NAMES)
        assert uuids(page) == {upgraded["failed"].uuid}
        assert of_failed["Query"] <= 3 * 8

    def test_a_whole_id_is_one_query(self, table: Table, upgraded: dict[str, Message]) -> None:
        with counted_calls() as calls:
            page = search_jobs(table, JobFilter(id_prefix=upgraded["failed"].uuid), limit=5)
        assert uuids(page) == {upgraded["failed"].uuid}
        assert calls == {"Query": 1}

    def test_the_owners_jobs_of_a_task_are_selected_by_the_index(
        self, table: Table, clock: FakeClock
    ) -> None:
        table.put_jobs([a_message(clock, owner="7", task="other") for _ in range(30)])
        table.put_jobs([job := a_message(clock, owner="7", task="rare")])
        with counted_calls() as calls:
            page = search_jobs(table, JobFilter(owner="7", tasks=("rare",)), limit=5)
        assert (uuids(page), page.looked_at) == ({job.uuid}, 31)
        # The last one reads in the manifest when the table was made.
        assert calls == {"Query": 31 * 2, "BatchGetItem": 2 + 1}


def test_a_job_that_waits_in_its_queue_is_found_by_what_its_own_item_tells(
    table: Table, clock: FakeClock
) -> None:
    wanted = a_message(clock, tenant="acme", queue="low", run_at=clock.ms + 60_000)
    table.put_jobs([wanted, a_message(clock, tenant="other"), a_message(clock, queue="high")])
    with counted_calls() as calls:
        (record,) = search_jobs(table, JobFilter(tenant="acme", since=clock.ms), limit=5, names=NAMES).records
    assert (record.uuid, record.queue, record.tenant, record.run_at) == (
        wanted.uuid,
        "low",
        "acme",
        wanted.run_at,
    )
    assert calls == {"Query": 2 * 4, "BatchGetItem": 2}


def test_the_names_of_the_deployed_tasks_are_known_without_their_code(
    config: Config, clock: FakeClock
) -> None:
    deployed = Services(config, clock=clock, registry=(registry := Registry()))
    registry.add(Double)
    deployed.build_record.write_once()
    here = Services(config, clock=clock, registry=Registry())

    with counted_calls() as calls:
        assert known_names(here) == ("chain", "double", "group")
        assert known_names(here) == ("chain", "double", "group")

    assert calls == {"GetItem": 1}
    clock.move(601)
    with counted_calls() as later:
        known_names(here)
    assert later == {"GetItem": 1}


def test_in_a_process_without_a_table_the_names_are_those_of_its_code() -> None:
    services: Any = Services(Config(), backend="immediate", registry=Registry())
    assert known_names(services) == ("chain", "group")

"""The members of a group, page by page."""

from typing import Any

import pytest

from serverless_tasks import Task
from serverless_tasks.client.members import MembersPage, members_page
from serverless_tasks.engine.services import Services, current_services
from serverless_tasks.errors import ConfigurationError, InvalidCursor, TaskNotFound, WorkflowError
from serverless_tasks.params import IntParameter
from serverless_tasks.testing import recorded
from serverless_tasks.workflow import chain, group, previous

UNKNOWN = "0b0c3f0a-6a8e-4c59-8f64-0b7d2d5f3a51"


class Odd(Task):
    """Fails for even numbers."""

    name = "odd"
    inputs = {"number": IntParameter()}
    outputs = {"number": IntParameter()}

    def run(self, number: int) -> int:
        if number % 2 == 0:
            raise ValueError(f"{number} is even")
        return number


def pages(services: Services, uuid: str, **given: Any) -> list[MembersPage]:
    found = [members_page(services.store, uuid, **given)]
    while (cursor := found[-1].cursor) is not None:
        found.append(members_page(services.store, uuid, cursor=cursor, **given))
    return found


@pytest.fixture
def of_450(immediate: Services) -> str:
    return group(Odd.signature(number=number) for number in range(450)).submit().uuid


def test_pages_have_every_member_once_in_the_order_of_the_index(immediate: Services, of_450: str) -> None:
    found = pages(immediate, of_450, limit=100)
    assert [len(page.records) for page in found] == [100, 100, 100, 100, 50]
    assert [index for page in found for index in page.indices] == list(range(450))
    outputs = [record.outputs.get("number") for page in found for record in page.records]
    assert outputs == [number if number % 2 else None for number in range(450)]
    assert {record.group for page in found for record in page.records} == {of_450}


@pytest.mark.parametrize(("status", "remainder"), [("succeeded", 1), ("failed", 0)])
def test_pages_of_one_status(immediate: Services, of_450: str, status: str, remainder: int) -> None:
    found = pages(immediate, of_450, status=status, limit=50)
    assert [index for page in found for index in page.indices] == list(range(remainder, 450, 2))
    assert {record.status for page in found for record in page.records} == {status}
    assert [len(page.records) for page in found] == [50, 50, 50, 50, 25]  # the last is known to be it


def test_a_page_without_members_is_the_last(immediate: Services, of_450: str) -> None:
    assert members_page(immediate.store, of_450, status="cancelled") == MembersPage(records=(), indices=())
    assert members_page(immediate.store, group([]).submit().uuid) == MembersPage(records=(), indices=())


def test_a_page_reads_its_members_and_no_others(immediate: Services, of_450: str, monkeypatch) -> None:
    store = immediate.store
    read: list[str] = []
    read_many, shards = store.read_many, store.groups.shards

    def watched_read_many(uuids: list[str], **given: Any) -> Any:
        read.append(f"{len(uuids)} members")
        return read_many(uuids, **given)

    def watched_shards(uuid: str, total: int) -> Any:
        read.append("shards")
        return shards(uuid, total)

    monkeypatch.setattr(store, "read_many", watched_read_many)
    monkeypatch.setattr(store.groups, "shards", watched_shards)
    members_page(immediate.store, of_450, cursor="9", limit=20)
    assert read == ["20 members"]
    members_page(immediate.store, of_450, status="failed", limit=20)
    assert read == ["20 members", "shards", "20 members"]


def test_members_that_wait_are_there_and_those_that_were_not_sent_are_not() -> None:
    with recorded(Odd) as jobs:
        waiting = group([Odd.signature(number=1), Odd.signature(number=2)]).submit()
        steps = chain(Odd.signature(number=1), Odd.signature(number=previous["number"])).submit()
        services = current_services()
        statuses = [record.status for record in members_page(services.store, waiting.uuid).records]
        assert statuses == ["pending", "pending"]
        assert members_page(services.store, waiting.uuid, status="succeeded").records == ()
        assert members_page(services.store, steps.uuid).indices == (0,)
        jobs.drain()
        assert members_page(services.store, steps.uuid).indices == (0, 1)
        assert members_page(services.store, waiting.uuid, status="failed").indices == (1,)


def test_a_group_that_retries_another_has_its_succeeded_members(immediate: Services) -> None:
    first = group([Odd.signature(number=1), Odd.signature(number=2)]).submit()
    again = first.retry_failed()
    page = members_page(immediate.store, again.uuid)
    assert [record.group for record in page.records] == [first.uuid, again.uuid]
    assert members_page(immediate.store, again.uuid, status="succeeded").records == page.records[:1]


def test_what_is_no_group_is_named(immediate: Services) -> None:
    job = Odd.submit(number=1)
    with pytest.raises(WorkflowError, match="is no group and no chain"):
        members_page(immediate.store, job.uuid)
    with pytest.raises(TaskNotFound):
        members_page(immediate.store, UNKNOWN)


@pytest.mark.parametrize("status", ["pending", "running", "Failed", ""])
def test_a_status_that_is_not_counted_is_refused(immediate: Services, of_450: str, status: str) -> None:
    with pytest.raises(ConfigurationError, match="name cancelled, failed, succeeded, or none"):
        members_page(immediate.store, of_450, status=status)


@pytest.mark.parametrize("cursor", ["", "x", "-1", "450", "0449", "1_0", "٣", "9" * 5_000])
def test_a_cursor_of_somewhere_else_is_refused(immediate: Services, of_450: str, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        members_page(immediate.store, of_450, cursor=cursor)


def test_a_deleted_member_is_left_out(immediate: Services, of_450: str) -> None:
    gone = members_page(immediate.store, of_450, limit=1).records[0]
    immediate.delete(gone.uuid)
    page = members_page(immediate.store, of_450, limit=2)
    assert (page.indices, page.cursor) == ((1,), "1")
    assert members_page(immediate.store, of_450, cursor=page.cursor, limit=1).indices == (2,)

"""Who is told of each job that is written hears of all of them."""

import inspect
from typing import Any

import pytest

from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.base import Store
from serverless_tasks.engine.store.group import Groups
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.store.observed import _ObservedGroups, _ObservedStore, observed
from serverless_tasks.errors import TaskNotFound
from serverless_tasks.workflow import group
from tests.support.clock import FakeClock
from tests.support.tasks import Double

READS = {
    "read",
    "deleted",
    "read_many",
    "changed",
    "job",
    "list_owner",
    "owner_uuids",
    "list_tasks",
    "list_states",
    "find_jobs",
    "indexed_since",
    "item_of",
    "cancel_requested",
}
READS_OF_GROUPS = {"get", "shards"}


def message(uuid: str) -> Message:
    return Message(uuid=uuid, task="sum", inputs={}, created=1, expires=2_000_000_000_000)


def test_all_that_a_store_does_is_known_to_write_or_not_to() -> None:
    done = {name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
    writes = {name for name in vars(_ObservedStore) if not name.startswith("_")}
    assert done == READS | writes - {"groups"}
    done = {name for name, _ in inspect.getmembers(Groups, inspect.isfunction) if not name.startswith("_")}
    writes = {name for name in vars(_ObservedGroups) if not name.startswith("_")}
    assert done == READS_OF_GROUPS | writes


def test_a_group_is_told_whenever_it_was_written() -> None:
    told: list[tuple[str, int]] = []
    clock = FakeClock()
    plain = MemoryStore(clock)

    def written(uuid: str) -> None:
        record = plain.read(uuid)
        if record is not None and record.members is not None:
            told.append((record.status, record.members.ended))

    with use(Services(Config(), backend="immediate", clock=clock, store=plain, on_write=written)):
        group(Double.signature(number=number) for number in range(2)).submit()
    assert told == [
        ("running", 0),  # opened
        ("running", 0),  # its job item
        ("running", 1),
        ("running", 2),
        ("running", 2),  # its one shard is full
        ("succeeded", 2),
    ]


def test_each_job_is_told_once_it_is_written() -> None:
    told: list[tuple[str, str | None]] = []
    plain = MemoryStore(FakeClock())

    def written(uuid: str) -> None:
        record = plain.read(uuid)
        told.append((uuid, record and record.status))

    store = observed(plain, written)
    store.put_jobs([message("a"), message("b")])
    store.claim(message("a"), token="t", lease=2_000_000_000_000, request_id="r")
    store.cancel("b")
    assert told == [("a", "pending"), ("b", "pending"), ("a", "running"), ("b", "cancelled")]


def test_a_write_that_fails_may_have_been_applied() -> None:
    told: list[str] = []
    with pytest.raises(TaskNotFound):
        observed(MemoryStore(FakeClock()), told.append).cancel("a")
    assert told == ["a"]


def test_reading_is_told_nobody() -> None:
    told: list[str] = []
    store = observed(MemoryStore(FakeClock()), told.append)
    assert (store.read("a"), store.any_size, told) == (None, True, [])


@pytest.mark.parametrize("listens", [True, False])
def test_services_tell_of_what_they_write_where_somebody_listens(listens: bool) -> None:
    told: list[str] = []
    services = Services(Config(), backend="immediate", on_write=told.append if listens else None)
    services.store.put_jobs([message("a")])
    assert told == (["a"] if listens else [])
    own: Any = services.store
    assert isinstance(own, MemoryStore) is not listens

"""Deleting a job that failed from memory, of which statistics keep an example."""

from __future__ import annotations

from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.jobs import a_message


def deleted(clock: FakeClock, fingerprint: str) -> tuple[str, list[tuple[str, str, int]]]:
    forgotten: list[tuple[str, str, int]] = []
    store = MemoryStore(clock, lambda *given: forgotten.append(given))
    message = a_message(clock)
    claim = store.claim(message, token="t", lease=clock.ms + 1000, request_id="")
    failure = Failure(type="ValueError", message="no", fingerprint=fingerprint)
    store.fail(message.uuid, claim, Snapshot(seq=1), failure)
    store.delete(message.uuid)
    return message.uuid, forgotten


def test_it_is_forgotten_by_its_fingerprint_and_when_it_failed(clock: FakeClock) -> None:
    uuid, forgotten = deleted(clock, "38b0eccf19f4")
    assert forgotten == [("38b0eccf19f4", uuid, clock.ms)]


def test_without_a_fingerprint_there_is_nothing_to_forget(clock: FakeClock) -> None:
    assert deleted(clock, "")[1] == []

"""What a site makes anew in a process that its server forks, as gunicorn does with `--preload`."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud import tasks_v2

from django_integration.cloud_tasks import CloudTasksBackend
from django_integration.web.auth import jwks
from django_integration.web.auth.jwks import KeySet
from django_integration.web.live.shared_reads import SharedReads
from django_integration.web.live.watcher import Watcher, watcher
from serverless_tasks.engine.job.record import Record
from tests.django.web.auth.test_oidc import public
from tests.support.clock import FakeClock
from tests.support.forks import Child, held, underway


def test_a_child_waits_for_no_read_of_its_parents() -> None:
    reads = SharedReads(1.0, FakeClock())

    def lead(there: Callable[[], None]) -> None:
        reads.read("1", lambda uuid: there())

    def progress() -> Any:
        sight = reads.read("1", lambda uuid: Record(uuid=uuid, task="sum", progress=7))
        return None if sight is None else json.loads(sight.data)["progress"]

    with underway(lead):
        assert Child(progress).result() == 7


def test_a_child_reads_though_another_thread_looked_at_what_is_kept() -> None:
    reads = SharedReads(1.0, FakeClock())

    with held(reads._lock):
        assert Child(lambda: reads.read("1", lambda _: None)).result() is None


def test_a_child_asks_for_the_keys_that_its_parent_was_asking_for(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = KeySet("https://issuer.example.com", "https://issuer.example.com/keys", FakeClock())
    answer = {"keys": [public("one", rsa.generate_private_key(65537, 2048))]}

    def ask(there: Callable[[], None]) -> None:
        def late(_: str) -> Any:
            there()
            return answer

        monkeypatch.setattr(jwks, "_get", late)
        assert keys.find("one")

    with underway(ask):
        monkeypatch.setattr(jwks, "_get", lambda _: answer)
        assert Child(lambda: keys.find("one") is not None).result()


def test_a_loop_that_goes_on_in_a_child_has_a_watcher_of_its_own() -> None:
    async def watching() -> Watcher:
        return watcher()

    with asyncio.Runner() as runner:
        of_parent = runner.run(watching())

        assert Child(lambda: runner.run(watching()) is not of_parent).result()
        assert runner.run(watching()) is of_parent


def test_a_child_has_a_client_of_cloud_tasks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks_v2, "CloudTasksClient", object)
    backend = CloudTasksBackend("p", "l", "q", "https://shop.example.com", "robot@example.com")
    of_parent = backend._client

    assert Child(lambda: backend._client is not of_parent).result()
    assert backend._client is of_parent

"""What a task finds of Django when it begins, and what it leaves."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.tasks import task
from django.urls import get_urlconf, set_urlconf
from django.utils import timezone, translation

from serverless_tasks import Task
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.services import Services, current_services, use
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.params import Parameter
from tests.django.conftest import queued

pytestmark = pytest.mark.django_db(transaction=True)
FRESH = ["en-us", "America/Chicago", None]


def state() -> list[Any]:
    return [translation.get_language(), timezone.get_current_timezone_name(), get_urlconf()]


def sees_and_activates() -> list[Any]:
    seen = state()
    translation.activate("de")
    timezone.activate("Europe/Berlin")
    set_urlconf("tests.django.own_urls")
    return seen


class Sees(Task):
    name = "sees.django"
    outputs = {"result": Parameter()}

    def run(self) -> list[Any]:
        return sees_and_activates()


class SeesInCoroutine(Task):
    name = "sees.django.in.coroutine"
    outputs = {"result": Parameter()}

    async def run(self) -> list[Any]:
        return sees_and_activates()


@task
def sees():
    return sees_and_activates()


@task
async def sees_in_coroutine():
    return sees_and_activates()


class OpensACache(Task):
    name = "opens.a.cache"
    seen: list[object] = []

    def run(self) -> None:
        self.seen.append(caches["default"])


@pytest.fixture(autouse=True)
def registered() -> None:
    for each in (Sees, SeesInCoroutine, OpensACache):
        current_services().registry.add(each)


@pytest.fixture
def immediate() -> Iterator[None]:
    here = current_services()
    with use(
        Services(
            Config(),
            backend="immediate",
            clock=Clock(),
            store=MemoryStore(Clock()),
            registry=here.registry,
            middleware=here.middleware,
        )
    ):
        yield


def result_of(ours: Any) -> Callable[[], Any]:
    def submit() -> Any:
        handle = ours.submit()
        return lambda: handle.wait(timeout=0)["result"]

    def enqueue() -> Any:
        result = ours.enqueue()

        def value() -> Any:
            result.refresh()
            return result.return_value

        return value

    return submit if isinstance(ours, type) else enqueue


@pytest.mark.parametrize("ours", [Sees, SeesInCoroutine, sees, sees_in_coroutine])
class TestLanguageAndTimeZone:
    def test_each_run_of_a_warm_worker_begins_as_a_request_does(
        self, ours: Any, work: Callable[[], int]
    ) -> None:
        values = [result_of(ours)() for _ in range(2)]
        work()
        assert [value() for value in values] == [FRESH, FRESH]
        assert state() == FRESH

    def test_a_run_within_a_request_neither_finds_nor_changes_those_of_the_request(
        self, ours: Any, immediate: None
    ) -> None:
        with translation.override("fr"), timezone.override("Asia/Tokyo"):
            assert result_of(ours)()() == FRESH
            assert state() == ["fr", "Asia/Tokyo", None]


def test_a_worker_keeps_its_caches_from_run_to_run() -> None:
    OpensACache.seen.clear()
    for _ in range(2):
        OpensACache.options(on_commit=False).submit()
    run = current_services().runner.execute
    for message in queued():
        run(message, request_id="request")
    first, second = OpensACache.seen
    assert first is second


def test_caches_of_other_settings_are_not_kept(settings: Any) -> None:
    OpensACache.seen.clear()
    for name in ("one", "two"):
        settings.CACHES = {
            "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name}
        }
        OpensACache.submit()
        (message,) = queued()
        current_services().runner.execute(message, request_id="request")
    first, second = OpensACache.seen
    assert first is not second

"""What functions and methods return is run to its end, whichever way Django's code is a task."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest
from django.tasks import TaskResultStatus

from django_integration.declarative import (
    deferrable_generic_task,
    deferrable_task,
    resource_task,
    run_tasks,
    schedule_resource_task_runner,
    task,
)
from django_integration.own_backend import TaskBackend
from serverless_tasks import ConfigurationError
from serverless_tasks.errors import TaskTimeout
from serverless_tasks.testing import RecordedTasks, recorded
from tests.django import dispatched
from tests.django.own_backends import Courier
from tests.django.shop.background import SumNumbers
from tests.django.warehouse.models import Order

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])

done: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()
    dispatched.done.clear()


@pytest.fixture
def jobs() -> Any:
    with recorded() as submitted:
        yield submitted


# -- Django's own `@task` ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "generates",
        "generates_asynchronously",
        "gives_a_coroutine",
        "gives_a_generator_later",
        "is_decorated",
        "counts_as_it_generates",
    ],
)
def test_a_function_is_run_to_its_end(work: Callable[[], int], name: str) -> None:
    result = getattr(dispatched, name).enqueue()
    work()
    result.refresh()

    assert (result.status, result.errors) == (TaskResultStatus.SUCCESSFUL, [])
    assert (result.return_value, dispatched.done) == ([1, 2], [1, 2])


@pytest.mark.parametrize("name", ["generates_for_ever", "generates_for_ever_later"])
def test_its_time_limit_holds_in_it(work: Callable[[], int], name: str) -> None:
    result = getattr(dispatched, name).enqueue()
    work()
    result.refresh()

    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is TaskTimeout


def test_coroutines_that_nobody_has_run_are_no_success(work: Callable[[], int]) -> None:
    result = dispatched.forgets_to_gather.enqueue()
    work()
    result.refresh()

    assert (result.status, dispatched.done) == (TaskResultStatus.FAILED, [])
    assert "nobody has run" in result.errors[0].traceback


# -- tasks of endpoints ------------------------------------------------------------------------------------------


def generates(*_: Any) -> Any:
    done.append(1)
    yield
    done.append(2)


async def coroutine(*_: Any) -> None:
    done.append(1)
    await asyncio.sleep(0)
    done.append(2)


async def generates_asynchronously(*_: Any) -> Any:
    done.append(1)
    yield
    done.append(2)


def gives_a_coroutine(*_: Any) -> Any:
    return coroutine()


async def gives_a_generator(*_: Any) -> Any:
    return generates()


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*given: Any) -> Any:
        return function(*given)

    return wrapper


every_kind = pytest.mark.parametrize(
    "method",
    [
        generates,
        coroutine,
        generates_asynchronously,
        gives_a_coroutine,
        gives_a_generator,
        decorated(coroutine),
        functools.partial(coroutine),
    ],
    ids=["generator", "coroutine", "async generator", "function", "later", "decorated", "partial"],
)


class Endpoint:
    def __init__(self, resource: Any) -> None:
        self.resource = resource


@every_kind
def test_a_task_of_the_request_has_ended_when_the_next_one_runs(method: Any) -> None:
    class Sending(Endpoint):
        first = task(priority=-1)(method)

        @task
        def second(self):
            done.append("next")

    run_tasks(Sending({}))
    assert done == [1, 2, "next"]


@every_kind
def test_a_task_runner_has_ended_as_well(method: Any) -> None:
    class Sending(Endpoint):
        alone = task(task_runner=method)

        @task(task_runner=lambda bound: bound())
        async def of_a_method(self):
            done.append("method")

    run_tasks(Sending({}))
    assert done == [1, 2, "method"]


@every_kind
@pytest.mark.parametrize("always_defer", [True, False], ids=["deferred", "in the request"])
def test_a_deferrable_task_is_run_to_its_end(jobs: RecordedTasks, method: Any, always_defer: bool) -> None:
    class Sending(Endpoint):
        send = deferrable_task(always_defer=always_defer)(staticmethod(method))

    run_tasks(Sending(Order.objects.create(customer="ada")))

    assert [outcome.status for outcome in jobs.drain()] == ["succeeded"] * always_defer
    assert done == [1, 2]


class Packer:
    @staticmethod
    def pack(endpoint: Any) -> Any:
        return []

    @staticmethod
    def unpack(packed: Any) -> Any:
        return packed, {}


@every_kind
@pytest.mark.parametrize("always_defer", [True, False], ids=["deferred", "in the request"])
def test_a_generic_task_is_run_to_its_end(jobs: RecordedTasks, method: Any, always_defer: bool) -> None:
    class Sending(Endpoint):
        send = deferrable_generic_task(always_defer=always_defer, task_args_packer=Packer)(
            staticmethod(method)
        )

    run_tasks(Sending(None))

    assert [outcome.status for outcome in jobs.drain()] == ["succeeded"] * always_defer
    assert done == [1, 2]


def test_a_deferred_coroutine_asks_the_database(jobs: RecordedTasks) -> None:
    class Sending(Endpoint):
        @deferrable_task
        @staticmethod
        async def send(order):
            order.status = "sent"
            await order.asave()

    order = Order.objects.create(customer="ada")
    run_tasks(Sending(order))

    assert [outcome.status for outcome in jobs.drain()] == ["succeeded"]
    order.refresh_from_db()
    assert order.status == "sent"


def test_what_a_deferred_coroutine_raises_is_its_own(jobs: RecordedTasks) -> None:
    class Sending(Endpoint):
        @deferrable_task(retries=1, retry_exception_filter=(OSError,))
        @staticmethod
        async def send(order):
            raise OSError("no route")

    run_tasks(Sending(Order.objects.create(customer="ada")))

    assert [outcome.status for outcome in jobs.drain()] == ["pending", "failed"]


async def never_ends() -> None:
    try:
        await asyncio.sleep(30)
    finally:
        done.append("cleaned up")


async def never_ends_later() -> Any:
    yield
    await never_ends()


@pytest.mark.parametrize("method", [never_ends, never_ends_later])
def test_the_time_limit_holds_in_a_deferred_coroutine(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, method: Any
) -> None:
    from django_integration.background import RunDeferred

    monkeypatch.setattr(RunDeferred, "timeout", 0.2)

    class Sending(Endpoint):
        send = deferrable_generic_task(task_args_packer=Packer)(staticmethod(method))

    run_tasks(Sending(None))

    (outcome,) = jobs.drain()
    assert outcome.failure is not None
    assert (outcome.status, outcome.failure.type) == ("failed", "TaskTimeout")
    assert done == ["cleaned up"]


def test_a_models_method_is_run_to_its_end(jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(order: Order) -> None:
        order.status = "sent"
        await order.asave()

    monkeypatch.setattr(Order, "send", resource_task(send), raising=False)
    order = Order.objects.create(customer="ada")
    schedule_resource_task_runner(order.send)  # type: ignore[attr-defined]

    assert [outcome.status for outcome in jobs.drain()] == ["succeeded"]
    order.refresh_from_db()
    assert order.status == "sent"


async def yes(endpoint: Any) -> bool:
    return False


@pytest.mark.parametrize("name", ["execute_unless", "delay", "always_defer"])
def test_a_question_that_would_not_be_answered_in_time_is_refused(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"{name} is .*; expected a function that is not asynchronous"
    ):
        deferrable_task(**{name: yes})


# -- backends of the project's own -------------------------------------------------------------------------------


class Asynchronous(TaskBackend):
    """Sends over a client that is."""

    async def run_task(self, info: Any, task: str) -> None:
        await asyncio.sleep(0)
        Courier.sent.append(info.message)


class AsynchronousRun:
    async def run(self, task: Any) -> None:
        await asyncio.sleep(0)
        Courier.sent.append(task.name)


@pytest.mark.parametrize("setting", ["TASK_API_BACKEND", "TASKS_BACKEND"])
def test_an_asynchronous_backend_is_given_its_jobs(
    settings: Any, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setattr(Courier, "sent", [])
    settings.SERVERLESS_TASKS = {}
    setattr(settings, setting, Asynchronous if setting == "TASK_API_BACKEND" else AsynchronousRun)
    SumNumbers.options(on_commit=False).submit(numbers=[1])

    assert len(Courier.sent) == 1

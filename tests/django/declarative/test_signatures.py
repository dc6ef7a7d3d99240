"""The classes under the names and with the arguments that django-declarative-apis documents."""

import sys
from types import ModuleType
from typing import Any

import pytest

from django_integration.declarative import (
    DeferrableEndpointTask,
    DeferrableGenericEndpointTask,
    EndpointTask,
    deferrable_generic_task,
    deferrable_task,
    run_tasks,
    schedule_resource_task_runner,
    task,
)
from serverless_tasks import ConfigurationError
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.testing import RecordedTasks, recorded
from tests.django.warehouse.models import Order

pytestmark = pytest.mark.django_db
ABOUT: dict[str, Any] = {
    "name": "confirmation",
    "required": True,
    "description": "Confirms.",
    "hidden": True,
    "advanced": True,
}


class Packer:
    @staticmethod
    def pack(endpoint: Any) -> Any:
        return endpoint.resource.pk

    @staticmethod
    def unpack(packed: Any) -> Any:
        return (packed,), {}


@pytest.fixture
def jobs() -> Any:
    with recorded() as submitted:
        yield submitted


class Endpoint:
    def __init__(self, resource: Any = None) -> None:
        self.resource = resource
        self.ran: list[str] = []


def sent(order: Any, *args: Any) -> None:
    order.status = "sent"
    order.save()


def test_the_decorators_are_these_classes() -> None:
    assert task is EndpointTask
    assert deferrable_task is DeferrableEndpointTask
    assert deferrable_generic_task is DeferrableGenericEndpointTask


def test_a_task_takes_its_arguments_by_position() -> None:
    class Tasks(Endpoint):
        first = EndpointTask(lambda self: self.ran.append("first"), None, 3)
        second = EndpointTask(lambda self: self.ran.append("second"), "first", -1)

        @task(None, "second", -2)
        def third(self):
            self.ran.append("third")

    endpoint = Tasks()
    run_tasks(endpoint)
    assert endpoint.ran == ["first", "second", "third"]
    assert (Tasks.second.depends_on, Tasks.second.priority) == ("first", -1)


def test_a_deferrable_task_takes_its_arguments_by_position(jobs: RecordedTasks) -> None:
    def factory(endpoint: Any) -> Any:
        return (7,), {}

    def unless(self: Any) -> bool:
        return False

    class Tasks(Endpoint):
        send = DeferrableEndpointTask(
            staticmethod(sent),
            60,
            True,
            factory,
            "low",
            "reports",
            2,
            (OSError,),
            unless,
            priority=2,
            **ABOUT,
        )

    run_tasks(Tasks(Order.objects.create()))
    (message,) = jobs.submitted
    assert (message.queue, message.inputs["args"]) == ("low", [7])
    made = Tasks.send
    assert (made.delay, made.always_defer, made.task_args_factory) == (60, True, factory)
    assert (made.queue, made.routing_key, made.retries) == ("low", "reports", 2)
    assert (made.retry_exception_filter, made.execute_unless, made.priority) == ((OSError,), unless, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EndpointTask(print, **ABOUT),
        lambda: DeferrableEndpointTask(staticmethod(print), **ABOUT),
        lambda: DeferrableGenericEndpointTask(Packer, task_runner=staticmethod(print), **ABOUT),
    ],
    ids=["task", "deferrable", "generic"],
)
def test_what_every_attribute_of_an_endpoint_takes_is_taken_and_read(make: Any) -> None:
    made = make()
    assert {name: getattr(made, name) for name in ABOUT} == ABOUT


@pytest.mark.parametrize("kind", [EndpointTask, DeferrableEndpointTask, DeferrableGenericEndpointTask])
def test_what_none_of_them_has_is_refused(kind: type[EndpointTask]) -> None:
    with pytest.raises((TypeError, ConfigurationError), match="colour"):
        kind(colour="red")  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="colour"):
        kind.colour  # type: ignore[attr-defined]  # noqa: B018


def test_a_unit_test_calls_the_method_by_itself() -> None:
    class Tasks(Endpoint):
        @task
        def confirm(self):
            self.ran.append("confirm")

        @deferrable_task
        @staticmethod
        def send(order):
            return f"sent {order}"

        @deferrable_generic_task(task_args_packer=Packer)
        @staticmethod
        def pack(pk):
            return f"packed {pk}"

    endpoint = Tasks()
    Tasks.confirm.task_runner(endpoint)
    assert endpoint.ran == ["confirm"]
    assert Tasks.send.task_runner("order") == "sent order"
    assert Tasks.pack.task_runner(7) == "packed 7"
    with pytest.raises(TypeError, match="call its task_runner"):
        Tasks.send("order")


def test_a_deferrable_task_has_one_method() -> None:
    with pytest.raises(ConfigurationError, match="runs one static method"):

        @deferrable_task(task_runner=staticmethod(sent))
        @staticmethod
        def send(order):
            return order


def test_priorities_may_be_fractions() -> None:
    class Tasks(Endpoint):
        later = EndpointTask(lambda self: self.ran.append("later"), priority=1.5)
        first = EndpointTask(lambda self: self.ran.append("first"), priority=1.25)

    endpoint = Tasks()
    run_tasks(endpoint)
    assert endpoint.ran == ["first", "later"]


@pytest.mark.parametrize("priority", [True, "1", None, float("nan"), float("inf")])
def test_a_priority_that_has_no_place_in_an_order_is_refused(priority: Any) -> None:
    with pytest.raises(ConfigurationError, match="priority"):
        EndpointTask(print, priority=priority)


@pytest.mark.parametrize(
    "worth", [OSError, (OSError,), [OSError, KeyError], {OSError}, frozenset({OSError})], ids=str
)
def test_the_exceptions_worth_a_retry_are_one_class_or_several(jobs: RecordedTasks, worth: Any) -> None:
    class Tasks(Endpoint):
        @deferrable_task(retries=1, retry_exception_filter=worth)
        @staticmethod
        def send(order):
            raise ConnectionError

        @deferrable_task(retries=1, retry_exception_filter=worth)
        @staticmethod
        def ship(order):
            raise ZeroDivisionError

    assert Tasks.send.retry_exception_filter == worth
    run_tasks(Tasks(Order.objects.create()))
    jobs.drain()
    attempts = {
        message.inputs["task"].rpartition(".")[2]: jobs.record(message.uuid).attempt
        for message in jobs.submitted
    }
    assert attempts == {"send": 2, "ship": 1}


@pytest.fixture
def cid(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What django-cid's `cid.locals` has: one id for what runs at the moment."""
    library: Any = ModuleType("cid.locals")
    library.now = None
    library.get_cid = lambda: library.now
    library.set_cid = lambda given: setattr(library, "now", given)
    monkeypatch.setitem(sys.modules, "cid", ModuleType("cid"))
    monkeypatch.setitem(sys.modules, "cid.locals", library)
    return library


class Traced(Endpoint):
    seen: list[Any] = []

    @deferrable_task
    @staticmethod
    def send(order):
        Traced.seen.append(sys.modules["cid.locals"].get_cid())

    @deferrable_generic_task(task_args_packer=Packer)
    @staticmethod
    def pack(pk):
        Traced.seen.append(sys.modules["cid.locals"].get_cid())


def test_the_correlation_id_of_the_request_is_that_of_its_jobs(
    jobs: RecordedTasks, cid: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Traced, "seen", [])
    order = Order.objects.create()
    for given in ("request-1", None):
        cid.set_cid(given)
        run_tasks(Traced(order))
        schedule_resource_task_runner(order.mark, ["home"])
    assert [message.inputs.get("correlation_id") for message in jobs.submitted] == ["request-1"] * 3 + [
        None
    ] * 3
    cid.set_cid("another")
    jobs.drain()
    assert Traced.seen == ["request-1", "request-1", None, None]


def test_without_the_library_the_message_is_as_before(jobs: RecordedTasks) -> None:
    class Tasks(Endpoint):
        send = DeferrableEndpointTask(staticmethod(sent))

    run_tasks(Tasks(Order.objects.create()))
    (message,) = jobs.submitted
    assert "correlation_id" not in encode(message.inputs)
    assert jobs.drain()[0].status == "succeeded"


def test_a_worker_without_the_library_runs_the_job(
    jobs: RecordedTasks, cid: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tasks(Endpoint):
        send = DeferrableEndpointTask(staticmethod(sent))

    cid.set_cid("request-1")
    run_tasks(Tasks(Order.objects.create()))
    monkeypatch.setitem(sys.modules, "cid.locals", None)
    assert jobs.drain()[0].status == "succeeded"

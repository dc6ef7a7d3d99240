"""`@deferrable_task`, `@deferrable_generic_task` and bound methods: left to a worker."""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client, override_settings

from django_integration.background import RunDeferred
from django_integration.declarative import (
    deferrable_generic_task,
    deferrable_task,
    registration,
    resource_task,
    run_tasks,
    schedule_resource_task_runner,
    task,
)
from serverless_tasks import ConfigurationError, InvalidInputs
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import UnknownOption
from serverless_tasks.testing import RecordedTasks, recorded
from tests.django.conftest import queued
from tests.django.warehouse.models import Order, Parcel

transactional = pytest.mark.django_db(transaction=True, databases=["default", "other"])
pytestmark = pytest.mark.django_db(databases=["default", "other"])


@pytest.fixture
def jobs() -> Any:
    with recorded() as submitted:
        yield submitted


class Endpoint:
    def __init__(self, resource: Any) -> None:
        self.resource = resource


def status(order: Order) -> str:
    return Order.objects.using(order._state.db).get(pk=order.pk).status


class TestTheTaskThatRunsThem:
    """It is there for every message, and shown where the project uses it."""

    def shown(self, capsys: pytest.CaptureFixture[str], client: Client) -> tuple[bool, bool]:
        """Whether the command line lists it, and whether the admin offers to filter by it."""
        with suppress(SystemExit):
            call_command("serverless_tasks", "list", "--json")
        listed = [task["name"] for task in json.loads(capsys.readouterr().out)]
        assert "sum" in listed
        page = client.get("/admin/serverless_tasks/job/").content.decode()
        assert "task=sum" in page
        return "declarative.deferred" in listed, "task=declarative.deferred" in page

    def test_a_project_that_uses_it_sees_it(
        self, capsys: pytest.CaptureFixture[str], admin_client: Client
    ) -> None:
        assert self.shown(capsys, admin_client) == (True, True)

    def test_a_project_that_does_not_is_spared_it(
        self, capsys: pytest.CaptureFixture[str], admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registration, "_registered", {})
        assert self.shown(capsys, admin_client) == (False, False)
        assert current_services().registry.get("declarative.deferred") is RunDeferred


def only_record(jobs: RecordedTasks) -> Any:
    (uuid,) = {message.uuid for message in jobs.submitted}
    return jobs.record(uuid)


def deferring(**options: Any) -> type[Endpoint]:
    """An endpoint whose deferrable task has these options."""

    class Sending(Endpoint):
        @deferrable_task(**options)
        @staticmethod
        def send(order, *args, **kwargs):
            order.status = f"sent {args} {kwargs}" if args or kwargs else "sent"
            order.save()

    return Sending


# -- what is deferred, and what is not -------------------------------------------------------------------------------


def test_a_deferrable_task_runs_in_a_worker_with_the_saved_resource(jobs: RecordedTasks) -> None:
    class Sending(Endpoint):
        @deferrable_task
        @staticmethod
        def send(order):
            order.status = f"sent to {order.customer}"
            order.save()

    order = Order.objects.create(customer="ada")
    run_tasks(Sending(order))
    assert status(order) == "new"

    (outcome,) = jobs.drain()
    assert outcome.status == "succeeded"
    assert status(order) == "sent to ada"


def test_an_instance_that_is_not_saved_is_saved_first(jobs: RecordedTasks) -> None:
    order = Order(customer="ada")
    run_tasks(deferring()(order))
    assert order.pk is not None
    jobs.drain()
    assert status(order) == "sent"

    here = Order(customer="bob")
    seen = []

    class Sending(Endpoint):
        @deferrable_task(always_defer=False)
        @staticmethod
        def send(order):
            seen.append((order is here, order.pk is not None))

    run_tasks(Sending(here))
    assert seen == [(True, True)]

    parcel = Parcel(weight=3)  # has a key before it is saved

    class Weighing(Endpoint):
        @deferrable_task
        @staticmethod
        def weigh(parcel):
            parcel.weight += 1
            parcel.save()

    run_tasks(Weighing(parcel))
    jobs.drain()
    assert Parcel.objects.get(pk=parcel.pk).weight == 4


def test_the_instance_is_loaded_from_its_own_database(jobs: RecordedTasks) -> None:
    order = Order.objects.using("other").create(customer="ada")
    run_tasks(deferring()(order))
    jobs.drain()
    assert status(order) == "sent"
    assert Order.objects.using("other").count() == 1
    assert Order.objects.count() == 0


def test_a_delay_is_a_number_or_a_function_of_the_endpoint(jobs: RecordedTasks) -> None:
    run_tasks(deferring(delay=90)(Order(customer="ada")))
    run_tasks(deferring(delay=lambda endpoint: len(endpoint.resource.customer))(Order(customer="grace")))
    run_tasks(deferring(delay=lambda endpoint: None)(Order(customer="alan")))
    assert [message.delay(jobs.clock.now()) for message in jobs.submitted] == [90, 5, 0]
    with pytest.raises(UnknownOption, match="delay is -1"):
        run_tasks(deferring(delay=lambda endpoint: -1)(Order(customer="ada")))


@pytest.mark.parametrize(
    ("options", "in_the_request"),
    [
        ({"delay": 0, "always_defer": False}, True),
        ({"always_defer": False}, True),
        ({"always_defer": lambda endpoint: endpoint.resource.customer != "ada"}, True),
        ({"delay": lambda endpoint: 0, "always_defer": False}, True),
        ({"delay": 0}, False),
        ({"delay": 5, "always_defer": False}, False),
        ({"always_defer": lambda endpoint: endpoint.resource.customer == "ada"}, False),
    ],
    ids=str,
)
def test_a_task_without_delay_that_is_not_always_deferred_runs_in_the_request(
    jobs: RecordedTasks, options: dict[str, Any], in_the_request: bool
) -> None:
    order = Order.objects.create(customer="ada")
    run_tasks(deferring(**options)(order))
    assert (status(order), len(jobs.submitted)) == (("sent", 0) if in_the_request else ("new", 1))


@override_settings(DECLARATIVE_ENDPOINT_TASKS_FORCE_SYNCHRONOUS=True)
def test_a_setting_runs_everything_in_the_request(jobs: RecordedTasks) -> None:
    order = Order.objects.create(customer="ada")
    run_tasks(deferring(delay=60)(order))
    assert status(order) == "sent"
    jobs.assert_nothing_submitted()


@override_settings(DECLARATIVE_ENDPOINT_TASKS_FORCE_SYNCHRONOUS=True)
def test_in_the_request_it_runs_once_on_the_endpoints_own_object(jobs: RecordedTasks) -> None:
    seen: list[Order] = []

    class Failing(Endpoint):
        @deferrable_task(retries=2)
        @staticmethod
        def send(order):
            seen.append(order)
            raise OSError("busy")

    order = Order.objects.create(customer="ada")
    with pytest.raises(OSError, match="busy"):
        run_tasks(Failing(order))
    assert len(seen) == 1
    assert seen[0] is order


def test_arguments_come_from_a_factory(jobs: RecordedTasks) -> None:
    def arguments(endpoint: Endpoint) -> Any:
        return (endpoint.resource.customer, (1, 2)), {"by": "post"}

    order = Order.objects.create(customer="ada")
    run_tasks(deferring(task_args_factory=arguments)(order))
    jobs.drain()
    assert status(order) == "sent ('ada', [1, 2]) {'by': 'post'}"

    run_tasks(deferring(task_args_factory=arguments, always_defer=False)(order))
    assert status(order) == "sent ('ada', (1, 2)) {'by': 'post'}"


def test_an_argument_that_would_not_arrive_is_refused_by_its_name(jobs: RecordedTasks) -> None:
    sending = deferring(task_args_factory=lambda endpoint: ((), {"when": object()}))
    with pytest.raises(InvalidInputs, match="kwargs"):
        run_tasks(sending(Order(customer="ada")))
    jobs.assert_nothing_submitted()


@override_settings(DECLARATIVE_ENDPOINT_TASKS_ROUTING_KEYS={"reports.daily": "low"})
def test_the_queue_is_named_or_found_by_the_routing_key(jobs: RecordedTasks) -> None:
    for options in (
        {},
        {"queue": "high"},
        {"routing_key": "high"},
        {"routing_key": "reports.daily"},
        {"queue": "high", "routing_key": "reports.daily"},
    ):
        run_tasks(deferring(**options)(Order(customer="ada")))
    assert [message.queue for message in jobs.submitted] == ["default", "high", "high", "low", "high"]


def test_a_condition_leaves_a_task_out(jobs: RecordedTasks) -> None:
    class Sending(Endpoint):
        def paid(self):
            return self.resource.status == "paid"

        @deferrable_task(execute_unless=paid)
        @staticmethod
        def remind(order):
            raise AssertionError

    run_tasks(Sending(Order(customer="ada", status="paid")))
    jobs.assert_nothing_submitted()
    run_tasks(Sending(Order(customer="ada")))
    assert len(jobs.submitted) == 1


# -- retries ---------------------------------------------------------------------------------------------------------


def test_retries_count_and_then_the_job_has_failed(jobs: RecordedTasks) -> None:
    attempts = []

    class Sending(Endpoint):
        @deferrable_task(retries=2)
        @staticmethod
        def send(order):
            attempts.append(order.pk)
            raise OSError("busy")

    run_tasks(Sending(Order(customer="ada")))
    assert [outcome.status for outcome in jobs.drain()] == ["pending", "pending", "failed"]
    assert len(attempts) == 3


@pytest.mark.parametrize("good_for", [1, 2, 3])
def test_the_filter_holds_on_later_retries(jobs: RecordedTasks, good_for: int) -> None:
    errors = [*[ConnectionResetError("busy")] * good_for, ValueError("never again"), OSError("not reached")]

    class Sending(Endpoint):
        @deferrable_task(retries=10, retry_exception_filter=(OSError,))
        @staticmethod
        def send(order):
            raise errors.pop(0)

    run_tasks(Sending(Order(customer="ada")))
    outcomes = jobs.drain()
    assert [outcome.status for outcome in outcomes] == [*["pending"] * good_for, "failed"]
    assert isinstance(outcomes[-1].exception, ValueError)


# -- what is refused as the class is made ----------------------------------------------------------------------------


def test_only_static_methods_can_be_deferred() -> None:
    with pytest.raises(ConfigurationError, match="Put @staticmethod below it"):

        class Plain(Endpoint):
            @deferrable_task
            def send(self):
                raise AssertionError

    with pytest.raises(ConfigurationError, match="Put @staticmethod below it"):

        class WrongOrder(Endpoint):
            @staticmethod
            @deferrable_task(retries=1)
            def send(order):
                raise AssertionError


def test_a_resource_that_is_no_model_instance_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"needs an instance of a Django model.*deferrable_generic_task"
    ):

        class Constant:
            resource = {"status": "new"}

            @deferrable_task
            @staticmethod
            def send(order):
                raise AssertionError

    with pytest.raises(ConfigurationError, match=r"is <class 'dict'>; deferrable task 'send'"):

        class Annotated:
            @property
            def resource(self) -> dict:
                return {}

            @deferrable_task
            @staticmethod
            def send(order):
                raise AssertionError

    with pytest.raises(ConfigurationError, match=r"is {'a': 1}; deferrable task 'send' needs an instance"):
        run_tasks(deferring()({"a": 1}))


def test_nobody_can_depend_on_what_is_deferred() -> None:
    with pytest.raises(ConfigurationError, match=r"'ship' of .* depends on 'send', which is deferrable"):

        class Sending(Endpoint):
            @deferrable_task
            @staticmethod
            def send(order):
                raise AssertionError

            @task(depends_on="send")
            def ship(self):
                raise AssertionError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"delay": -1}, "delay is -1; expected seconds from 0 to 3155760000"),
        ({"delay": "soon"}, "delay is 'soon'"),
        ({"always_defer": "yes"}, "always_defer is 'yes'"),
        ({"queue": 3}, "queue is 3"),
        ({"routing_key": ""}, "routing_key is ''"),
        ({"retries": -1}, "retries is -1"),
        ({"retry_exception_filter": ("OSError",)}, "retry_exception_filter is"),
        ({"execute_unless": lambda: True}, "takes only self"),
        ({"execute_unless": True}, "execute_unless is True"),
        ({"task_args_factory": []}, "task_args_factory is"),
        ({"countdown": 3}, "countdown"),
    ],
    ids=str,
)
def test_an_option_that_does_not_fit_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        deferring(**options)


def test_a_generic_task_needs_a_packer() -> None:
    with pytest.raises(ConfigurationError, match="task_args_packer is None"):
        deferrable_generic_task(retries=1)


# -- publishing ------------------------------------------------------------------------------------------------------


@transactional
def test_deferred_tasks_are_published_on_commit_after_the_others() -> None:
    class Sending(Endpoint):
        ran: list[str] = []

        @deferrable_task(priority=-100)
        @staticmethod
        def send(order):
            raise AssertionError

        @task(priority=100)
        def check(self):
            self.ran.append("check")
            assert queued() == []

        @deferrable_task(always_defer=False, priority=-200)
        @staticmethod
        def here(order):
            Sending.ran.append("here")

    with transaction.atomic():
        run_tasks(Sending(Order(customer="ada")))
        assert Sending.ran == ["check", "here"]
        assert queued() == []
    (message,) = queued()
    assert message.inputs["task"].endswith("Sending.send")

    with suppress(ZeroDivisionError), transaction.atomic():
        run_tasks(Sending(Order(customer="bob")))
        raise ZeroDivisionError
    assert queued() == []


@transactional
def test_a_failing_task_of_the_request_leaves_nothing_deferred() -> None:
    class Sending(Endpoint):
        @deferrable_task(priority=-100)
        @staticmethod
        def send(order):
            raise AssertionError

        @task
        def check(self):
            raise ValueError("no stock")

    with pytest.raises(ValueError, match="no stock"):
        run_tasks(Sending(Order(customer="ada")))
    assert queued() == []


# -- in the worker ---------------------------------------------------------------------------------------------------


@transactional
@override_settings(ROOT_URLCONF="tests.django.warehouse.urls")
def test_a_worker_finds_tasks_that_only_the_urlconf_reaches(work: Callable[[], int]) -> None:
    order = Order.objects.create(customer="ada")
    response = Client().post(f"/orders/{order.pk}/send/")
    assert (response.status_code, response.json()) == (202, {"status": "new"})
    (message,) = queued()
    assert message.task == "declarative.deferred"

    _forget_the_views()
    current_services().runner.execute(message)
    assert status(order) == "sent"


def test_an_instance_that_the_models_first_manager_hides_is_found(jobs: RecordedTasks) -> None:
    parcel = Parcel.objects.create(weight=5)
    assert not Parcel._default_manager.filter(pk=parcel.pk).exists()
    run_tasks(deferring()(parcel))

    assert [outcome.status for outcome in jobs.drain()] == ["succeeded"]


def test_a_deleted_instance_ends_the_job_as_failed_with_that_reason(jobs: RecordedTasks) -> None:
    order = Order.objects.create(customer="ada")
    run_tasks(deferring(retries=5)(order))
    Order.objects.all().delete()

    assert [outcome.status for outcome in jobs.drain()] == ["failed"]
    error = only_record(jobs).error
    assert error["type"] == "InstanceDeleted"
    assert "warehouse.Order" in error["message"]
    assert "was deleted" in error["message"]


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "django.core.management.call_command",
        "tests.django.warehouse.models.Order.delete_everything",
        "tests.django.warehouse.unheard_of.Endpoint.send",
        "",
    ],
)
def test_a_message_can_name_registered_tasks_only(jobs: RecordedTasks, name: str) -> None:
    order = Order.objects.create(customer="ada")
    before = set(sys.modules)
    job = {"task": name, "model": "warehouse.order", "pk": str(order.pk), "database": "default"}
    RunDeferred.submit(**job)

    assert jobs.drain()[-1].status == "failed"
    error = only_record(jobs).error
    assert error["type"] == "UnknownEndpointTask"
    assert Order.objects.count() == 1
    assert not {module for module in set(sys.modules) - before if "unheard" in module}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "os.path"}, "'os.path', which is not installed"),
        ({"model": "order"}, "'order', which is not installed"),
        ({"database": "elsewhere"}, "no such alias"),
        ({"model": "warehouse.parcel", "pk": "1b4e28ba-2fa1-11d2-883f-0016d3cca427"}, "has no method"),
    ],
    ids=str,
)
def test_a_message_can_name_installed_models_and_databases_only(
    jobs: RecordedTasks, change: dict[str, str], said: str
) -> None:
    Parcel.objects.create(id="1b4e28ba-2fa1-11d2-883f-0016d3cca427")
    order = Order.objects.create(customer="ada")
    handle = schedule_resource_task_runner(order.mark, ["x"])
    (message,) = jobs.submitted
    again = RunDeferred.submit(**{**message.inputs, **change})
    jobs.drain()

    assert said in jobs.record(again.uuid).failure.message
    assert jobs.record(handle.uuid).status == "succeeded"


def test_the_job_that_runs_them_is_not_served_to_the_web(browser: Client) -> None:
    job = {"task": "x", "model": "warehouse.order", "pk": "1", "database": "default"}
    for path, body in (
        ("/tasks/declarative.deferred/", job),
        ("/tasks/", {"task": "declarative.deferred", "inputs": job}),
    ):
        assert browser.post(path, body, content_type="application/json").status_code in (400, 404, 405)
    assert queued() == []


# -- plain functions and bound methods -------------------------------------------------------------------------------


def test_a_generic_task_travels_as_its_packed_arguments(jobs: RecordedTasks) -> None:
    called = []

    class Packer:
        @staticmethod
        def pack(endpoint):
            return (endpoint.resource["numbers"],), {"unit": "kg"}

        @staticmethod
        def unpack(packed):
            args, kwargs = packed
            return args, kwargs

    class Weighing(Endpoint):
        @deferrable_generic_task(
            task_args_packer=Packer, retries=1, retry_exception_filter=(OSError,), queue="low"
        )
        @staticmethod
        def weigh(numbers, unit):
            called.append((sum(numbers), unit))
            if len(called) < 3:
                raise OSError("busy")

        @deferrable_generic_task(task_args_packer=Packer, always_defer=False)
        @staticmethod
        def here(numbers, unit):
            called.append("here")

    run_tasks(Weighing({"numbers": [1, 2]}))
    assert called == ["here"]
    assert [message.queue for message in jobs.submitted] == ["low"]
    assert [outcome.status for outcome in jobs.drain()] == ["pending", "succeeded"]
    assert called == ["here", (3, "kg"), (3, "kg")]


def test_a_bound_method_of_a_model_runs_in_a_worker(jobs: RecordedTasks) -> None:
    order = Order.objects.create(customer="ada")
    handle = schedule_resource_task_runner(order.mark, ["x"], {"times": 3}, queue="high", delay=10)

    (message,) = jobs.submitted
    assert (message.queue, message.delay(jobs.clock.now()), message.uuid) == ("high", 10, handle.uuid)
    assert [outcome.status for outcome in jobs.drain()] == ["succeeded"]
    assert status(order) == "xxx"
    order.mark("here")
    assert status(order) == "here"


def test_a_bound_methods_retries_hold(jobs: RecordedTasks) -> None:
    schedule_resource_task_runner(Order(customer="ada").flaky)
    assert [outcome.status for outcome in jobs.drain()] == ["pending", "pending", "failed"]


@transactional
def test_a_bound_method_is_published_on_commit() -> None:
    with transaction.atomic():
        handle = schedule_resource_task_runner(Order(customer="ada").mark, ["x"])
        assert not handle.published
    assert handle.published


def test_only_registered_methods_of_instances_can_be_scheduled(jobs: RecordedTasks) -> None:
    order = Order.objects.create(customer="ada")
    with pytest.raises(ConfigurationError, match="Decorate it with @resource_task"):
        schedule_resource_task_runner(order.delete_everything)
    with pytest.raises(ConfigurationError, match="not a method of an instance"):
        schedule_resource_task_runner(Order.mark)
    with pytest.raises(ConfigurationError, match="put it on a method of a model"):
        resource_task(staticmethod(print))
    jobs.assert_nothing_submitted()


def _forget_the_views() -> None:
    """As in a worker that was just started: the views are not imported."""
    from django.urls import clear_url_caches

    from django_integration.declarative import registration

    for name in ("views", "urls"):
        sys.modules.pop(f"tests.django.warehouse.{name}", None)
    registration._registered.pop("tests.django.warehouse.views.SendView.send")
    clear_url_caches()

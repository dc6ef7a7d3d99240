"""`@task`: run in the request, in order, once."""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse, JsonResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.views import View

from django_integration.declarative import TaskMixin, run_tasks, task
from serverless_tasks import ConfigurationError


class Endpoint:
    """An endpoint as simple as can be; its tasks note that they ran."""

    def __init__(self) -> None:
        self.resource: dict[str, Any] = {}
        self.ran: list[str] = []


def ran(endpoint_class: type[Endpoint]) -> list[str]:
    endpoint = endpoint_class()
    run_tasks(endpoint)
    return endpoint.ran


def test_tasks_run_by_priority_lower_first_and_then_as_they_are_defined() -> None:
    class Order(Endpoint):
        @task(priority=5)
        def last(self):
            self.ran.append("last")

        @task
        def second(self):
            self.ran.append("second")

        @task(priority=-1)
        def first(self):
            self.ran.append("first")

        @task
        def third(self):
            self.ran.append("third")

    assert ran(Order) == ["first", "second", "third", "last"]


def test_dependencies_run_before_dependants_whatever_the_priority_by_name_or_by_reference() -> None:
    class Order(Endpoint):
        @task(depends_on="charge", priority=-100)
        def ship(self):
            self.ran.append("ship")

        @task(priority=100)
        def check(self):
            self.ran.append("check")

        @task(depends_on=check, priority=50)
        def charge(self):
            self.ran.append("charge")

        @task(depends_on=[check, "ship"], priority=-200)
        def tell(self):
            self.ran.append("tell")

    assert ran(Order) == ["check", "charge", "ship", "tell"]


def test_each_task_runs_once_in_a_request() -> None:
    class Order(Endpoint):
        @task
        def check(self):
            self.ran.append("check")

        @task(depends_on=check)
        def one(self):
            self.ran.append("one")

        @task(depends_on=check)
        def two(self):
            self.ran.append("two")

    endpoint = Order()
    run_tasks(endpoint)
    run_tasks(endpoint)
    Order.one.run(endpoint)

    assert endpoint.ran == ["check", "one", "two"]
    assert ran(Order) == ["check", "one", "two"], "another request runs them again"


def test_a_cycle_is_shown_as_the_class_is_made() -> None:
    with pytest.raises(ConfigurationError, match=r"a -> c -> b -> a"):

        class Order(Endpoint):
            @task(depends_on="c")
            def a(self):
                raise AssertionError

            @task(depends_on=a)
            def b(self):
                raise AssertionError

            @task(depends_on=b)
            def c(self):
                raise AssertionError


def test_a_cycle_that_two_mixins_make_is_shown_before_anything_runs() -> None:
    class One:
        @task(depends_on="b")
        def a(self):
            raise AssertionError

    class Two:
        @task(depends_on="a")
        def b(self):
            raise AssertionError

    class Order(One, Two, Endpoint):
        pass

    with pytest.raises(ConfigurationError, match="-> "):
        run_tasks(Order())


def test_a_dependency_that_is_no_task_is_named() -> None:
    class Order(Endpoint):
        @task(depends_on="chekc")
        def ship(self):
            raise AssertionError

    with pytest.raises(ConfigurationError, match=r"'ship' of .*Order depends on 'chekc'.* they are ship"):
        run_tasks(Order())


def test_a_subclass_replaces_adds_and_takes_away_tasks() -> None:
    class Base(Endpoint):
        @task
        def check(self):
            self.ran.append("check")

        @task(depends_on=check)
        def charge(self):
            self.ran.append("charge")

        @task
        def tell(self):
            raise AssertionError

    class Free(Base):
        tell = None

        @task(priority=7)
        def check(self):
            self.ran.append("a kinder check")

        @task(depends_on=Base.charge)
        def thank(self):
            self.ran.append("thank")

    assert ran(Free) == ["a kinder check", "charge", "thank"]


def test_a_failing_task_ends_the_request_and_those_that_need_it_do_not_run() -> None:
    class Order(Endpoint):
        @task
        def check(self):
            raise ValueError("no stock")

        @task(depends_on=check)
        def charge(self):
            raise AssertionError

    with pytest.raises(ValueError, match="no stock"):
        run_tasks(Order())


def test_a_task_runner_is_the_task_or_says_how_the_method_is_run() -> None:
    def note(endpoint: Endpoint) -> None:
        endpoint.ran.append("a function")

    def twice(method: Callable[[], None]) -> None:
        method()
        method()

    class Order(Endpoint):
        alone = task(task_runner=note, priority=-1)

        @task(task_runner=twice, depends_on="alone")
        def ring(self):
            self.ran.append("ring")

    assert ran(Order) == ["a function", "ring", "ring"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: task(priority="high")(print), "priority is 'high'"),
        (lambda: task(depends_on=3)(print), "depends_on is 3"),
        (lambda: task(depends_on=[3])(print), "depends_on is 3"),
        (lambda: task(staticmethod(print)), "takes self"),
        (lambda: type("Order", (), {"check": task(priority=1)}), "decorates nothing"),
    ],
    ids=["priority", "dependency", "dependencies", "static method", "nothing"],
)
def test_what_does_not_fit_is_refused_as_the_class_is_made(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_requests_share_nothing() -> None:
    """Two threads are inside the same task at once: neither sees a cycle or the other's state."""
    both_inside = threading.Barrier(2, timeout=10)

    class Order(Endpoint):
        @task
        def check(self):
            both_inside.wait()
            self.ran.append("check")
            both_inside.wait()

        @task(depends_on=check)
        def charge(self):
            both_inside.wait()
            self.ran.append("charge")

    endpoints = [Order(), Order()]
    errors: list[BaseException] = []

    def serve(endpoint: Order) -> None:
        try:
            run_tasks(endpoint)
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=serve, args=[endpoint]) for endpoint in endpoints]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert errors == []
    assert [endpoint.ran for endpoint in endpoints] == [["check", "charge"]] * 2
    assert set(vars(Order.check)) >= {"name", "priority"}
    assert not any(isinstance(value, Endpoint) for value in vars(Order.check).values())


# -- on Django's class-based views -----------------------------------------------------------------------------------


class OrderView(TaskMixin, View):
    @cached_property
    def resource(self):
        return {"status": "new"}

    @task
    def greet(self):
        self.resource["status"] += f" for {self.request.GET['name']}"

    def get(self, request):
        return JsonResponse(self.resource)

    def post(self, request):
        return JsonResponse(self.resource, status=201)


def test_a_task_that_changes_the_resource_changes_what_a_view_returns() -> None:
    response = OrderView.as_view()(RequestFactory().post("/?name=ada"))

    assert (response.status_code, response.content) == (201, b'{"status": "new for ada"}')
    response = OrderView.as_view()(RequestFactory().get("/?name=bob"))
    assert response.content == b'{"status": "new for bob"}'


def test_only_methods_that_answer_run_tasks() -> None:
    class PostOnly(OrderView):
        task_methods = ["POST"]

    def statuses(view: Any) -> dict[str, bool]:
        return {
            method: b" for " in view(getattr(RequestFactory(), method)("/?name=ada")).content
            for method in ("get", "post", "options", "delete")
        }

    assert statuses(PostOnly.as_view()) == {"get": False, "post": True, "options": False, "delete": False}
    head = OrderView.as_view()(RequestFactory().head("/?name=ada"))
    assert head.content == b'{"status": "new for ada"}'
    odd = OrderView.as_view()(RequestFactory().generic("SETUP", "/"))
    assert odd.status_code == 405


@pytest.mark.parametrize(
    "bases", [(TaskMixin, LoginRequiredMixin, View), (LoginRequiredMixin, TaskMixin, View)]
)
def test_nothing_runs_for_who_may_not_call(bases: tuple[type, ...]) -> None:
    reached = []

    class Private(*bases):  # type: ignore[misc]
        resource: dict[str, str] = {}

        @task
        def reach(self):
            reached.append(self)

        def post(self, request):
            return HttpResponse()

    request = RequestFactory().post("/")
    request.user = AnonymousUser()
    assert Private.as_view()(request).status_code == 302
    assert reached == []


def test_an_asynchronous_view_runs_its_tasks() -> None:
    class Async(TaskMixin, View):
        resource: dict[str, str] = {"status": "new"}

        @task
        def change(self):
            self.resource["status"] = "seen"

        async def get(self, request):
            return JsonResponse(self.resource)

    response = async_to_sync(Async.as_view())(AsyncRequestFactory().get("/"))
    assert response.content == b'{"status": "seen"}'

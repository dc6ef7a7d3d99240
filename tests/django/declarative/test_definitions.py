"""With django-declarative-apis' own endpoint definitions: the import of the tasks is all that changes."""

import json
import sys
import threading
from abc import ABCMeta
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.test import RequestFactory
from django_declarative_apis.machinery import (
    BehavioralEndpointDefinitionRouter,
    EndpointDefinition,
    endpoint_resource,
    field,
)

from django_integration.declarative import (
    TaskMixin,
    deferrable_generic_task,
    deferrable_task,
    definitions,
    task,
)
from tests.django.conftest import queued
from tests.django.warehouse.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


class Open(EndpointDefinition):
    """Everybody may call."""

    consumer = None
    _consumer_type = None

    def is_authorized(self) -> bool:
        return True


def answer(serve: Callable[[HttpRequest], Any], request: HttpRequest) -> Any:
    status, response = serve(request)
    assert status == 200
    return json.loads(response.content)


def test_tasks_run_in_the_request_and_change_its_response() -> None:
    class Ordering(Open):
        customer = field()

        @endpoint_resource(type=Order)
        def resource(self):
            return Order(customer=self.customer, status="")

        @property
        def response(self):
            return JsonResponse({"status": self.resource.status})

        @task(depends_on="check", priority=-5)
        def greet(self):
            self.resource.status += f" hello {self.resource.customer}"

        @task(priority=9)
        def last(self):
            self.resource.status += " last"

        @task
        def check(self):
            self.resource.status += "checked"

    serve = BehavioralEndpointDefinitionRouter(Ordering)
    for name in ("ada", "bob"):
        request = RequestFactory().get(f"/?customer={name}")
        assert answer(serve, request) == {"status": f"checked hello {name} last"}


def test_deferred_tasks_are_published_on_commit_after_the_others(work: Callable[[], int]) -> None:
    class Ordering(Open):
        @endpoint_resource(type=Order)
        def resource(self):
            return Order(customer="ada")

        @property
        def response(self):
            return JsonResponse({"saved": self.resource.pk is not None})

        @deferrable_task(priority=-10)
        @staticmethod
        def send(order):
            order.status += " sent"
            order.save()

        @task(priority=10)
        def check(self):
            assert self.resource.pk is None
            self.resource.status = "checked"

    with transaction.atomic():
        assert answer(BehavioralEndpointDefinitionRouter(Ordering), RequestFactory().get("/")) == {
            "saved": True
        }
        assert queued() == []
    assert work() == 1
    assert Order.objects.get().status == "checked sent"


def test_generic_tasks_are_deferred(work: Callable[[], int]) -> None:
    called = []

    class Packer:
        @staticmethod
        def pack(endpoint):
            return [endpoint.customer]

        @staticmethod
        def unpack(packed):
            return packed, {}

    class Telling(Open):
        customer = field()

        @endpoint_resource(type=Order)
        def resource(self):
            return {"any": "thing"}

        @property
        def response(self):
            return JsonResponse({"called": list(called)})

        @deferrable_generic_task(task_args_packer=Packer)
        @staticmethod
        def tell(name):
            called.append(name)

    assert answer(BehavioralEndpointDefinitionRouter(Telling), RequestFactory().get("/?customer=ada")) == {
        "called": []
    }
    assert work() == 1
    assert called == ["ada"]


def test_two_requests_at_once_share_nothing() -> None:
    both_inside = threading.Barrier(2, timeout=10)

    class Ordering(Open):
        customer = field()

        @endpoint_resource(type=Order)
        def resource(self):
            return Order(customer=self.customer, status="")

        @property
        def response(self):
            return JsonResponse({"status": self.resource.status})

        @task
        def check(self):
            both_inside.wait()
            self.resource.status += "checked "

        @task(depends_on=check)
        def greet(self):
            both_inside.wait()
            self.resource.status += self.resource.customer

    serve = BehavioralEndpointDefinitionRouter(Ordering)
    answers: dict[str, Any] = {}

    def call(name: str) -> None:
        answers[name] = answer(serve, RequestFactory().get(f"/?customer={name}"))["status"]

    threads = [threading.Thread(target=call, args=[name]) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == {"ada": "checked ada", "bob": "checked bob"}


def test_tasks_of_a_mixin_that_is_imported_before_the_library_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Theirs:
        EndpointTask = ABCMeta("EndpointTask", (), {})
        DeferrableEndpointTask = ABCMeta("DeferrableEndpointTask", (EndpointTask,), {})

    monkeypatch.delitem(sys.modules, definitions.THEIRS)
    monkeypatch.setattr(definitions, "import_module", {definitions.THEIRS: Theirs}.__getitem__)

    class Greeting:
        @task
        def greet(self):
            raise AssertionError

        @deferrable_task
        @staticmethod
        def send(order):
            raise AssertionError

    assert isinstance(Greeting.greet, Theirs.EndpointTask)
    assert not isinstance(Greeting.greet, Theirs.DeferrableEndpointTask)
    assert isinstance(Greeting.send, Theirs.DeferrableEndpointTask)


def test_tasks_of_mixins_run_in_an_endpoint_definition() -> None:
    class Greeting:
        @task(priority=1)
        def greet(self):
            self.resource.status += " hello"

    class Ordering(TaskMixin, Greeting, Open):
        @endpoint_resource(type=Order)
        def resource(self):
            return Order(status="new")

        @property
        def response(self):
            return JsonResponse({"status": self.resource.status})

    serve = BehavioralEndpointDefinitionRouter(Ordering)
    assert answer(serve, RequestFactory().get("/")) == {"status": "new hello"}

"""With django-declarative-apis' own endpoint definitions: the import of the tasks is all that changes.

Each test runs against the library where it is installed, and always against a stand-in that treats tasks as it does.
Its releases ask for Django before 6, so that it cannot be among the pinned requirements.
"""

import abc
import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.test import RequestFactory

from django_integration.declarative import deferrable_generic_task, deferrable_task, task
from django_integration.declarative.definitions import THEIRS
from tests.django.conftest import queued
from tests.django.warehouse.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


class StandIn:
    """What the library does with tasks: found by isinstance on the class, sorted, run in two rounds."""

    class EndpointTask(metaclass=abc.ABCMeta):
        @abc.abstractmethod
        def run(self, endpoint: Any) -> None: ...

    class DeferrableEndpointTask(EndpointTask):
        pass

    class Field:
        def __set_name__(self, owner: type, name: str) -> None:
            self.name = name

        def __get__(self, endpoint: Any, owner: type) -> Any:
            return self if endpoint is None else endpoint.request.GET[self.name]

    class Definition:
        request: HttpRequest

        def finalize(self) -> None:
            pass

        @classmethod
        def get_tasks(cls) -> list[Any]:
            attributes = [getattr(cls, name) for name in dir(cls)]
            tasks = [each for each in attributes if isinstance(each, StandIn.EndpointTask)]
            return sorted(
                sorted(tasks, key=lambda each: each.attribute_number), key=lambda each: each.priority
            )

    class Manager:
        """Made once for a URL; the tasks are asked for then."""

        def __init__(self, definition: type) -> None:
            self.definition: Any = definition
            self.tasks = self.definition.get_tasks()

        def __call__(self, request: HttpRequest) -> Any:
            endpoint = self.definition()
            endpoint.request = request
            assert endpoint.resource is not None
            for each in self.tasks:
                if not isinstance(each, StandIn.DeferrableEndpointTask):
                    each.run(endpoint)
            endpoint.finalize()
            for each in self.tasks:
                if isinstance(each, StandIn.DeferrableEndpointTask):
                    each.run(endpoint)
            return 200, endpoint.response


class Library:
    """The library, or its stand-in.

    Attributes:
        base: a base for endpoint definitions that everybody may call.
        resource: decorates the resource.
        field: makes an attribute that holds the request's value of its name.
        manager: serves a definition: called with requests, it gives the status and the data.
    """

    def __init__(self, base: Any, resource: Any, field: Callable[[], Any], manager: Any) -> None:
        self.base = base
        self.resource = resource
        self.field = field
        self.manager = manager


@pytest.fixture(params=["stand-in", *(["library"] if find_spec("django_declarative_apis") else [])])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    if request.param == "library":
        machinery = importlib.import_module("django_declarative_apis.machinery")
        open_to_all = {"consumer": None, "_consumer_type": None, "is_authorized": lambda self: True}
        base = type("Open", (machinery.EndpointDefinition,), open_to_all)
        router = machinery.BehavioralEndpointDefinitionRouter
        yield Library(base, machinery.endpoint_resource(type=Order), machinery.field, router)
        return
    module: Any = ModuleType(THEIRS)
    module.EndpointTask = StandIn.EndpointTask
    module.DeferrableEndpointTask = StandIn.DeferrableEndpointTask
    monkeypatch.setitem(sys.modules, THEIRS, module)
    yield Library(StandIn.Definition, cached_property, StandIn.Field, StandIn.Manager)


def answer(serve: Callable[[HttpRequest], Any], request: HttpRequest) -> Any:
    status, response = serve(request)
    assert status == 200
    return json.loads(response.content)


def test_tasks_run_in_the_request_and_change_its_response(library: Library) -> None:
    class Ordering(library.base):  # type: ignore[misc,name-defined]
        customer = library.field()

        @library.resource
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

    serve = library.manager(Ordering)
    for name in ("ada", "bob"):
        request = RequestFactory().get(f"/?customer={name}")
        assert answer(serve, request) == {"status": f"checked hello {name} last"}


def test_deferred_tasks_are_published_on_commit_after_the_others(
    library: Library, work: Callable[[], int]
) -> None:
    class Ordering(library.base):  # type: ignore[misc,name-defined]
        @library.resource
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
        assert answer(library.manager(Ordering), RequestFactory().get("/")) == {"saved": True}
        assert queued() == []
    assert work() == 1
    assert Order.objects.get().status == "checked sent"


def test_generic_tasks_are_deferred(library: Library, work: Callable[[], int]) -> None:
    called = []

    class Packer:
        @staticmethod
        def pack(endpoint):
            return [endpoint.customer]

        @staticmethod
        def unpack(packed):
            return packed, {}

    class Telling(library.base):  # type: ignore[misc,name-defined]
        customer = library.field()

        @library.resource
        def resource(self):
            return {"any": "thing"}

        @property
        def response(self):
            return JsonResponse({"called": list(called)})

        @deferrable_generic_task(task_args_packer=Packer)
        @staticmethod
        def tell(name):
            called.append(name)

    assert answer(library.manager(Telling), RequestFactory().get("/?customer=ada")) == {"called": []}
    assert work() == 1
    assert called == ["ada"]


def test_two_requests_at_once_share_nothing(library: Library) -> None:
    both_inside = threading.Barrier(2, timeout=10)

    class Ordering(library.base):  # type: ignore[misc,name-defined]
        customer = library.field()

        @library.resource
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

    serve = library.manager(Ordering)
    answers: dict[str, Any] = {}

    def call(name: str) -> None:
        answers[name] = answer(serve, RequestFactory().get(f"/?customer={name}"))["status"]

    threads = [threading.Thread(target=call, args=[name]) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == {"ada": "checked ada", "bob": "checked bob"}

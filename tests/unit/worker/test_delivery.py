"""What may stand around the run of a delivery."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from serverless_tasks import Task
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.engine.worker.delivery import Delivery
from serverless_tasks.engine.worker.outcome import DeliveryResult
from tests.support.clock import FakeClock


class Works(Task):
    name = "works"

    def run(self) -> None:
        return None


class Breaks(Task):
    name = "breaks"

    def run(self) -> None:
        raise LookupError("no such thing")


@pytest.fixture
def services() -> Services:
    made = Services(Config(), backend="immediate", clock=FakeClock())
    made.registry.add(Works)
    made.registry.add(Breaks)
    return made


def test_a_delivery_goes_through_whoever_stands_around_it(services: Services) -> None:
    seen: list[tuple[Delivery, str]] = []

    def middleware(delivery: Delivery, execute: Callable[[Delivery], DeliveryResult]) -> DeliveryResult:
        outcome = execute(replace(delivery, request_id="renamed"))
        seen.append((delivery, outcome.status))
        return outcome

    services = Services(Config(), backend="immediate", registry=services.registry, middleware=middleware)
    handle = Submission(Works, Options(), services).submit()
    ((delivery, status),) = seen
    assert (delivery.message.uuid, delivery.deadline, delivery.retry) == (handle.uuid, None, True)
    assert status == "succeeded"
    assert handle.refresh().record.request_id == "renamed"


def test_an_attempt_keeps_the_path_of_its_exception(services: Services) -> None:
    handle = Submission(Breaks, Options(), services).submit()
    (attempt,) = handle.refresh().record.history
    assert (attempt.failure.type, attempt.failure.path) == ("LookupError", "builtins.LookupError")

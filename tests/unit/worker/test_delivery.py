"""What may stand around the run of a delivery."""

import decimal
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks import Task
from serverless_tasks.engine.backends.threading import ThreadingBackend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.engine.worker.delivery import Delivery
from serverless_tasks.engine.worker.outcome import DeliveryResult
from serverless_tasks.params import Parameter
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


TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


def sees_and_sets() -> list[Any]:
    """What a run finds, before it changes it for good."""
    seen = [TENANT.get(), decimal.getcontext().prec, decimal.getcontext().rounding]
    TENANT.set("acme")
    decimal.getcontext().prec = 3
    decimal.setcontext(decimal.Context(prec=4, rounding=decimal.ROUND_UP))
    return seen


class Sees(Task):
    name = "sees"
    outputs = {"result": Parameter()}

    def run(self) -> list[Any]:
        return sees_and_sets()


class SeesInCoroutine(Task):
    name = "sees.in.coroutine"
    outputs = {"result": Parameter()}

    async def run(self) -> list[Any]:
        return sees_and_sets()


class SeesInGenerator(Task):
    name = "sees.in.generator"
    outputs = {"result": Parameter()}

    def run(self) -> Generator[Any]:
        yield from sees_and_sets()


class SeesAndBreaks(Task):
    name = "sees.and.breaks"
    retries, backoff = 1, 0
    seen: list[list[Any]] = []

    def run(self) -> None:
        self.seen.append(sees_and_sets())
        raise LookupError("no such thing")


class TestAContextOfItsOwn:
    @pytest.fixture(params=["immediate", "threading"])
    def services(self, request: pytest.FixtureRequest) -> Services:
        return Services(Config(), backend=request.param, clock=FakeClock())

    def seen(self, services: Services, *tasks: type[Task]) -> list[Any]:
        """What tasks saw, which were run one after another on one thread."""
        if isinstance(services.backend, ThreadingBackend):
            services.backend._workers = 1
        handles = [Submission(task, Options(), services).submit() for task in tasks]
        if isinstance(services.backend, ThreadingBackend):
            services.backend._executor().shutdown(wait=True)
        return [handle.wait(timeout=0)["result"] for handle in handles]

    @pytest.mark.parametrize("task", [Sees, SeesInCoroutine, SeesInGenerator])
    def test_a_run_leaves_nothing_to_the_next_or_to_its_caller(
        self, services: Services, task: type[Task]
    ) -> None:
        fresh = ["nobody", decimal.getcontext().prec, decimal.getcontext().rounding]

        assert self.seen(services, task, Sees, task) == [fresh] * 3
        assert [TENANT.get(), decimal.getcontext().prec, decimal.getcontext().rounding] == fresh

    def test_nor_to_its_next_attempt(self) -> None:
        services = Services(Config(), backend="immediate", clock=FakeClock())
        SeesAndBreaks.seen.clear()
        Submission(SeesAndBreaks, Options(), services).submit()
        assert [seen[0] for seen in SeesAndBreaks.seen] == ["nobody", "nobody"]

    def test_it_finds_what_its_caller_has_set(self) -> None:
        services = Services(Config(), backend="immediate", clock=FakeClock())
        with decimal.localcontext(prec=50):
            token = TENANT.set("ours")
            try:
                assert self.seen(services, Sees)[0][:2] == ["ours", 50]
            finally:
                TENANT.reset(token)

    def test_middleware_stands_in_the_context_of_the_run(self) -> None:
        seen = []

        def middleware(delivery: Delivery, execute: Callable[[Delivery], DeliveryResult]) -> DeliveryResult:
            token = TENANT.set("ours")
            outcome = execute(delivery)
            seen.append(TENANT.get())
            TENANT.reset(token)
            return outcome

        services = Services(Config(), backend="immediate", clock=FakeClock(), middleware=middleware)
        assert self.seen(services, Sees)[0][0] == "ours"
        assert (seen, TENANT.get()) == (["acme"], "nobody")

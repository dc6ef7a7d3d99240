"""The backends that run jobs in this process, on a real table."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks import Handle, Task
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, use
from serverless_tasks.errors import AwsError, PayloadTooLarge, SubmitFailed
from serverless_tasks.params import Parameter, StringParameter
from tests.support.clock import FakeClock, until

LARGE = "x" * 500_000


class Measure(Task):
    name = "measure"
    inputs = {"text": StringParameter()}
    outputs = {"result": Parameter()}

    def run(self, text: str) -> int:
        return len(text)


@pytest.fixture(params=["immediate", "threading"])
def backend(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


class Ended:
    """Waits for the ends of jobs without reading the table: the stand-in for it is not safe between threads."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self._jobs: set[str] = set()
        succeed = services.store.succeed

        def noted(uuid: str, *given: Any) -> None:
            succeed(uuid, *given)
            self._jobs.add(uuid)

        monkeypatch.setattr(services.store, "succeed", noted)

    def __call__(self, handle: Handle) -> Handle:
        until(lambda: handle.uuid in self._jobs)
        return handle.refresh()


@pytest.fixture
def services(backend: str, config: Config, clock: FakeClock) -> Iterator[Services]:
    with use(Services(config, backend=backend, clock=clock)) as services:
        services.registry.add(Measure)
        yield services


def test_large_inputs_go_through_the_bucket(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Ended(services, monkeypatch)

    handle = ended(Measure.submit(text=LARGE))

    assert handle.outputs == {"result": 500_000}
    assert services.blobs is not None
    assert len(services.blobs.get(f"inputs/{handle.uuid}")) > 500_000


def test_without_a_bucket_they_are_refused_with_their_size(
    backend: str, config: Config, clock: FakeClock
) -> None:
    with use(Services(replace(config, bucket=""), backend=backend, clock=clock)) as services:
        services.registry.add(Measure)

        with pytest.raises(PayloadTooLarge, match=r"500,0.. bytes; the limit is 200,000"):
            Measure.submit(text=LARGE)


def test_of_a_bulk_only_what_is_too_large_is_refused(
    backend: str, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with use(Services(replace(config, bucket=""), backend=backend, clock=clock)) as services:
        services.registry.add(Measure)
        ended = Ended(services, monkeypatch)

        large, small = Measure.submit_many([{"text": LARGE}, {"text": "abc"}])
        ended(small)

    assert (large.published, small.published) == (False, True)
    assert small.outputs == {"result": 3}


def test_a_table_that_cannot_be_written_to_is_a_failed_submit(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: Any) -> None:
        raise AwsError("dynamodb.PutItem", "ThrottlingException", "slow down", applied=False)

    monkeypatch.setattr(services.store, "put_jobs", down)

    with pytest.raises(SubmitFailed, match=r"was not begun: dynamodb\.PutItem failed"):
        Measure.submit(text="abc")

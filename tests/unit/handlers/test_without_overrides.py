"""A batch is run as well where botocore is as it comes, one call after another."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from lambda_handlers import worker
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.botocore_overrides.switch import VARIABLE
from serverless_tasks.engine.job.message import Message
from tests.unit.handlers.conftest import Site


@pytest.fixture(autouse=True)
def switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    session.reset()


def test_a_batch_is_run(site: Site, message: Callable[..., Message]) -> None:
    jobs = [replace(message(numbers=[number, 1]), uuid=str(uuid4())) for number in range(3)]
    for job in jobs:
        site.put(job.encode())

    assert site.deliver(worker.handler) == []

    records = [site.services.store.read(job.uuid) for job in jobs]
    assert [record and record.outputs for record in records] == [{"sum": 1}, {"sum": 2}, {"sum": 3}]

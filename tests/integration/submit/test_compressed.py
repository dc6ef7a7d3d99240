"""Inputs that are stored compressed: when, what it costs, and that everybody reads them."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any
from unittest import mock
from zlib import decompress

import boto3
import pytest

from benchmarks.cases.people import records
from serverless_tasks import Task, TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.expressions import to_dynamodb
from serverless_tasks.engine.aws.dynamodb.items import TableItems
from serverless_tasks.engine.aws.dynamodb.manifest import AGAIN_MS, TableManifest
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.manifest.build import READS, ROLLED_OUT_MS, Manifest
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.items import COMPRESSED, compressed, job_item, units_of
from serverless_tasks.errors import AwsError
from serverless_tasks.params import DictParameter, NumberParameter
from tests.support.aws import received
from tests.support.billing import billed
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

PEOPLE = records(10_000)


class Greet(Task):
    name = "greet"
    inputs = {"people": DictParameter()}
    outputs = {"count": NumberParameter()}

    def run(self, people: list[Any]) -> int:
        return len(people)


TASKS = (Greet,)


def submitted(**options: Any) -> str:
    return Greet.options(owner="7", **options).submit(people=PEOPLE).uuid


def stored(config: Config, uuid: str) -> dict[str, Any]:
    """The item as AWS has it, by a client that knows nothing of ours."""
    key = {"pk": {"S": uuid}, "sk": {"S": "job"}}
    item: dict[str, Any] = boto3.client("dynamodb").get_item(TableName=config.table, Key=key)["Item"]
    return item


def is_compressed(config: Config, uuid: str) -> bool:
    item = stored(config, uuid)
    assert ("inputs" in item) != (COMPRESSED in item)
    return COMPRESSED in item


def worker(config: Config, clock: FakeClock) -> Services:
    """A new process of this version's worker."""
    services = Services(config, clock=clock)
    services.registry.add(Greet)
    return services


def deploy(config: Config, clock: FakeClock) -> None:
    """A worker of this version runs its first batch."""
    worker(config, clock).build_record.write_once()


def deploy_before(config: Config, clock: FakeClock) -> None:
    """A worker of the version before runs its first batch: it changes the attributes that it knows."""
    manifest = Manifest(build=f"before {clock.ms}", since=clock.ms, indexed_since=clock.ms)
    TableManifest(TableItems(session.client("dynamodb"), config.table, clock)).write(manifest)


@pytest.fixture
def rolled_out(config: Config, clock: FakeClock) -> None:
    deploy(config, clock)
    clock.move(ROLLED_OUT_MS / 1000)


@pytest.fixture(params=["on", "off"])
def overrides(request: pytest.FixtureRequest) -> Iterator[str]:
    """With what is overridden in botocore, and without."""
    with mock.patch.dict(os.environ, {"SERVERLESS_TASKS_BOTOCORE_OVERRIDES": request.param}):
        session.reset()
        yield request.param
    session.reset()


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_bytes_are_the_same_with_and_without_the_overrides(
    config: Config, clock: FakeClock, overrides: str, jobs: int
) -> None:
    table = Table(session.client("dynamodb"), config.table, clock, None, compress=True)
    messages = [a_message(clock, inputs={"people": PEOPLE}, owner="7") for _ in range(jobs)]
    table.put_jobs(messages)
    for message in messages:
        found = stored(config, message.uuid)
        assert found == to_dynamodb(compressed(job_item(message)))
        assert decompress(found[COMPRESSED]["B"]).decode() == job_item(message)["inputs"]
        assert table.job(message.uuid) == message


class TestWhen:
    @pytest.mark.usefixtures("services", "rolled_out")
    def test_once_all_deployed_builds_read_it(self, config: Config) -> None:
        assert is_compressed(config, submitted())

    @pytest.mark.usefixtures("services")
    def test_not_before_a_worker_has_said_so(self, config: Config, clock: FakeClock) -> None:
        assert not is_compressed(config, submitted())
        worker(config, clock).build_record.write()  # `schedules sync` of this version
        clock.move(ROLLED_OUT_MS / 1000)
        assert not is_compressed(config, submitted())

    @pytest.mark.usefixtures("services")
    def test_not_while_the_build_before_may_still_run(self, config: Config, clock: FakeClock) -> None:
        deploy_before(config, clock)
        assert not is_compressed(config, submitted())
        clock.move(1)
        deploy(config, clock)
        clock.move(ROLLED_OUT_MS / 1000 - 1)
        assert not is_compressed(config, submitted())
        clock.move(AGAIN_MS / 1000)
        assert is_compressed(config, submitted())

    @pytest.mark.usefixtures("services", "rolled_out")
    def test_no_longer_when_the_build_before_is_deployed_again(
        self, config: Config, clock: FakeClock
    ) -> None:
        uuid = submitted()
        deploy_before(config, clock)
        clock.move(AGAIN_MS / 1000)
        assert is_compressed(config, uuid)
        assert not is_compressed(config, submitted())
        clock.move(1)
        deploy(config, clock)
        clock.move(AGAIN_MS / 1000)
        assert not is_compressed(config, submitted())
        clock.move(ROLLED_OUT_MS / 1000)
        assert is_compressed(config, submitted())

    @pytest.mark.usefixtures("services", "rolled_out")
    def test_the_next_build_of_this_version_goes_on(self, config: Config, clock: FakeClock) -> None:
        class Later(Task):
            name = "later"

            def run(self) -> None: ...

        after = worker(config, clock)
        after.registry.add(Later)
        after.build_record.write_once()
        clock.move(AGAIN_MS / 1000)
        assert is_compressed(config, submitted())
        manifest = after.manifest_store
        assert manifest is not None
        there = manifest.read()
        assert there is not None
        assert ("later" in there.tasks, set(there.reads)) == (True, set(READS))

    @pytest.mark.parametrize("setting", [True, False])
    def test_as_the_setting_says(self, config: Config, clock: FakeClock, setting: bool) -> None:
        deploy(config, clock)
        clock.move(0 if setting else ROLLED_OUT_MS / 1000)
        services = Services(replace(config, compress_inputs=setting), clock=clock)
        services.registry.add(Greet)
        with use(services), counted_calls() as calls:
            uuid = submitted()
        assert is_compressed(config, uuid) == setting
        assert calls == {"SendMessage": 1, "PutItem": 1}

    @pytest.mark.usefixtures("services", "rolled_out")
    @pytest.mark.parametrize("jobs", [1, 30])
    def test_off_where_the_manifest_cannot_be_read(
        self, config: Config, monkeypatch: pytest.MonkeyPatch, jobs: int
    ) -> None:
        denied = AwsError("dynamodb.batch_get_item", "AccessDeniedException", "not allowed", applied=False)
        monkeypatch.setattr(TableItems, "get_many", mock.Mock(side_effect=denied))
        handles = Greet.submit_many([{"people": PEOPLE}] * jobs)
        assert not any(is_compressed(config, handle.uuid) for handle in handles)
        assert TableItems.get_many.call_count == 1  # type: ignore[attr-defined]

    @pytest.mark.usefixtures("rolled_out")
    def test_off_where_jobs_run_in_this_process(self, config: Config, clock: FakeClock) -> None:
        with use(Services(config, clock=clock, backend="immediate")) as services, counted_calls() as calls:
            services.registry.add(Greet)
            uuid = submitted()
        assert not is_compressed(config, uuid)
        assert "BatchGetItem" not in calls


class TestCosts:
    @pytest.mark.usefixtures("services", "rolled_out")
    def test_ten_kb_of_what_people_send_cost_less_than_half(self, services: Services, config: Config) -> None:
        submitted()  # which has asked the manifest
        received(config)
        with billed() as units, counted_calls("dynamodb") as calls:
            submitted()
            [message] = received(config)
            assert services.runner.execute(message).status == "succeeded"
        assert calls == {"SendMessage": 1, "PutItem": 1, "UpdateItem": 2}
        with use(Services(replace(config, compress_inputs=False), clock=services.clock)), billed() as plain:
            submitted()
        assert (units["writes"], plain["writes"] + 2) == (7, 15)

    @pytest.mark.usefixtures("services", "rolled_out")
    def test_the_manifest_is_read_once_and_after_a_quarter_of_an_hour_again(self, clock: FakeClock) -> None:
        with counted_calls() as calls:
            Greet.submit_many([{"people": PEOPLE}] * 30)
            clock.move(AGAIN_MS / 1000 - 1)
            submitted()
        assert calls == {
            "SendMessageBatch": 3,
            "BatchWriteItem": 2,
            "SendMessage": 1,
            "PutItem": 1,
            "BatchGetItem": 1,
        }
        clock.move(1)
        with counted_calls() as calls:
            submitted()
            submitted()
        assert calls == {"SendMessage": 2, "PutItem": 2, "BatchGetItem": 1}

    @pytest.mark.usefixtures("services", "rolled_out")
    @pytest.mark.parametrize("people", [["x" * 900], [b64encode(Random(7).randbytes(1_300)).decode()]])
    def test_what_costs_no_less_asks_nothing_and_is_what_it_was(
        self, config: Config, clock: FakeClock, people: list[str]
    ) -> None:
        message = a_message(clock, inputs={"people": people})
        with counted_calls() as calls, billed() as units:
            Services(config, clock=clock).store.put_jobs([message])
        assert calls == {"PutItem": 1}
        assert units == {"writes": units_of(job_item(message)) + 1}
        assert stored(config, message.uuid) == to_dynamodb(job_item(message))


class TestReaders:
    """A job whose inputs are compressed, and one whose inputs are not, for a process that is set to the other."""

    @pytest.fixture(params=[True, False], ids=["compressed", "plain"])
    def uuid(self, request: pytest.FixtureRequest, config: Config, clock: FakeClock) -> Iterator[str]:
        written: bool = request.param
        with use(Services(replace(config, compress_inputs=written), clock=clock)) as services:
            services.registry.add(Greet)
            uuid = submitted()
        assert is_compressed(config, uuid) == written
        with use(Services(replace(config, compress_inputs=not written), clock=clock)) as services:
            services.registry.add(Greet)
            yield uuid

    def test_the_worker_and_status(self, config: Config, uuid: str) -> None:
        client = TaskClient()
        assert client.get(uuid).status == "pending"
        [message] = received(config)
        assert client.services.runner.execute(message).status == "succeeded"
        assert client.get(uuid).outputs == {"count": len(PEOPLE)}

    def test_lists_and_what_is_kept_of_the_submission(self, uuid: str) -> None:
        client = TaskClient()
        assert [record.uuid for record in client.services.store.list_owner("7").records] == [uuid]
        submission = client.services.store.job(uuid)
        assert submission is not None
        assert submission.inputs == {"people": PEOPLE}

    def test_a_retry(self, config: Config, uuid: str) -> None:
        client = TaskClient()
        [message] = received(config)
        client.services.store.cancel(uuid)
        again = client.retry(uuid)
        job = client.services.store.job(again.uuid)
        assert job is not None
        assert (job.inputs, job.retry_of) == (message.inputs, uuid)

"""The worker writes the manifest of its build after its first batch, and costs nothing by it from then on."""

from __future__ import annotations

import logging
from unittest import mock

import boto3
import pytest

from lambda_handlers import worker
from serverless_tasks import configure
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.expressions import to_dynamodb
from serverless_tasks.engine.aws.dynamodb.items import TableItems
from serverless_tasks.engine.definition.base import is_task_class
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.store.hashes import hashed
from serverless_tasks.errors import AwsError
from tests.support.calls import counted_calls
from tests.unit.handlers import tasks
from tests.unit.handlers.conftest import Context
from tests.unit.handlers.tasks import Sum


@pytest.fixture
def cold(site):
    """A new process of the worker, which has run no batch."""
    site.services = started(site)
    return site


def started(site, *left_out: str) -> Services:
    services = configure(site.services.config)
    for task in vars(tasks).values():
        if is_task_class(task) and task.__module__ == tasks.__name__ and task.name not in left_out:
            services.registry.add(task)
    return services


def batch(site, seconds: float = 300) -> dict[str, int]:
    """The calls to the table that are made after a batch that runs no job."""
    with counted_calls("dynamodb") as calls:
        worker.handler({"Records": []}, Context(seconds))
    return dict(calls)


def table_made(site) -> float:
    """When the table was made, seconds since the epoch, in whole milliseconds."""
    return site.services.manifest_store.made() / 1000


def kept(site):
    return site.services.manifest_store.read()


def test_the_first_batch_of_a_build_writes_its_tasks(cold):
    job = Sum.submit(numbers=[1])
    assert kept(cold) is None
    cold.deliver(worker.handler)
    assert job.refresh().status == "succeeded"
    assert kept(cold).tasks["sum"].schema == cold.services.registry.definition("sum").input_schema()
    assert kept(cold).tasks.keys() == {task.name for task in cold.services.registry}


# Of the first build alone: what asks the table when it was made.
FIRST = {"GetItem": 1, "DescribeTable": 1, "UpdateItem": 1}


def test_it_is_written_once_a_build_and_looked_for_once_a_process(cold):
    assert batch(cold) == FIRST
    assert batch(cold) == {}
    cold.services = started(cold)
    assert batch(cold) == {"GetItem": 1}
    assert batch(cold) == {}


def test_it_is_one_item_that_the_next_build_writes_over(cold):
    batch(cold)
    cold.services = started(cold, "sum")
    batch(cold)
    assert "sum" not in kept(cold).tasks
    [item] = boto3.client("dynamodb").scan(TableName="jobs")["Items"]
    assert (item["pk"]["S"], item["sk"]["S"]) == ("manifest", "manifest")


def test_a_process_of_the_build_before_does_not_write_over_a_newer_one(cold):
    before = started(cold, "sum")
    after = started(cold)
    after.started = before.started + 1
    after.build_record.write_once()
    before.build_record.write_once()
    assert "sum" in kept(cold).tasks


def test_it_says_since_when_states_are_indexed_and_later_builds_say_the_same(cold, monkeypatch):
    began = table_made(cold) + 86_400
    monkeypatch.setattr(cold.services, "started", began)
    batch(cold)
    assert kept(cold).indexed_since == round(began * 1000)
    cold.services = started(cold, "sum")
    cold.services.started = began + 100
    batch(cold)
    assert (kept(cold).since, kept(cold).indexed_since) == (round((began + 100) * 1000), round(began * 1000))


@pytest.mark.parametrize("is_worker", [True, False])
def test_a_new_table_without_a_manifest_has_no_jobs_of_a_version_before(cold, is_worker):
    if is_worker:
        batch(cold)
    else:
        cold.services.build_record.write()
    assert (kept(cold).indexed_since, kept(cold).first) == (0, round(table_made(cold) * 1000))
    cold.services = started(cold, "sum")
    batch(cold)
    assert kept(cold).indexed_since == 0


def test_who_is_no_worker_says_nothing_else_of_it_and_takes_nothing_back(cold, monkeypatch):
    monkeypatch.setattr(cold.services, "started", table_made(cold) + 86_400)
    cold.services.build_record.write()
    assert kept(cold).indexed_since is None
    assert batch(cold) == {"GetItem": 1, "UpdateItem": 1}
    since = kept(cold).indexed_since
    assert since == round(cold.services.started * 1000)
    cold.services.build_record.write()
    assert kept(cold).indexed_since == since


def test_who_may_only_write_writes_all_the_same(cold, monkeypatch):
    """As a holder of SchedulesPolicy."""
    denied = AwsError("dynamodb.get_item", "AccessDeniedException", "not allowed", applied=False)
    with monkeypatch.context() as patched:
        patched.setattr(cold.services.manifest_store, "read", mock.Mock(side_effect=denied))
        cold.services.build_record.write()
    assert (kept(cold).indexed_since, kept(cold).first) == (None, None)


def test_it_says_what_its_workers_read_and_since_when_those_of_all_builds_have(cold):
    since = {"inputs_zlib": round(cold.services.started * 1000)}
    batch(cold)
    assert kept(cold).reads == since
    cold.services = started(cold, "sum")
    cold.services.started += 100
    batch(cold)
    assert ("sum" in kept(cold).tasks, kept(cold).reads) == (False, since)


def test_who_is_no_worker_does_not_say_it_for_the_build(cold):
    batch(cold)
    since = kept(cold).reads
    cold.services.build_record.write()
    assert kept(cold).reads == since
    after = started(cold, "sum")
    after.started += 100
    after.build_record.write()
    assert kept(cold).reads == {}
    cold.services = started(cold, "sum")
    cold.services.started = after.started + 1
    assert batch(cold) == {"GetItem": 1, "UpdateItem": 1}
    assert kept(cold).reads == {"inputs_zlib": round(cold.services.started * 1000)}


def test_what_a_version_writes_that_does_not_know_of_it_takes_it_back(cold):
    batch(cold)
    client = boto3.client("dynamodb")
    key = {"pk": {"S": "manifest"}, "sk": {"S": "manifest"}}
    client.update_item(
        TableName="jobs",
        Key=key,
        UpdateExpression="SET build = :build",
        ExpressionAttributeValues={":build": {"S": "of that version"}},
    )
    assert "reads" in client.get_item(TableName="jobs", Key=key)["Item"]
    assert kept(cold).reads == {}


def test_a_worker_of_the_version_before_takes_it_back_though_it_has_the_same_tasks(cold):
    batch(cold)
    # What that version wrote: an item in place of the one that was there, with a build's name made of its tasks alone.
    item = {name: value for name, value in kept(cold).to_item().items() if name != "indexed_since"}
    assert item["build"] != hashed([task.to_json() for _, task in sorted(kept(cold).tasks.items())])
    put = {"pk": "manifest", "sk": "manifest", **item}
    boto3.client("dynamodb").put_item(TableName="jobs", Item=to_dynamodb(put))
    again = started(cold)
    again.started += 1000
    cold.services = again
    batch(cold)
    assert kept(cold).indexed_since == round(again.started * 1000)


def test_where_it_cannot_be_written_the_batch_is_done_all_the_same(cold, monkeypatch, caplog):
    denied = AwsError("dynamodb.put_item", "AccessDeniedException", "not allowed", applied=False)
    monkeypatch.setattr(cold.services.manifest_store, "write", mock.Mock(side_effect=denied))
    job = Sum.submit(numbers=[1])
    with caplog.at_level(logging.WARNING):
        assert cold.deliver(worker.handler) == []
    assert job.refresh().status == "succeeded"
    assert "the manifest of this build could not be written" in caplog.text
    assert batch(cold) == {}


def test_it_says_when_the_table_was_made_and_later_builds_do_not_ask_again(cold, monkeypatch):
    made = table_made(cold)
    monkeypatch.setattr(cold.services, "started", made + 3 * 86_400)
    batch(cold)
    assert kept(cold).first == round(made * 1000)
    cold.services = started(cold, "sum")
    assert batch(cold) == {"GetItem": 1, "UpdateItem": 1}
    assert kept(cold).first == round(made * 1000)


def test_a_table_that_others_items_came_to_is_as_old_as_these(cold, monkeypatch):
    client = session.client("dynamodb")
    table = client.describe_table(TableName="jobs")["Table"]
    for more in (
        {"RestoreSummary": {"RestoreInProgress": False}},
        {"Replicas": [{"RegionName": "eu-west-1"}]},
    ):
        monkeypatch.setattr(client, "describe_table", lambda more=more, **_: {"Table": {**table, **more}})
        assert cold.services.manifest_store.made() is None


def test_who_may_not_ask_when_the_table_was_made_writes_the_rest(cold, monkeypatch):
    denied = AwsError("dynamodb.describe_table", "AccessDeniedException", "not allowed", applied=False)
    monkeypatch.setattr(TableItems, "made", mock.Mock(side_effect=denied))
    batch(cold)
    assert (kept(cold).first, kept(cold).indexed_since is None) == (None, False)


def test_an_invocation_that_is_nearly_over_leaves_it_to_the_next_one(cold):
    assert batch(cold, seconds=worker.TO_RECORD_BUILD) == {}
    assert batch(cold) == FIRST

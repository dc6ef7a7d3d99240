"""The dead-letter handler: jobs are settled with a reason, other bodies are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from unittest import mock

import pytest

from lambda_handlers import dead_letter, worker
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.s3.dead_letters import BucketDeadLetters
from serverless_tasks.engine.definition.recurring import recurring_of
from serverless_tasks.engine.job.dead_letter import DeadLetter
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.errors import AwsError
from tests.unit.handlers.conftest import Context
from tests.unit.handlers.tasks import Hourly, Sum


def test_a_waiting_job_ends_as_failed(site, message):
    site.put(message(numbers=[1]).encode(), "dead")
    assert site.deliver(dead_letter.handler, "dead") == []
    record = site.services.store.read(message().uuid)
    assert (record.status, record.error["type"]) == ("failed", "Undeliverable")


def test_a_job_of_an_unknown_task_ends_with_that_reason(site, message):
    site.put(message("never.deployed").encode(), "dead")
    site.deliver(dead_letter.handler, "dead")
    error = site.services.store.read(message().uuid).error
    assert error == {
        "type": "UnknownTask",
        "message": (
            "No deployed task is named 'never.deployed'. Deploy a class with this name, or one that has it in"
            " `aliases`; then retry the job."
        ),
    }


def test_an_operators_action_is_a_task_that_is_deployed(site, message):
    site.put(message("serverless-tasks.bulk", action="delete").encode(), "dead")
    site.deliver(dead_letter.handler, "dead")
    assert site.services.store.read(message().uuid).error["type"] == "Undeliverable"


def test_a_job_of_a_newer_version_ends_with_that_reason(site, message):
    site.put(json.dumps(json.loads(message(numbers=[1]).encode()) | {"v": 3}), "dead")
    site.deliver(dead_letter.handler, "dead")
    assert site.services.store.read(message().uuid).error["type"] == "MessageTooNew"


def test_a_live_lease_is_never_settled(site, message):
    lease = round((site.services.clock.now() + 50) * 1000)
    site.services.store.claim(message(numbers=[1]), token="alive", lease=lease, request_id="")
    site.put(message(numbers=[1]).encode(), "dead")
    assert len(site.deliver(dead_letter.handler, "dead")) == 1
    assert site.services.store.read(message().uuid).status == "running"
    assert 50 <= site.hidden_for()[0] <= 53


def test_an_ended_job_stays_as_it_ended_and_raises_no_alarm(site, capsys):
    job = Sum.submit(numbers=[1]).cancel()
    site.sqs.send_message(QueueUrl=site.url("dead"), MessageBody=site.event()["Records"][0]["body"])
    capsys.readouterr()
    assert site.deliver(dead_letter.handler, "dead") == []
    assert job.refresh().status == "cancelled"
    assert "DeadLettered" not in capsys.readouterr().out


def letters(site) -> list[DeadLetter]:
    return sorted(site.services.dead_letter_store.all(), key=lambda letter: letter.id)


@pytest.mark.parametrize("whole_call", [False, True])
def test_what_the_scheduler_could_not_send_ends_with_its_reason(site, message, whole_call):
    body = message(numbers=[1]).encode()
    left = json.dumps({"QueueUrl": "https://sqs/1/gone", "MessageBody": body}) if whole_call else body
    site.put(
        left,
        "dead",
        ERROR_CODE="AWS.SimpleQueueService.NonExistentQueue",
        ERROR_MESSAGE="The specified queue does not exist.",
    )

    assert site.deliver(dead_letter.handler, "dead") == []

    assert site.services.store.read(message().uuid).error == {
        "type": "Undeliverable",
        "message": "The scheduler could not bring the job to its queue:"
        " AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist.",
    }


@pytest.mark.parametrize("filled_in", [False, True])
def test_a_tick_that_the_scheduler_could_not_send_ends_listed_and_with_its_reason(site, filled_in):
    declared = recurring_of(site.services.registry, Hourly)
    scheduled = f"{datetime.fromtimestamp(site.services.clock.now(), UTC):%Y-%m-%dT%H:%M:%SZ}"
    site.put(
        declared.tick(scheduled) if filled_in else declared.body,
        "dead",
        ERROR_CODE="AWS.Scheduler.InternalServerError",
        SCHEDULED_TIME=scheduled,
    )

    assert site.deliver(dead_letter.handler, "dead") == []

    uuid = Message.decode(declared.tick(scheduled)).uuid
    error = site.services.store.read(uuid).error
    assert error["type"] == "Undeliverable"
    assert error["message"].endswith("AWS.Scheduler.InternalServerError: no reason was given")
    item = {"pk": {"S": uuid}, "sk": {"S": "job"}}
    assert "Item" in session.client("dynamodb").get_item(TableName="jobs", Key=item)


@pytest.mark.parametrize(
    "body", ['{"MessageBody": 5}', '["MessageBody"]', '{"MessageBody": "hello"}', '"MessageBody']
)
def test_a_call_of_something_else_is_kept_as_it_is(site, body):
    site.put(body, "dead")
    site.deliver(dead_letter.handler, "dead")
    (kept,) = letters(site)
    assert site.services.dead_letter_store.body(kept.id) == body


def test_a_body_that_is_no_job_is_kept_in_the_bucket(site):
    site.put("not ours", "dead")
    assert site.deliver(dead_letter.handler, "dead") == []
    (kept,) = letters(site)
    assert kept.id == f"undecodable/{site.delivered[0]['MessageId']}"
    assert kept.reason.startswith("The message body is not JSON")
    assert site.services.dead_letter_store.body(kept.id) == "not ours"
    assert site.s3.list_objects_v2(Bucket="payloads")["Contents"][0]["Key"] == f"dead-letters/{kept.id}"


def test_a_body_that_a_worker_gave_up_is_kept_under_its_first_id_and_once(site):
    site.put("not ours")
    event = site.event()
    worker.handler(event, Context())
    worker.handler(event, Context())
    assert site.deliver(dead_letter.handler, "dead") == []
    (kept,) = letters(site)
    assert (kept.id, kept.queue) == (f"undecodable/{event['Records'][0]['messageId']}", "default")


def test_a_body_that_sqs_moved_tells_its_queue(site):
    site.put("not ours", "dead")
    event = site.event("dead")
    event["Records"][0]["attributes"] = event["Records"][0]["attributes"] | {
        "DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:123456789012:low",
        "ApproximateReceiveCount": "101",
    }
    dead_letter.handler(event, Context())
    (kept,) = letters(site)
    assert (kept.queue, kept.deliveries, kept.sent) == ("low", 101, 1545082649183)


def test_a_made_up_first_id_is_not_believed(site):
    attributes = {"message_id": {"DataType": "String", "StringValue": "../jobs/x"}}
    site.sqs.send_message(QueueUrl=site.url("dead"), MessageBody="x", MessageAttributes=attributes)
    site.deliver(dead_letter.handler, "dead")
    assert [kept.id for kept in letters(site)] == [f"undecodable/{site.delivered[0]['MessageId']}"]


def test_a_settled_job_is_kept_as_it_came(site, message):
    body = message(numbers=[1]).encode()
    site.put(body, "dead")
    site.deliver(dead_letter.handler, "dead")
    (kept,) = letters(site)
    assert (kept.id, kept.task, kept.queue) == (f"jobs/{message().uuid}", "sum", "default")
    assert kept.reason == "Undeliverable: The job was delivered many times and never ended."
    assert site.services.dead_letter_store.body(kept.id) == body


def test_a_job_that_was_not_tracked_ends_with_its_task_and_owner_and_is_kept(site):
    job = Sum.options(track=False, owner="7").submit(numbers=[1])
    body = site.event()["Records"][0]["body"]
    site.put(body, "dead")

    assert site.deliver(dead_letter.handler, "dead") == []

    record = site.services.store.read(job.uuid)
    assert (record.status, record.task, record.owner) == ("failed", "sum", "7")
    assert site.services.store.job(job.uuid) is None
    (kept,) = letters(site)
    assert site.services.dead_letter_store.body(kept.id) == body


def test_a_letter_that_is_delivered_twice_is_kept_once(site, message):
    for body in (message(numbers=[1]).encode(), "not ours"):
        site.put(body, "dead")
    event = site.event("dead")
    for _ in range(2):
        assert dead_letter.handler(event, Context()) == {"batchItemFailures": []}
    assert len(letters(site)) == 2


def test_what_could_not_be_settled_says_so_and_comes_back(site, message, monkeypatch, caplog):
    refused = AwsError("dynamodb.UpdateItem", "AccessDeniedException", "not allowed", applied=False)
    monkeypatch.setattr(site.services.store, "settle", mock.Mock(side_effect=refused))
    site.put(message(numbers=[1]).encode(), "dead")
    assert len(site.deliver(dead_letter.handler, "dead")) == 1
    assert "the dead letter could not be settled or kept" in caplog.text
    assert "AccessDeniedException" in caplog.text


def test_a_bucket_that_fails_loses_neither_and_says_so(site, message, monkeypatch, caplog):
    for body in (message(numbers=[1]).encode(), "not ours"):
        site.put(body, "dead")
    event = site.event("dead")

    def fail(self, letter: DeadLetter, body: str) -> None:
        raise AwsError("s3.put_object", "SlowDown", "", applied=True)

    with monkeypatch.context() as broken:
        broken.setattr(BucketDeadLetters, "keep", fail)
        assert len(dead_letter.handler(event, Context())["batchItemFailures"]) == 2
    assert letters(site) == []
    assert caplog.text.count("the dead letter could not be settled or kept") == 2
    assert site.services.store.read(message().uuid).status == "failed"

    assert dead_letter.handler(event, Context()) == {"batchItemFailures": []}

    job, undecodable = letters(site)
    assert (job.id, job.reason.split(":")[0]) == (f"jobs/{message().uuid}", "Undeliverable")
    assert undecodable.id.startswith("undecodable/")


def test_the_letter_of_a_job_that_ended_by_itself_is_not_kept(site, message):
    claim = site.services.store.claim(message(numbers=[1]), token="a", lease=2**45, request_id="")
    failure = Failure(type="ValueError", message="it broke")
    site.services.store.fail(message().uuid, claim, Snapshot(1), failure)
    site.put(message(numbers=[1]).encode(), "dead")
    assert site.deliver(dead_letter.handler, "dead") == []
    assert letters(site) == []


def test_without_a_bucket_a_job_is_settled_and_a_body_waits(site, message, monkeypatch):
    site.services.config = replace(site.services.config, bucket="")
    for body in (message(numbers=[1]).encode(), "not ours"):
        site.put(body, "dead")
    assert site.deliver(dead_letter.handler, "dead") == ["not ours"]
    assert site.services.store.read(message().uuid).status == "failed"


def test_both_are_counted_for_the_alarm(site, message, capsys):
    site.put("not ours", "dead")
    site.put(message(numbers=[1]).encode(), "dead")
    site.deliver(dead_letter.handler, "dead")
    (counted,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (counted["DeadLettered"], counted["Undecodable"]) == ([1.0], [1.0])

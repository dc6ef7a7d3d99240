"""The dead-letter handler: jobs are settled with a reason, other bodies are kept."""

from __future__ import annotations

import json

import pytest

from lambda_handlers import dead_letter
from tests.unit.handlers.tasks import Sum


def test_a_waiting_job_ends_as_failed(site, message):
    site.put(message(numbers=[1]).encode(), "dead")
    assert site.deliver(dead_letter.handler, "dead") == []
    record = site.through.store.read(message().uuid)
    assert (record.status, record.error["type"]) == ("failed", "Undeliverable")


def test_a_job_of_an_unknown_task_ends_with_that_reason(site, message):
    site.put(message("never.deployed").encode(), "dead")
    site.deliver(dead_letter.handler, "dead")
    error = site.through.store.read(message().uuid).error
    assert error == {"type": "UnknownTask", "message": "No deployed task is named 'never.deployed'."}


def test_a_job_of_a_newer_version_ends_with_that_reason(site, message):
    site.put(json.dumps(json.loads(message(numbers=[1]).encode()) | {"v": 2}), "dead")
    site.deliver(dead_letter.handler, "dead")
    assert site.through.store.read(message().uuid).error["type"] == "MessageTooNew"


def test_a_live_lease_is_never_settled(site, message):
    lease = round((site.through.clock.now() + 50) * 1000)
    site.through.store.claim(message(numbers=[1]), token="alive", lease=lease, request_id="")
    site.put(message(numbers=[1]).encode(), "dead")
    assert len(site.deliver(dead_letter.handler, "dead")) == 1
    assert site.through.store.read(message().uuid).status == "running"
    assert 50 <= site.hidden_for()[0] <= 53


def test_an_ended_job_stays_as_it_ended_and_raises_no_alarm(site, capsys):
    job = Sum.submit(numbers=[1]).cancel()
    site.sqs.send_message(QueueUrl=site.url("dead"), MessageBody=site.event()["Records"][0]["body"])
    capsys.readouterr()
    assert site.deliver(dead_letter.handler, "dead") == []
    assert job.refresh().status == "cancelled"
    assert "DeadLettered" not in capsys.readouterr().out


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

    assert site.through.store.read(message().uuid).error == {
        "type": "Undeliverable",
        "message": "The scheduler could not bring the job to its queue:"
        " AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist.",
    }


@pytest.mark.parametrize(
    "body", ['{"MessageBody": 5}', '["MessageBody"]', '{"MessageBody": "hello"}', '"MessageBody']
)
def test_a_call_of_something_else_is_kept_as_it_is(site, body):
    site.put(body, "dead")
    site.deliver(dead_letter.handler, "dead")
    (kept,) = site.s3.list_objects_v2(Bucket="payloads")["Contents"]
    assert site.s3.get_object(Bucket="payloads", Key=kept["Key"])["Body"].read() == body.encode()


def test_a_body_that_is_no_job_is_kept_in_the_bucket(site):
    site.put("not ours", "dead")
    assert site.deliver(dead_letter.handler, "dead") == []
    (kept,) = site.s3.list_objects_v2(Bucket="payloads")["Contents"]
    assert kept["Key"].startswith("dead-letters/2")
    assert site.s3.get_object(Bucket="payloads", Key=kept["Key"])["Body"].read() == b"not ours"


def test_both_are_counted_for_the_alarm(site, message, capsys):
    site.put("not ours", "dead")
    site.put(message(numbers=[1]).encode(), "dead")
    site.deliver(dead_letter.handler, "dead")
    (counted,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (counted["DeadLettered"], counted["Undecodable"]) == ([1.0], [1.0])

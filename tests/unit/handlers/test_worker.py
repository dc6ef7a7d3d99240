"""The worker: batches in, partial batch responses out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from unittest import mock

import pytest

from lambda_handlers import redelivery, telemetry, worker
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.record import no_such_task
from serverless_tasks.errors import AwsError
from tests.support.calls import counted_calls
from tests.unit.handlers import tasks
from tests.unit.handlers.conftest import Context
from tests.unit.handlers.tasks import Again, Break, Quiet, Refuse, SignIn, Slow, Sum


def test_a_job_is_run_and_its_message_deleted(site):
    job = Sum.submit(numbers=[1, 2])
    assert site.deliver(worker.handler) == []
    record = job.refresh().record
    assert (record.status, record.outputs, record.progress, record.target) == ("succeeded", {"sum": 3}, 2, 2)
    assert record.request_id == Context().aws_request_id


def test_a_failed_task_does_not_harm_its_batch(site):
    jobs = [Sum.submit(numbers=[1]), Refuse.submit(text="eggs"), Sum.submit(numbers=[2])]
    assert site.deliver(worker.handler) == []
    assert [job.refresh().status for job in jobs] == ["succeeded", "failed", "succeeded"]
    assert jobs[1].record.to_json()["error"] == {"type": "TaskError", "message": "I do not like eggs."}


def test_an_error_that_is_not_meant_for_users_is_neutral_in_the_record_and_whole_for_operators(site):
    job = Break.submit()
    site.deliver(worker.handler)
    record = job.refresh().record
    assert record.to_json()["error"]["type"] == "RuntimeError"
    assert "swordfish" not in json.dumps(record.to_json())
    assert "swordfish" in record.history[0].failure.traceback


def test_a_secret_input_is_in_no_log_line_and_in_no_item(site, capsys, monkeypatch):
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", sys.stdout)
    job = SignIn.submit(password="swordfish")
    site.deliver(worker.handler)
    assert tasks.begun == ["swordfish"]
    told = capsys.readouterr().out
    (line,) = [json.loads(line) for line in told.splitlines() if "task will be retried" in line]
    assert line["exception_name"] == "RuntimeError"
    assert line["exception"].endswith("RuntimeError: ********** was refused\n")
    items = session.client("dynamodb").scan(TableName="jobs")["Items"]
    assert {item["sk"]["S"].split("#")[-1] for item in items} == {"job", "state", "00000000", "end"}
    assert "swordfish" not in told + str(items)
    assert job.refresh().messages == ("with **********",)


def test_a_job_that_ended_is_acknowledged_and_not_run_again(site, message):
    site.put(message(numbers=[1]).encode())
    site.put(message(numbers=[1]).encode())
    assert site.deliver(worker.handler) == []
    assert tasks.begun == ["sum"]


def test_a_duplicate_under_a_live_lease_goes_back_until_the_lease_ends(site, message):
    now = site.services.clock.now()
    lease = round((now + 200) * 1000)
    site.services.store.claim(message(numbers=[1]), token="other", lease=lease, request_id="")
    site.put(message(numbers=[1]).encode())
    assert len(site.deliver(worker.handler)) == 1
    assert tasks.begun == []
    assert 199 <= site.hidden_for()[0] <= 203


def test_an_undecodable_body_goes_to_the_dead_letter_queue_at_once(site):
    job = Sum.submit(numbers=[1])
    site.put("not ours")
    assert site.deliver(worker.handler) == []
    assert [record["body"] for record in site.event("dead")["Records"]] == ["not ours"]
    assert job.refresh().status == "succeeded"


def test_an_undecodable_body_that_cannot_be_sent_there_says_so_and_comes_back_soon(site, monkeypatch, caplog):
    refused = AwsError("sqs.SendMessage", "AccessDenied", "not allowed", applied=False)
    monkeypatch.setattr(site.services.dead_letter_queue, "put", mock.Mock(side_effect=refused))
    site.put("not ours")
    assert site.deliver(worker.handler) == ["not ours"]
    assert site.hidden_for() == [redelivery.AFTER_ERROR]
    assert "a message could not be sent to the dead-letter queue" in caplog.text
    assert "sqs.SendMessage failed: AccessDenied" in caplog.text


def test_an_undecodable_body_goes_back_when_the_dead_letter_queue_does_not_take_it(site):
    site.put("not ours")
    site.sqs.delete_queue(QueueUrl=site.url("dead"))
    assert site.deliver(worker.handler) == ["not ours"]


def test_a_task_that_this_deployment_lacks_goes_back_for_a_minute(site, message):
    site.put(message("not.deployed.yet").encode())
    assert len(site.deliver(worker.handler)) == 1
    assert site.hidden_for() == [60]


def test_a_job_whose_task_no_worker_knows_says_so_at_once(site, message, capsys):
    telemetry.metrics.provider.metric_set.clear()
    lost = message("not.deployed.yet")
    site.services.store.put_jobs([lost])
    site.put(lost.encode())
    site.deliver(worker.handler)
    record = site.services.store.read(lost.uuid)
    assert (record.status, record.attempt, record.failure) == ("pending", 0, None)
    assert record.returned.type == "UnknownTask"
    assert "no task named 'not.deployed.yet'" in record.returned.message
    assert "returned" not in record.to_json()
    assert record.to_json(reveal=True)["returned"] == record.returned.to_json(reveal=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    [counted] = [line for line in lines if "_aws" in line]
    assert counted["UnknownTask"] == [1.0]


def test_once_the_task_is_deployed_the_job_runs_and_says_it_no_more(site, message):
    late = message(numbers=[1])
    site.services.store.put_jobs([late])
    site.services.store.returned(late, no_such_task("sum"))
    site.put(late.encode())
    assert site.deliver(worker.handler) == []
    record = site.services.store.read(late.uuid)
    assert (record.status, record.attempt, record.returned) == ("succeeded", 1, None)


def test_a_job_that_runs_or_has_ended_is_left_alone_by_a_worker_without_its_task(site):
    job = Sum.submit(numbers=[1])
    event = site.event()
    worker.handler(event, Context())
    body = json.loads(event["Records"][0]["body"]) | {"task": "not.deployed.yet"}
    event["Records"][0]["body"] = json.dumps(body)
    worker.handler(event, Context())
    assert (job.refresh().status, job.record.returned) == ("succeeded", None)


def test_a_message_of_a_newer_version_goes_back_for_a_minute(site, message):
    body = json.dumps(json.loads(message(numbers=[1]).encode()) | {"v": 3})
    site.put(body)
    assert site.deliver(worker.handler) == [body]
    assert site.hidden_for() == [60]


def test_visibility_is_shortened_to_what_the_run_can_last(site):
    Sum.submit(numbers=[1])
    site.deliver(worker.handler, seconds=300)
    assert 300 <= site.visibility[0][0] <= 311


def test_a_record_without_enough_time_left_is_not_begun_and_returns_at_once(site):
    first, second = Slow.submit(), Slow.submit()
    assert len(site.deliver(worker.handler, seconds=90)) == 1
    assert tasks.begun == ["slow"]
    assert {first.refresh().status, second.refresh().status} == {"succeeded", "pending"}
    assert site.hidden_for() == [0]


@pytest.mark.parametrize(("delivery", "seconds"), [("1", 10), ("2", 20), ("5", 160), ("60", 900)])
def test_after_an_error_of_aws_each_delivery_waits_twice_as_long(site, monkeypatch, delivery, seconds):
    away = AwsError("dynamodb.update_item", "InternalServerError", "away", applied=False)
    monkeypatch.setattr(site.services.store, "claim", mock.Mock(side_effect=away))
    Sum.submit(numbers=[1])
    event = site.event()
    event["Records"][0]["attributes"] = event["Records"][0]["attributes"] | {
        "ApproximateReceiveCount": delivery
    }
    worker.handler(event, Context())
    assert site.hidden_for() == [seconds]


def test_what_went_back_most_often_begins_first(site):
    first, second = Slow.submit(), Slow.submit()
    event = site.event()
    uuids = [json.loads(record["body"])["uuid"] for record in event["Records"]]
    jobs = {first.uuid: first, second.uuid: second}
    for record, count in zip(event["Records"], ("9", "10"), strict=True):
        record["attributes"] = record["attributes"] | {"ApproximateReceiveCount": count}
    answer = worker.handler(event, Context(90))
    assert answer["batchItemFailures"] == [{"itemIdentifier": event["Records"][0]["messageId"]}]
    assert [jobs[uuid].refresh().status for uuid in uuids] == ["pending", "succeeded"]


def test_the_first_record_begins_even_when_its_timeout_is_longer_than_the_function_s(site):
    job = Slow.submit()
    assert site.deliver(worker.handler, seconds=20) == []
    assert job.refresh().status == "succeeded"


def test_a_retry_sends_the_same_uuid_again_and_acknowledges(site):
    job = Again.submit()
    assert site.deliver(worker.handler) == []
    assert (job.refresh().status, job.record.attempt) == ("pending", 1)
    counts = site.sqs.get_queue_attributes(QueueUrl=site.url("default"), AttributeNames=["All"])["Attributes"]
    waiting = int(counts["ApproximateNumberOfMessagesDelayed"]) + int(counts["ApproximateNumberOfMessages"])
    assert waiting == 1


def test_when_the_store_cannot_be_asked_the_message_goes_back_and_nothing_counts(site, message, monkeypatch):
    site.put(message(numbers=[1]).encode())
    monkeypatch.setattr(site.services.store._items, "_table", "gone")
    assert len(site.deliver(worker.handler)) == 1
    assert tasks.begun == []
    assert site.hidden_for() == [redelivery.AFTER_ERROR]


def test_an_expired_job_is_settled_and_not_run(site, message):
    old = replace(message(numbers=[1]), created=1, expires=2)
    site.put(old.encode())
    assert site.deliver(worker.handler) == []
    record = site.services.store.read(old.uuid)
    assert (record.status, record.error["type"], tasks.begun) == ("failed", "Expired", [])


def test_log_lines_carry_the_job_and_metrics_count_it(site, capsys):
    telemetry.logger.registered_handler.setStream(sys.stdout)
    job = Sum.submit(numbers=[1])
    site.deliver(worker.handler)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    said = next(line for line in lines if line.get("message") == "task succeeded")
    assert (said["uuid"], said["task"]) == (job.uuid, "sum")
    counted = next(line for line in lines if "_aws" in line)
    assert counted["TaskSucceeded"] == [1.0]
    assert counted["TaskDuration"][0] >= 0


def test_messages_that_go_back_are_counted(site, message, capsys):
    for _ in range(3):
        Slow.submit()
    site.put(message("not.deployed.yet").encode())
    assert len(site.deliver(worker.handler, seconds=90)) == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    [counted] = [line for line in lines if "_aws" in line]
    assert sum(counted["MessageReturned"]) == 3
    assert site.deliver(worker.handler) == []


def test_a_batch_of_ten_is_one_call_to_its_queue_and_two_writes_a_job(site):
    for _ in range(10):
        Quiet.submit()
    event = site.event()
    with counted_calls("sqs", "dynamodb", "s3") as calls:
        assert worker.handler(event, Context()) == {"batchItemFailures": []}
    assert calls == {"ChangeMessageVisibilityBatch": 1, "UpdateItem": 20}


def test_an_error_of_the_handlers_own_gives_back_one_record_alone(site, monkeypatch):
    jobs = [Sum.submit(numbers=[1]), Sum.submit(numbers=[2])]
    failing = mock.Mock(side_effect=[RuntimeError("out of paper"), None])
    monkeypatch.setattr(worker, "report", failing)
    assert len(site.deliver(worker.handler)) == 1
    assert [job.refresh().status for job in jobs] == ["succeeded", "succeeded"]


@pytest.mark.parametrize(("deliveries", "seconds"), [(1, 60), (2, 120), (4, 480), (5, 900), (60, 900)])
def test_what_this_code_does_not_know_yet_comes_back_after_longer_and_longer(
    site, message, deliveries, seconds
):
    unknown = json.loads(message(numbers=[1]).encode()) | {"task": "of the next build"}
    newer = json.loads(message(numbers=[1]).encode()) | {"v": 99}
    for body in (unknown, newer):
        site.put(json.dumps(body))
    event = site.event()
    for record in event["Records"]:
        record["attributes"] = {**record["attributes"], "ApproximateReceiveCount": str(deliveries)}

    worker.handler(event, Context(300))

    assert site.hidden_for() == [seconds, seconds]

"""Direct invoke: a task and its inputs in, the record out; errors are structured."""

from __future__ import annotations

import pytest

from lambda_handlers import invoke
from tests.unit.handlers import tasks
from tests.unit.handlers.conftest import Context

UUID = "11111111-2222-4333-8444-555555555555"


def run(event):
    return invoke.handler(event, Context())


def test_the_record_is_returned(site):
    answer = run({"task": "sum", "inputs": {"numbers": [1, "2"]}})
    assert answer["status"] == "succeeded"
    assert answer["outputs"] == {"sum": 3}


def test_an_operators_action_on_many_jobs_is_no_task_to_invoke(site):
    for _ in range(2):
        answer = run(
            {"task": "serverless-tasks.bulk", "inputs": {"action": "delete", "filter": {}, "until": 1}}
        )
        assert answer["error"]["type"] == "UnknownTask"
        site.services.registry.for_message("serverless-tasks.bulk")  # as when a message named it


def test_the_same_uuid_runs_once_and_is_answered_twice(site):
    first = run({"task": "sum", "inputs": {"numbers": [1]}, "uuid": UUID})
    again = run({"task": "sum", "inputs": {"numbers": [1]}, "uuid": UUID})
    assert first == again
    assert tasks.begun == ["sum"]


def test_what_is_run_is_what_validation_made_of_the_inputs(site, monkeypatch):
    messages = []
    execute = site.services.runner.execute
    monkeypatch.setattr(
        site.services.runner,
        "execute",
        lambda message, **how: messages.append(message) or execute(message, **how),
    )
    run({"task": "sum", "inputs": {"numbers": [1, "2", 3.0]}})
    assert messages[0].inputs == {"numbers": [1, 2, 3.0]}


def test_the_uuid_of_another_tasks_job_is_not_answered_by_its_record(site):
    run({"task": "sum", "inputs": {"numbers": [1]}, "uuid": UUID})
    answer = run({"task": "break", "inputs": {}, "uuid": UUID})
    assert answer["error"]["type"] == "InvalidEvent"
    assert "a job of task 'sum', not 'break'" in answer["error"]["message"]


def test_a_job_whose_function_was_killed_reads_as_lost(site, monkeypatch):
    def killed(*_, **__):
        raise RuntimeError("the sandbox is gone")

    monkeypatch.setattr(site.services.store, "succeed", killed)
    run({"task": "sum", "inputs": {"numbers": [1]}, "uuid": UUID})
    assert site.services.store.read(UUID).status == "running"

    ends = site.services.clock.now() + Context().seconds
    monkeypatch.setattr(site.services.clock, "now", lambda: ends + 1)
    record = site.services.store.read(UUID)
    assert (record.status, record.error["type"]) == ("failed", "WorkerLost")


def test_a_failed_task_is_a_failed_record_with_its_whole_reason(site):
    answer = run({"task": "break", "inputs": {}})
    assert answer["status"] == "failed"
    assert answer["error"] == {"type": "RuntimeError", "message": "the password is swordfish"}


def test_a_failure_is_final_although_the_task_has_retries(site):
    assert run({"task": "again"})["status"] == "failed"
    assert site.event()["Records"] == []


@pytest.mark.parametrize(
    ("event", "type_"),
    [
        ([], "InvalidEvent"),
        ({}, "InvalidEvent"),
        ({"task": 7}, "InvalidEvent"),
        ({"task": "sum", "input": {}}, "InvalidEvent"),
        ({"task": "sum", "inputs": {"numbers": [1]}, "uuid": "x"}, "InvalidEvent"),
        ({"task": "sum", "inputs": {"numbers": [1]}, "uuid": 7}, "InvalidEvent"),
        ({"task": "sum", "inputs": {"numbers": [1]}, "owner": 7}, "InvalidEvent"),
        ({"task": "os.system"}, "UnknownTask"),
        ({"task": "sum", "inputs": {}}, "InvalidInputs"),
        ({"task": "sum", "inputs": {"numbers": ["x"]}}, "InvalidInputs"),
        ({"task": "sum", "inputs": {"numbers": [1], "extra": 1}}, "InvalidInputs"),
        ({"task": "sum", "inputs": [1]}, "InvalidInputs"),
        ({"task": "sum", "inputs": {"numbers": [float("nan")]}}, "InvalidInputs"),
    ],
)
def test_bad_input_is_a_structured_error_and_nothing_runs(site, event, type_):
    answer = run(event)
    assert answer["error"]["type"] == type_
    assert answer["error"]["message"]
    assert tasks.begun == []


def test_bad_inputs_name_the_field(site):
    assert run({"task": "refuse", "inputs": {"text": 7}})["error"]["fields"][0]["field"] == "text"


def test_a_fault_of_ours_is_a_structured_error_too(site, monkeypatch):
    monkeypatch.setattr(site.services.store._items, "_table", "gone")
    assert run({"task": "sum", "inputs": {"numbers": [1]}})["error"]["type"] == "AwsError"


def test_outputs_past_lambda_s_answer_are_refused_with_their_size(site, monkeypatch):
    monkeypatch.setattr(invoke, "ANSWER_LIMIT", 100)
    error = run({"task": "sum", "inputs": {"numbers": [1]}})["error"]
    assert error["type"] == "PayloadTooLarge"
    assert "100" in error["message"]


@pytest.mark.parametrize("owner", ["", "x" * 201, "\ud800", 7])
def test_an_owner_that_no_submit_takes_is_refused(site, owner):
    error = run({"task": "sum", "inputs": {"numbers": [1]}, "owner": owner})["error"]
    assert error["type"] == "InvalidEvent"
    assert "a string of 1 to 200 characters" in error["message"] or "1 to 200" in error["message"]

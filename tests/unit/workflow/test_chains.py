"""Jobs one after another, each once the one before it has succeeded."""

from __future__ import annotations

import pytest

from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.errors import WorkflowError
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import chain, group, previous, results
from tests.unit.workflow.tasks import UNLUCKY, Login, Pages, Repeat, Square, Total


def test_each_step_is_sent_when_the_one_before_it_has_succeeded(jobs: RecordedTasks) -> None:
    handle = chain(
        Square.signature(n=2), Square.signature(n=previous["square"]), Square.signature(n=previous["square"])
    ).submit()
    assert [message.task for message in jobs.submitted if message.workflow is None] == ["square"]
    jobs.drain()
    assert handle.refresh().status == "succeeded"
    assert list(handle.results()) == [{"square": 4}, {"square": 16}, {"square": 256}]
    assert (handle.record.task, handle.progress, handle.target) == ("chain", 3, 3)


def test_then_makes_a_chain(jobs: RecordedTasks) -> None:
    handle = Square.signature(n=3).then(Repeat.signature(text="x")).then(Repeat.signature(text="y")).submit()
    jobs.drain()
    assert list(handle.refresh().results()) == [
        {"square": 9},
        {"result": "x"},
        {"result": "y"},
    ]


def test_steps_after_one_that_failed_are_skipped(jobs: RecordedTasks) -> None:
    handle = chain(
        Square.signature(n=1), Square.signature(n=UNLUCKY), Square.signature(n=2), Square.signature(n=3)
    ).submit()
    jobs.drain()
    assert handle.refresh().status == "failed"
    assert handle.members == Members(total=4, succeeded=1, failed=1, cancelled=2)
    skipped = jobs.record(member_id(handle.uuid, 3))
    assert (skipped.status, skipped.error and skipped.error["type"]) == ("cancelled", "Skipped")
    assert [message.task for message in jobs.submitted].count("square") == 2


def test_a_step_that_is_delivered_again_sends_the_next_one_once(jobs: RecordedTasks) -> None:
    handle = chain(Square.signature(n=1), Square.signature(n=2), Square.signature(n=3)).submit()
    (first,) = [message for message in jobs.submitted if message.member is not None]
    for _ in range(3):
        jobs.services.runner.execute(first)
    assert [message.uuid for message in jobs.submitted].count(member_id(handle.uuid, 1)) == 1
    jobs.drain()
    assert handle.refresh().members == Members(total=3, succeeded=3)


def test_a_step_may_be_a_group_and_the_next_takes_its_results(jobs: RecordedTasks) -> None:
    squares = group(Square.signature(n=previous["square"]), Square.signature(n=5))
    handle = chain(
        Square.signature(n=2), squares, Total.signature(numbers=results["square"]), Pages.signature()
    ).submit()
    jobs.drain()
    assert handle.refresh().error is None
    assert jobs.record(member_id(handle.uuid, 2)).outputs == {"total": 41, "missing": 0}


def test_a_group_of_chains_is_followed_when_all_have_ended(jobs: RecordedTasks) -> None:
    steps = [chain(Square.signature(n=n), Square.signature(n=previous["square"])) for n in (1, 2, 3)]
    handle = group(steps).then(Repeat.signature(text="done")).submit()
    jobs.drain()
    assert handle.refresh().members == Members(total=3, succeeded=3)
    assert handle.continuation is not None
    assert handle.continuation.outputs == {"result": "done"}


def test_a_reference_whose_value_does_not_fit_fails_with_invalid_inputs(jobs: RecordedTasks) -> None:
    handle = chain(Repeat.signature(text="x"), Square.signature(n=previous["result"])).submit()
    jobs.drain()
    record = jobs.record(member_id(handle.refresh().uuid, 1))
    assert record.error is not None
    assert (record.status, record.error["type"]) == ("failed", "InvalidInputs")
    assert handle.status == "failed"


def test_a_reference_into_what_is_not_there_says_so(jobs: RecordedTasks) -> None:
    handle = chain(Square.signature(n=1), Repeat.signature(text=previous["square"]["deep"])).submit()
    jobs.drain()
    record = jobs.record(member_id(handle.uuid, 1))
    assert record.error is not None
    assert "has no such output" in record.error["message"]


def test_secrets_of_the_first_step_travel_and_those_of_later_ones_are_refused(jobs: RecordedTasks) -> None:
    handle = chain(Login.signature(password="hush"), Repeat.signature(text="in")).submit()
    jobs.drain()
    assert list(handle.refresh().results()) == [{"letters": 4}, {"result": "in"}]
    kept = [jobs.services.store.job(uuid) for uuid in (handle.uuid, member_id(handle.uuid, 0))]
    assert "hush" not in repr([message and message.inputs for message in kept])
    with pytest.raises(WorkflowError, match="read the secret in the task"):
        chain(Repeat.signature(text="in"), Login.signature(password="hush")).submit()


def test_a_chain_of_two_hundred_steps_ends(jobs: RecordedTasks) -> None:
    steps = [Square.signature(n=1)] + [Square.signature(n=previous["square"])] * 199
    handle = chain(steps).submit()
    jobs.drain()
    assert handle.refresh().members == Members(total=200, succeeded=200)

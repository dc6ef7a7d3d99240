"""Jobs whose worker was lost."""

from typing import Any
from unittest import mock

import pytest

from serverless_tasks.errors import AwsError
from tests.support.worker import World, broken


def test_a_task_that_must_not_run_twice_fails_once_its_worker_was_lost(world: World) -> None:
    world.task(lambda task: pytest.fail("it may have run"), on_lost="fail", retries=5)
    world.lose_a_worker()

    outcome = world.execute()

    assert (outcome.status, outcome.give_back, world.sent) == ("failed", None, [])
    assert world.record.error is not None
    assert world.record.error["type"] == "WorkerLost"
    assert world.record.attempt == 2


def test_a_direct_invoke_does_not_run_twice_either(world: World) -> None:
    world.task(lambda task: pytest.fail("it may have run"), on_lost="fail")
    world.lose_a_worker()

    assert world.execute(retry=False).status == "failed"


@pytest.mark.parametrize(("on_lost", "ran"), [("fail", 1), ("retry", 4)])
def test_a_run_whose_end_cannot_be_recorded_counts_as_a_lost_worker(
    world: World, monkeypatch: pytest.MonkeyPatch, on_lost: str, ran: int
) -> None:
    """Its work is done: an outage that lasts must not have it done again and again."""
    runs: list[int] = []
    world.task(lambda task: runs.append(1), on_lost=on_lost)
    refused = AwsError("s3.put_object", "SlowDown", "no", applied=False)
    monkeypatch.setattr(world.store, "succeed", mock.Mock(side_effect=refused))
    for _ in range(ran):
        with pytest.raises(AwsError):
            world.execute(deadline=world.clock.now() + 60)
        assert world.execute().status == "busy"
        world.clock.move(61)

    assert world.execute().status == "failed"
    assert len(runs) == ran
    assert world.record.error is not None
    assert world.record.error["type"] == "WorkerLost"


def test_a_task_that_must_not_run_twice_is_still_retried_after_its_own_failures(world: World) -> None:
    world.task(broken, on_lost="fail", retries=1)
    world.execute()
    world.clock.move(5)

    assert world.execute(world.sent[-1]).status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "ValueError"


@pytest.mark.parametrize("applied", [True, False])
def test_a_claim_whose_answer_was_lost_counts_as_no_lost_worker(
    world: World, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    claim = world.store.claim

    def unanswered(*args: Any, **given: Any) -> Any:
        if applied:
            claim(*args, **given)
        raise AwsError("dynamodb.UpdateItem", "ReadTimeoutError", "no answer", applied=True)

    world.task(lambda task: 5, on_lost="fail")
    monkeypatch.setattr(world.store, "claim", unanswered)
    with pytest.raises(AwsError, match="no answer"):
        world.execute()
    monkeypatch.undo()

    assert world.execute().status == "succeeded"
    assert world.record.attempt == 1


def test_a_claim_that_was_throttled_costs_no_further_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: Any, **__: Any) -> Any:
        raise AwsError("dynamodb.UpdateItem", "ThrottlingException", "slow down", applied=False)

    monkeypatch.setattr(world.store, "claim", throttled)
    monkeypatch.setattr(world.store, "release", lambda *_: pytest.fail("nothing to release"))
    world.task(lambda task: 5)

    with pytest.raises(AwsError):
        world.execute()


def test_a_release_that_fails_does_not_hide_why_it_was_tried(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: Any, **__: Any) -> Any:
        raise AwsError("dynamodb.UpdateItem", "ReadTimeoutError", "no answer", applied=True)

    monkeypatch.setattr(world.store, "claim", down)
    monkeypatch.setattr(world.store, "release", lambda *_: down())
    world.task(lambda task: 5)

    with pytest.raises(AwsError):
        world.execute()

    assert "could not be released" in caplog.text

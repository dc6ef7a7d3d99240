"""Deliveries of messages that begin no attempt."""

from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks import UnknownTask
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import RETENTION, inputs_key
from serverless_tasks.errors import AwsError
from tests.support.worker import World, broken


class Bucket:
    """A bucket that refuses."""

    def __init__(self, code: str) -> None:
        self.error = AwsError("s3.get_object", code, "refused", applied=False)

    def put(self, key: str, data: bytes) -> None:
        raise self.error

    def get(self, key: str) -> bytes:
        raise self.error


def test_a_bucket_that_is_busy_gives_the_message_back_and_the_attempt_does_not_count(world: World) -> None:
    world.task(lambda task: 5)
    world.blobs = Bucket("SlowDown")

    with pytest.raises(AwsError, match="SlowDown"):
        world.execute(replace(world.message, inputs_key=inputs_key(world.message.uuid)))

    assert (world.record.status, world.record.attempt) == ("pending", 0)


@pytest.mark.parametrize("code", ["NoSuchKey", "AccessDenied"])
def test_inputs_that_are_gone_are_a_failure(world: World, code: str) -> None:
    world.task(lambda task: 5)
    world.blobs = Bucket(code)

    outcome = world.execute(replace(world.message, inputs_key=inputs_key(world.message.uuid)))

    assert outcome.status == "failed"
    assert world.record.failure is not None
    assert (world.record.failure.type, world.record.failure.public) == ("AwsError", False)
    assert inputs_key(world.message.uuid) in world.record.failure.message
    assert "PayloadRetentionDays" in world.record.failure.message


def test_a_task_that_this_deployment_lacks_leaves_the_job_alone(world: World) -> None:
    with pytest.raises(UnknownTask):
        world.execute()

    assert world.record.status == "pending"


def test_a_message_of_an_ended_job_is_done_with_and_not_run(world: World) -> None:
    runs: list[int] = []
    world.task(lambda task: runs.append(1))
    world.execute()

    outcome = world.execute()

    assert (outcome.status, outcome.give_back, len(runs)) == ("ended", None, 1)


def test_a_duplicate_under_a_live_lease_goes_back_until_the_lease_ends(world: World) -> None:
    world.task(lambda task: pytest.fail("it is held by another"))
    lease = world.clock.ms + 120_000
    world.store.claim(world.message, token="other", lease=lease, request_id="")

    outcome = world.execute()

    assert outcome.status == "busy"
    assert outcome.give_back is not None
    assert 120 <= outcome.give_back <= 122
    world.clock.move(outcome.give_back)
    assert to_ms(world.clock.now()) > lease


def test_a_retry_that_comes_too_early_goes_back(world: World) -> None:
    world.task(broken, retries=1)
    world.execute()
    (again,) = world.sent

    outcome = world.execute(again)

    assert outcome.status == "waiting"
    assert outcome.give_back is not None
    assert outcome.give_back >= 1


def test_a_message_past_its_time_is_settled_and_not_run(world: World) -> None:
    world.task(lambda task: pytest.fail("it is too late"))
    world.clock.move(RETENTION + 1)

    outcome = world.execute()

    assert outcome.give_back is None
    assert world.record.error is not None
    assert world.record.error["type"] == "Expired"


def test_a_message_past_its_time_never_ends_a_job_that_runs(world: World) -> None:
    world.task(lambda task: None)
    world.clock.move(RETENTION - 10)
    world.store.claim(world.message, token="other", lease=world.clock.ms + 60_000, request_id="")
    world.clock.move(20)

    outcome = world.execute()

    assert outcome.status == "busy"
    assert outcome.give_back is not None
    assert world.record.status == "running"


def test_a_job_cancelled_before_it_began_is_not_run(world: World) -> None:
    world.task(lambda task: pytest.fail("it was cancelled"))
    world.store.cancel(world.message.uuid)

    assert world.execute().status == "ended"
    assert world.record.status == "cancelled"


def test_a_store_that_cannot_be_asked_gives_the_message_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim(*_: Any, **__: Any) -> Any:
        raise AwsError("dynamodb.UpdateItem", "ThrottlingException", "slow down", applied=False)

    monkeypatch.setattr(world.store, "claim", claim)
    world.task(lambda task: None)

    with pytest.raises(AwsError):
        world.execute()

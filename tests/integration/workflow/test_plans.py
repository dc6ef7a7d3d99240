"""Groups on SQS, the table and the bucket: plans of any size, and how long things are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from serverless_tasks import Task
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import OPEN, Message
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.groups import SHARD, shard_key
from serverless_tasks.errors import ConfigurationError, PayloadTooLarge, ServerlessTasksError
from serverless_tasks.params import ListParameter, NumberParameter, Parameter, StringParameter
from serverless_tasks.workflow import chain, group, previous, results
from tests.support.aws import received
from tests.support.clock import FakeClock

MIB = 1_048_576
DAY = 86_400


class Measure(Task):
    name = "measure"
    inputs = {"text": StringParameter()}
    outputs = {"length": NumberParameter(), "text": StringParameter(required=False)}

    def run(self, text: str) -> dict[str, Any]:
        return {"length": len(text), "text": text[:400_000]}


class Lengths(Task):
    name = "lengths"
    inputs = {"lengths": ListParameter(Parameter()), "note": StringParameter(required=False)}
    outputs = {"total": NumberParameter()}

    def run(self, lengths: list[Any], note: str = "") -> int:
        return sum(lengths) + len(note)


TASKS = (Measure, Lengths)


@pytest.fixture
def services(config: Config, clock: FakeClock) -> Iterator[Services]:
    with use(Services(config, clock=clock)) as services:
        for task in TASKS:
            services.registry.add(task)
        yield services


@pytest.fixture
def work(services: Services, config: Config) -> Callable[[], list[Message]]:
    """Run what the queue holds, and what that sends; returns all of it."""

    def run() -> list[Message]:
        done: list[Message] = []
        while messages := received(config):
            for message in messages:
                services.runner.execute(message, deadline=services.clock.now() + 300)
            done += messages
        return done

    return run


def test_what_follows_may_be_larger_than_a_message(services: Services, work: Any) -> None:
    handle = (
        group(Measure.signature(text="abc"), Measure.signature(text="de"))
        .then(Lengths.signature(lengths=results["length"], note="n" * 2 * MIB))
        .submit()
    )
    work()
    assert handle.refresh().members == Members(total=2, succeeded=2)
    assert handle.continuation.outputs == {"total": 5 + 2 * MIB}


def test_members_and_steps_may_be_larger_than_a_message(services: Services, work: Any) -> None:
    handle = chain(
        Measure.signature(text="a" * 2 * MIB),
        group(Measure.signature(text="b" * 2 * MIB), Measure.signature(text=previous["text"])),
        Lengths.signature(lengths=results["length"]),
    ).submit()
    work()
    assert handle.refresh().error is None
    assert list(handle.results())[2] == {"total": 2 * MIB + 400_000}


def test_an_inner_group_whose_plan_is_in_the_bucket_is_opened_again_with_all_its_members(
    services: Services, config: Config, clock: FakeClock
) -> None:
    inner = group(Measure.signature(text="x" * 300_000), Measure.signature(text="y")).then(
        Lengths.signature(lengths=results["length"], note="n" * MIB)
    )
    handle = group(inner).submit()
    (opening,) = [message for message in received(config) if message.workflow == OPEN]
    assert opening.inputs_key is not None
    for _ in range(3):
        services.runner.execute(opening, deadline=clock.now() + 300)
    group_id = member_id(handle.uuid, 0)
    sent = [message.uuid for message in received(config)]
    assert {member_id(group_id, index) for index in range(2)} <= {*sent}
    opened = services.store.groups.get(group_id)
    assert opened is not None
    plan, _ = services.workflows._fan_in.plan_of(opened)
    assert plan is not None
    assert len(plan.members) == 2


def test_a_plan_that_has_gone_from_the_bucket_ends_the_group_at_its_deadline(
    services: Services, config: Config, clock: FakeClock
) -> None:
    handle = (
        group(Measure.signature(text="abc"))
        .then(Lengths.signature(lengths=results["length"], note="n" * MIB))
        .submit()
    )
    services.blobs.delete([f"inputs/{handle.uuid}"])  # type: ignore[union-attr]
    (member,) = received(config)
    with pytest.raises(ServerlessTasksError, match="It is tried again until the group's deadline"):
        services.runner.execute(member, deadline=clock.now() + 300)
    assert handle.refresh().status == "running"

    clock.move(5 * DAY)
    services.runner.execute(member, deadline=clock.now() + 300)
    assert handle.refresh().error == {
        "type": "InputsUnavailable",
        "message": "The bucket no longer has the plan of the group, so that what follows was not sent.",
    }


def test_inputs_that_nothing_can_carry_are_refused_before_anything_is_sent(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serverless_tasks.engine.store.payloads.LARGEST_INPUTS", MIB)
    with pytest.raises(PayloadTooLarge):
        group(Measure.signature(text="a"), Measure.signature(text="b" * 2 * MIB)).submit()
    assert received(config) == []


def test_a_queue_without_an_address_is_told_before_anything_is_sent(
    services: Services, config: Config
) -> None:
    last = Lengths.options(queue="nowhere").signature(lengths=results["length"])
    with pytest.raises(ConfigurationError, match="nowhere"):
        group(Measure.signature(text="a")).then(last).submit()
    assert received(config) == []


def test_what_members_leave_is_kept_for_what_follows_at_the_deadline(
    services: Services, config: Config, clock: FakeClock, work: Any
) -> None:
    handle = group(
        Measure.signature(text="x" * 5_000), Measure.options(delay=600).signature(text="y"), deadline=50 * DAY
    ).submit()
    work()
    needed = clock.now() + 50 * DAY
    items = _items(config)
    for uuid in (handle.uuid, member_id(handle.uuid, 0), shard_key(handle.uuid, 0)):
        of_it = [item for item in items if item["pk"]["S"] == uuid]
        assert of_it
        assert all(int(item["ttl"]["N"]) > needed for item in of_it), of_it
    assert any(item["sk"]["S"].endswith("#outputs") for item in items)
    services.cancel(member_id(handle.uuid, 1))
    (state,) = [
        item
        for item in _items(config)
        if item["pk"]["S"] == member_id(handle.uuid, 1) and item["sk"]["S"] == "s#state"
    ]
    assert int(state["ttl"]["N"]) > needed


def test_a_deleted_group_leaves_tombstones_alone(services: Services, config: Config, work: Any) -> None:
    handle = group(Measure.signature(text="t" * 300_000) for _ in range(25)).submit()
    work()
    services.delete(handle.uuid)
    left = _items(config)
    assert {item["sk"]["S"] for item in left} == {"s#state"}
    assert not [item for item in left if item["sk"]["S"] == SHARD]
    listed = session.client("s3").list_objects_v2(Bucket=config.bucket, Prefix=f"inputs/{handle.uuid}")
    assert listed.get("Contents", []) == []
    ids = [member_id(handle.uuid, index) for index in range(25)]
    objects = session.client("s3").list_objects_v2(Bucket=config.bucket).get("Contents", [])
    assert not [each["Key"] for each in objects if any(uuid in each["Key"] for uuid in ids)]


def test_what_follows_has_an_id_of_its_own_group(services: Services, work: Any) -> None:
    handle = group(Measure.signature(text="a")).then(Lengths.signature(lengths=results["length"])).submit()
    done = work()
    assert [message.uuid for message in done].count(continuation_id(handle.uuid)) == 1


def _items(config: Config) -> list[dict[str, Any]]:
    return session.client("dynamodb").scan(TableName=config.table)["Items"]

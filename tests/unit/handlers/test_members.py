"""Members of groups in the worker: what they cost, and when their messages are deleted."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient

from lambda_handlers import dead_letter, worker
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.engine.store.group import Shard
from serverless_tasks.engine.store.groups import SHARD, shard_key
from serverless_tasks.errors import AwsError
from serverless_tasks.workflow import chain, group, previous, results
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.unit.handlers.tasks import Quiet, Sum

WRITES = ("UpdateItem", "PutItem", "BatchWriteItem", "TransactWriteItems")


@pytest.fixture
def site(site: Any) -> Any:
    """The site with a scheduler, which the deadlines of groups need."""
    session.client("scheduler").create_schedule_group(Name="group")
    role = "arn:aws:iam::123456789012:role/scheduler"
    site.services.config = replace(site.services.config, schedule_group="group", scheduler_role=role)
    # What is counted together is told by the time, of which a busy machine has more.
    site.services.clock = FakeClock(site.services.clock.now())
    return site


@pytest.fixture
def run(site: Any) -> Callable[..., Counter[str]]:
    """Deliver what the queue holds to the worker, and count the calls that it makes."""

    def deliver() -> Counter[str]:
        calls: Counter[str] = Counter()

        def handle(event: Any, context: Any) -> Any:
            with counted_calls("dynamodb", "sqs") as counted:
                answer = worker.handler(event, context)
            calls.update(counted)
            return answer

        assert site.deliver(handle) == []
        return calls

    return deliver


def numbers(count: int) -> Any:
    return [Sum.signature(numbers=[index]) for index in range(count)]


def quiet(count: int) -> Any:
    return [Quiet.signature() for _ in range(count)]


def members_of(handle: Any) -> Members:
    members: Members = handle.refresh().members
    return members


class TestCalls:
    def test_a_plain_job_makes_as_many_as_ever(self, site: Any, run: Any) -> None:
        with counted_calls("dynamodb", "sqs") as calls:
            Quiet.submit()
        assert calls == {"SendMessage": 1, "PutItem": 1}
        assert run() == {"UpdateItem": 2, "ChangeMessageVisibilityBatch": 1}

    def test_a_batch_of_ten_members_makes_at_most_two_more(self, site: Any, run: Any) -> None:
        Quiet.submit_many([{} for _ in range(10)])
        plain = run()
        handle = group(quiet(11)).submit()
        more = run() - plain
        assert members_of(handle) == Members(total=11, succeeded=10)
        assert more == {"UpdateItem": 1, "BatchGetItem": 1}  # the count, and the look at the mark

    def test_a_member_costs_a_write_unit_more_and_no_call_of_sqs(self, site: Any, run: Any) -> None:
        Quiet.submit()
        plain = run()
        total = 20
        handle = group(quiet(total)).submit()
        calls: Counter[str] = Counter()
        for message in taken(site):  # each in a batch of its own, so that none is joined
            if message.member is not None:
                site.put(message.encode())
                calls += run()
        assert members_of(handle) == Members(total=total, succeeded=total)
        assert handle.status == "succeeded"
        more = calls - Counter({name: count * total for name, count in plain.items()})
        # Those of a whole group: a shard that is full, and the end.
        assert more["UpdateItem"] == total + 2
        assert {name for name in more if name in WRITES} == {"UpdateItem"}
        assert not set(more) & {"SendMessage", "SendMessageBatch", "ChangeMessageVisibilityBatch"}

    def test_the_item_that_counts_stays_within_a_write_unit(self, site: Any) -> None:
        handle = group(quiet(1)).submit()
        full = Shard(number=199, ended=frozenset(range(200)), failed=frozenset(range(0, 200, 2)))
        site.services.store.groups.count(handle.uuid, full, 2_000_000_000)
        key = {"pk": {"S": shard_key(handle.uuid, 199)}, "sk": {"S": SHARD}}
        item = session.client("dynamodb").get_item(TableName=site.services.config.table, Key=key)["Item"]
        assert len(item["ended"]["NS"]) == 200
        assert _size(item) <= 1024

    def test_groups_of_one_batch_are_counted_in_one_call_a_shard(self, site: Any, run: Any) -> None:
        one, two = group(quiet(5)).submit(), group(quiet(6)).submit()
        calls = run()
        assert (members_of(one).ended, members_of(two).ended) == (5, 5)
        assert calls["UpdateItem"] == 20 + 2 + 2  # two counts; the first group is full, and ends


class TestSubmitting:
    @pytest.mark.parametrize("total", [0, 1, 95, 260])
    def test_it_takes_sends_of_ten_and_puts_of_25_and_three_calls_more(self, site: Any, total: int) -> None:
        site.services.queue, site.services.schedules  # noqa: B018 - clients that are made in time are counted
        with counted_calls("dynamodb", "sqs", "scheduler") as calls:
            group(numbers(total)).submit()
        assert _sends(calls) <= math.ceil(total / 10) + 1
        assert calls["BatchWriteItem"] <= math.ceil(total / 25)
        rest = sum(calls.values()) - _sends(calls) - calls["BatchWriteItem"]
        assert rest <= 5

    def test_ten_thousand_take_sixty_calls_more_at_most(self, site: Any) -> None:
        calls: Counter[str] = Counter()

        def answered(self: BaseClient, operation: str, given: dict[str, Any]) -> dict[str, Any]:
            calls[operation] += 1
            if operation == "SendMessageBatch":
                return {"Successful": [{"Id": entry["Id"]} for entry in given["Entries"]]}
            return {}

        site.services.backend  # noqa: B018 - made before its calls are answered
        with mock.patch.object(BaseClient, "_make_api_call", answered):
            group(numbers(10_000)).then(Quiet.signature()).submit()
        assert calls["SendMessageBatch"] == 1_000
        assert calls["BatchWriteItem"] == 400
        assert sum(calls.values()) - 1_400 <= 60

    def test_progress_reads_an_item_for_two_hundred_members(self, site: Any) -> None:
        handle = group(numbers(410)).submit()
        store = site.services.store
        keys: list[int] = []

        def asked(params: dict[str, Any], **_: Any) -> None:
            body = json.loads(params["body"])
            if "RequestItems" in body:
                (wanted,) = body["RequestItems"].values()
                keys.append(sum(key["sk"]["S"] == SHARD for key in wanted["Keys"]))

        client = session.client("dynamodb")
        client.meta.events.register("before-call", asked)
        try:
            version, record = store.changed({handle.uuid: "?"})[handle.uuid]
            assert record.progress == 0
            assert sum(keys) == 3
            keys.clear()
            assert store.changed({handle.uuid: version}) == {}
            assert sum(keys) == 3
            keys.clear()
            assert store.read(handle.uuid).target == 410
            assert sum(keys) == 3
        finally:
            client.meta.events.unregister("before-call", asked)

    def test_a_group_that_has_ended_is_read_without_its_shards(self, site: Any, run: Any) -> None:
        handle = group(numbers(3)).submit()
        run()
        with counted_calls("dynamodb") as calls:
            assert handle.refresh().members == Members(total=3, succeeded=3)
        assert calls == {"Query": 1}


class TestMessages:
    def test_they_go_back_when_their_members_could_not_be_counted(
        self, site: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handle = group(numbers(3)).then(Sum.signature(numbers=results["sum"])).submit()

        def fails(*given: object) -> None:
            raise AwsError("dynamodb.UpdateItem", "Throttled", "again", applied=False)

        with monkeypatch.context() as broken:
            broken.setattr(site.services.store.groups, "count", fails)
            back = site.deliver(worker.handler)
        assert len(back) == 3
        assert site.hidden_for() == [10, 10, 10]
        assert members_of(handle).ended == 0
        for body in back:
            site.put(body)
        assert site.deliver(worker.handler) == []
        assert members_of(handle) == Members(total=3, succeeded=3)
        assert site.deliver(worker.handler) == []
        assert handle.continuation.outputs == {"sum": 3}

    def test_a_bad_one_beside_them_goes_back_alone(self, site: Any) -> None:
        handle = group(numbers(2)).submit()
        unknown = Message(uuid=member_id(handle.uuid, 7), task="nobody", created=1, expires=2_000_000_000_000)
        site.put(unknown.encode())
        assert site.deliver(worker.handler) == [unknown.encode()]
        assert members_of(handle) == Members(total=2, succeeded=2)

    @pytest.mark.parametrize(
        ("seconds", "seen"), [(0.2, [0, 0, 0, 0]), (0.7, [0, 0, 2, 2]), (1.0, [0, 1, 2, 3])]
    )
    def test_none_waits_longer_than_a_second_where_the_next_takes_as_long(
        self, site: Any, monkeypatch: pytest.MonkeyPatch, seconds: float, seen: list[int]
    ) -> None:
        handle = group(quiet(4)).submit()
        counted: list[int] = []

        def slow(self: Any) -> None:
            counted.append(members_of(handle).ended)
            site.services.clock.move(seconds)

        monkeypatch.setattr(Quiet, "run", slow)
        site.deliver(worker.handler)
        assert counted == seen
        assert members_of(handle).ended == 4

    def test_what_ended_is_counted_before_a_job_of_no_group(
        self, site: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handle = group(quiet(3)).submit()
        Sum.submit(numbers=[1])
        counted: list[int] = []
        monkeypatch.setattr(Sum, "run", lambda self, numbers: counted.append(members_of(handle).ended) or 1)
        site.deliver(worker.handler)
        assert counted == [3]

    def test_a_chain_goes_on_by_itself(self, site: Any, run: Any) -> None:
        handle = chain(Sum.signature(numbers=[1, 2]), Sum.signature(numbers=previous["sum"])).submit()
        run()
        run()
        assert handle.refresh().status == "succeeded"

    def test_an_inner_group_is_opened_by_a_worker(self, site: Any, run: Any) -> None:
        handle = group(group(quiet(2)), Quiet.signature()).submit()
        run()
        assert members_of(handle) == Members(total=2, succeeded=1)
        run()
        assert members_of(handle) == Members(total=2, succeeded=2)

    def test_dead_letters_of_members_are_counted(self, site: Any) -> None:
        handle = group(numbers(2)).submit()
        for message in taken(site):
            site.put(message.encode(), "dead")
        assert site.deliver(dead_letter.handler, "dead") == []
        assert members_of(handle) == Members(total=2, failed=2)
        assert handle.status == "failed"

    def test_an_inner_group_that_could_not_be_opened_is_a_failed_member(self, site: Any) -> None:
        handle = group(group(quiet(2)), Quiet.signature()).submit()
        for message in taken(site):
            site.put(message.encode(), "dead" if message.workflow else "default")
        site.deliver(worker.handler)
        site.deliver(dead_letter.handler, "dead")
        assert members_of(handle) == Members(total=2, succeeded=1, failed=1)


def taken(site: Any) -> list[Message]:
    found = []
    while records := site.event()["Records"]:
        found += [Message.decode(record["body"]) for record in records]
    return found


def _sends(calls: Counter[str]) -> int:
    return calls["SendMessageBatch"] + calls["SendMessage"]


def _size(item: dict[str, Any]) -> int:
    """The bytes of an item, as DynamoDB bills them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name) + _size_of(value) for name, value in item.items())


def _size_of(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "NS":
        return sum(math.ceil(len(number) / 2) + 1 for number in content)
    return math.ceil(len(content) / 2) + 1 if kind == "N" else len(content)

"""What moto answers is the same when it looks at a query's key alone."""

from typing import Any

import pytest
from moto.dynamodb.models.table import Table

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.expressions import to_dynamodb
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.store.items import job_item
from serverless_tasks.local.aws import moto_queries
from tests.support.clock import FakeClock
from tests.support.jobs import a_message
from tests.support.stores import aws_account, clock, config

__all__ = ["aws_account", "clock", "config"]


@pytest.fixture
def uuids(config: Config, clock: FakeClock) -> list[str]:
    """Jobs of two tasks and owners over three days, some with a state beside the job."""
    made = []
    for number in range(40):
        message = a_message(clock, task=f"task-{number % 2}", owner="7" if number % 3 else None)
        made.append(message.uuid)
        items = [job_item(message)]
        if number % 4:
            items += [
                {"pk": message.uuid, "sk": f"s#{part}", "status": "running"} for part in ("state", "x", "a")
            ]
        for item in items:
            session.client("dynamodb").put_item(TableName=config.table, Item=to_dynamodb(item))
        clock.move(6_000)
    return made


def asked(config: Config, uuids: list[str]) -> list[Any]:
    """What the store asks: a job's states, and pages of both indexes."""

    def ask(condition: str, values: dict[str, str], **given: Any) -> Any:
        answer = session.client("dynamodb").query(
            TableName=config.table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_dynamodb(values),
            **given,
        )
        return [answer[name] for name in ("Items", "Count", "ScannedCount")] + [
            answer.get("LastEvaluatedKey")
        ]

    index = {"ScanIndexForward": False, "Limit": 3}
    answers = [
        ask("pk = :pk AND begins_with(sk, :s)", {":pk": uuid, ":s": "s#"}, ConsistentRead=True)
        for uuid in (*uuids[:8], "no-such")
    ]
    for name, key, value in (("by_task", "task_day", "task-1"), ("by_owner", "owner_day", "7")):
        for day in ("2026-01-01", "2026-01-02", "2025-12-31"):
            for shard in range(4):
                values = {":day": f"{value}#{day}#{shard}", ":before": "1767290000000"}
                answers.append(
                    ask(f"{key} = :day AND created_uuid < :before", values, IndexName=name, **index)
                )
    return answers


def test_the_answers_are_the_same(config: Config, uuids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = asked(config, uuids)
    assert sum(answer[1] for answer in before) > 20
    assert any(answer[3] for answer in before)
    for name in ("all_items", "query"):  # to be as they were afterwards
        monkeypatch.setattr(Table, name, getattr(Table, name))
    looked_at: list[int] = []
    monkeypatch.setattr(moto_queries, "_query", _counting(looked_at, moto_queries._query))

    moto_queries.install()

    assert asked(config, uuids) == before
    assert len(looked_at) == len(before)
    # How many a shard has is chance: the table has more than a hundred.
    assert max(looked_at) < len(uuids) // 2
    everything = session.client("dynamodb").scan(TableName=config.table)
    assert everything["Count"] == 40 + 30 * 3


def _counting(looked_at: list[int], query: Any) -> Any:
    def counted(self: Table, *given: Any, **more: Any) -> Any:
        looked_at.append(len(self.all_items()))
        return query(self, *given, **more)

    return counted

"""What moto answers is the same when it takes an item's values as they are."""

from typing import Any

import pytest
from moto.core.serialize import BaseJSONSerializer

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.local.aws import moto_answers
from tests.support.stores import aws_account, config

__all__ = ["aws_account", "config"]

KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
ITEM = {
    **KEY,
    "text": {"S": ""},
    "amount": {"N": "1.50"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "list": {"L": [{"S": "x"}, {"L": [{"N": "2"}]}, {"M": {}}]},
    "map": {"M": {"S": {"S": "a name that is a kind's"}, "deep": {"M": {"BOOL": {"BOOL": False}}}}},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
}


def answers(config: Config) -> list[Any]:
    table, client = {"TableName": config.table}, session.client("dynamodb")
    client.put_item(**table, Item=ITEM)
    change: dict[str, Any] = {
        "UpdateExpression": "SET amount = :amount",
        "ExpressionAttributeValues": {":amount": {"N": "3"}},
    }
    return [
        client.get_item(**table, Key=KEY)["Item"],
        client.batch_get_item(RequestItems={config.table: {"Keys": [KEY]}})["Responses"],
        client.scan(**table)["Items"],
        *(
            client.update_item(**table, Key=KEY, ReturnValues=which, **change)["Attributes"]
            for which in ("ALL_OLD", "ALL_NEW", "UPDATED_NEW")
        ),
    ]


def test_the_answers_are_the_same(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_structure", moto_answers._serialize)
    before = answers(config)
    assert before[0] == ITEM
    searched: list[Any] = []
    monkeypatch.setattr(moto_answers, "_serialize", _noting(searched, moto_answers._serialize))

    moto_answers.install()

    assert answers(config) == before
    assert searched
    assert {"S": "a"} not in searched


def _noting(searched: list[Any], serialize: Any) -> Any:
    def noted(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        searched.append(value)
        serialize(self, serialized, value, shape, key)

    return noted

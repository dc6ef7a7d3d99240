"""The two writes of a record as plain boto3 makes them: what our claim and our end say, without conditions."""

from __future__ import annotations

from typing import Any

_BEGIN = {
    "UpdateExpression": "SET #status = :status, #token = :token, #lease = :lease, #task = :task, #created = :created, "
    "#attempted = :now, #ttl = :ttl ADD #attempt :one",
    "names": ("status", "token", "lease", "task", "created", "attempted", "ttl", "attempt"),
}
_END = {
    "UpdateExpression": "SET #status = :status, #outputs = :outputs, #progress = :zero, #finished = :now",
    "names": ("status", "outputs", "progress", "finished"),
}


def begin(client: Any, uuid: str) -> None:
    """Say that a job is running."""
    values = {
        ":status": {"S": "running"},
        ":token": {"S": "0123456789abcdef0123456789abcdef"},
        ":lease": {"N": "1790000000000"},
        ":task": {"S": "noop"},
        ":created": {"N": "1790000000000"},
        ":now": {"N": "1790000000000"},
        ":ttl": {"N": "1790000000"},
        ":one": {"N": "1"},
    }
    _update(client, uuid, _BEGIN, values)


def end(client: Any, uuid: str) -> None:
    """Say that a job has ended."""
    values = {
        ":status": {"S": "succeeded"},
        ":outputs": {"S": '{"result": null}'},
        ":zero": {"N": "0"},
        ":now": {"N": "1790000000000"},
    }
    _update(client, uuid, _END, values)


def _update(client: Any, uuid: str, write: dict[str, Any], values: dict[str, Any]) -> None:
    client.update_item(
        TableName="tasks",
        Key={"pk": {"S": uuid}, "sk": {"S": "s#state"}},
        UpdateExpression=write["UpdateExpression"],
        ExpressionAttributeNames={f"#{name}": name for name in write["names"]},
        ExpressionAttributeValues=values,
    )

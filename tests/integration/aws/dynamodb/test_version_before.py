"""Messages that were sent, and items that were stored, by the version before: jobs in flight across an upgrade.

`tests/events/jobs_of_the_version_before.json` was recorded once, with that version's code, and is never made anew.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from tests.support.clock import FakeClock

RECORDED = json.loads(
    (Path(__file__).parents[3] / "events/jobs_of_the_version_before.json").read_text(encoding="utf-8")
)
STATUSES = {"pending", "running", "succeeded", "failed", "cancelled"}


def _named(recorded: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("recorded", recorded, ids=[each["kind"] for each in recorded])


@_named(RECORDED["messages"])
def test_a_message_is_read_as_it_was_meant(recorded: dict[str, Any]) -> None:
    message = Message.decode(recorded["body"])

    found = {
        name: getattr(message.options if name in ("tenant", "track") else message, name)
        for name in recorded["fields"]
    }
    assert found == {**recorded["fields"], "secrets": tuple(recorded["fields"]["secrets"])}


@_named([each for each in RECORDED["messages"] if each["kind"] != "tick"])
def test_a_message_is_sent_again_byte_for_byte(recorded: dict[str, Any]) -> None:
    assert Message.decode(recorded["body"]).encode() == recorded["body"]


@_named(RECORDED["items"])
def test_items_are_read_as_the_record_that_they_were(
    config: Config, table: Table, clock: FakeClock, recorded: dict[str, Any]
) -> None:
    clock.move(recorded["now"] - clock.now())
    for item in recorded["items"]:
        session.client("dynamodb").put_item(TableName=config.table, Item=item)

    record = table.read(recorded["uuid"])

    if recorded["record"] is None:
        assert record is None
        assert table.deleted(recorded["uuid"])
        return
    assert record is not None
    assert (record.to_json(), record.owner) == (recorded["record"], recorded["owner"])
    told = [
        [
            each.number,
            each.started,
            each.ended,
            each.failure.type,
            each.failure.message,
            each.failure.traceback[-40:],
            each.request_id,
        ]
        for each in record.history
    ]
    assert told == recorded["attempts"]


@_named(
    [each for each in RECORDED["items"] if each["kind"] in ("running, taken over", "waiting for a retry")]
)
def test_a_job_that_was_under_way_goes_on(
    config: Config, table: Table, clock: FakeClock, recorded: dict[str, Any]
) -> None:
    clock.move(recorded["now"] - clock.now() + 3600)
    for item in recorded["items"]:
        session.client("dynamodb").put_item(TableName=config.table, Item=item)
    message = table.job(recorded["uuid"])
    assert message is not None

    claim = table.claim(message, token="now", lease=clock.ms + 60_000, request_id="r")

    assert (claim.answer, claim.attempt) == ("claimed", recorded["record"]["attempt"] + 1)


def test_every_status_was_recorded() -> None:
    assert {each["record"]["status"] for each in RECORDED["items"] if each["record"]} == STATUSES

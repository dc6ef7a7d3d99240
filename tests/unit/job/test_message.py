import json
from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks.engine.job.message import (
    RETENTION,
    SCHEDULER_TRIES,
    VERSION,
    Message,
    due_at,
    expires_at,
    inputs_key,
    version_of,
)
from serverless_tasks.engine.job.options import NO_OPTIONS, JobOptions
from serverless_tasks.engine.job.place import Place, member_id
from serverless_tasks.errors import MessageTooNew, MessageUndecodable

UUID = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"
MESSAGE = Message(
    uuid=UUID,
    task="sum",
    inputs={"numbers": [1, 2.5, None, "ä\U0001f600"]},
    owner="7",
    queue="low",
    options=JobOptions(tenant="acme"),
    created=1_767_225_600_000,
    expires=1_767_571_200_000,
)


def body(**changed: Any) -> str:
    return json.dumps(json.loads(MESSAGE.encode()) | changed)


def test_a_message_is_decoded_as_it_was_encoded() -> None:
    assert Message.decode(MESSAGE.encode()) == MESSAGE


def test_a_message_without_what_is_optional_too() -> None:
    message = replace(MESSAGE, owner=None, options=NO_OPTIONS, inputs={})

    assert Message.decode(message.encode()) == message


def test_a_message_whose_inputs_lie_in_the_bucket_too() -> None:
    message = replace(MESSAGE, inputs={}, inputs_key=inputs_key(UUID))

    assert Message.decode(message.encode()) == message


def test_a_message_of_a_retry_too() -> None:
    message = replace(MESSAGE, retry_of="1b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")

    assert Message.decode(message.encode()) == message
    assert "retry_of" not in json.loads(MESSAGE.encode())


def test_when_it_is_due_is_not_sent_along() -> None:
    assert Message.decode(replace(MESSAGE, run_at=5).encode()) == MESSAGE


def test_the_delay_is_what_is_left_until_it_is_due_in_whole_seconds() -> None:
    message = replace(MESSAGE, run_at=60_001)

    assert [message.delay(now) for now in (0, 0.001, 59.5, 60.001, 100)] == [61, 60, 1, 0, 0]
    assert MESSAGE.delay(0) == 0


@pytest.mark.parametrize("delay", [0, 1, 900, 901, 86_400, 86_401, 40 * 86_400])
def test_a_delivered_message_tells_when_it_was_due(delay: int) -> None:
    due = MESSAGE.created + delay * 1000
    sent = replace(MESSAGE, run_at=due, expires=expires_at(MESSAGE.created, due))

    assert due_at(Message.decode(sent.encode())) == due


def test_a_message_expires_when_its_last_delivery_does() -> None:
    now = 1_000_000

    assert expires_at(now, None) == expires_at(now, now - 1) == now + RETENTION * 1000
    assert expires_at(now, now + 900_000) == now + 900_000 + RETENTION * 1000
    assert expires_at(now, now + 900_001) == now + 900_001 + (SCHEDULER_TRIES + RETENTION) * 1000


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_characters_that_sqs_refuses_are_escaped(character: str) -> None:
    message = replace(MESSAGE, inputs={"text": character})

    assert character not in message.encode()
    assert Message.decode(message.encode()) == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "null",
        "[]",
        "5",
        '"text"',
        "{}",
        '{"v": "1"}',
        '{"v": true}',
        '{"v": 1}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_message_is_undecodable(text: str) -> None:
    with pytest.raises(MessageUndecodable):
        Message.decode(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"uuid": "not a uuid"},
        {"uuid": None},
        {"task": ""},
        {"task": None},
        {"task": ["sum"]},
        {"inputs": []},
        {"inputs": None},
        {"owner": 7},
        {"owner": "\ud800"},
        {"task": "\ud800"},
        {"options": None},
        {"options": {}},
        {"options": {"queue": ""}},
        {"options": {"queue": "low", "track": None}},
        {"options": {"queue": "low", "track": 0}},
        {"created": "today"},
        {"created": -1},
        {"expires": None},
        {"expires": 10**20},
        {"inputs_key": "inputs/another"},
        {"inputs_key": "../../etc"},
        {"task": "x" * 500_000},
        {"owner": "ä" * 1_001},
        {"options": {"queue": "low", "tenant": "x" * 500_000}},
    ],
    ids=lambda changed: str(changed)[:40],
)
def test_what_is_no_whole_message_is_undecodable(changed: dict[str, Any]) -> None:
    with pytest.raises(MessageUndecodable):
        Message.decode(body(**changed))


def test_a_newer_message_is_told_apart_from_an_undecodable_one() -> None:
    with pytest.raises(MessageTooNew, match=f"version {VERSION + 1}"):
        Message.decode(body(v=VERSION + 1, options="of another kind"))


def test_of_a_newer_message_what_can_be_read_is_read_on_request() -> None:
    newer = body(v=VERSION + 1, surprise=True)

    assert Message.decode(newer, any_version=True) == MESSAGE
    assert version_of(newer) == VERSION + 1


def test_unknown_fields_of_this_version_are_passed_over() -> None:
    assert Message.decode(body(surprise=True)) == MESSAGE


@pytest.mark.parametrize("version", [0, -1, -99])
def test_versions_begin_with_one(version: int) -> None:
    with pytest.raises(MessageUndecodable, match="version number"):
        Message.decode(body(v=version))


GROUP = "2c1e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"


def test_a_member_of_a_group_has_the_id_of_its_place() -> None:
    """So that no other job is counted as that member."""
    place = Place(group=GROUP, index=1, total=3, until=1)
    member = replace(MESSAGE, uuid=member_id(GROUP, 1), member=place)
    assert Message.decode(member.encode()) == member
    for uuid in (UUID, member_id(GROUP, 2)):
        with pytest.raises(MessageUndecodable, match="must be that of its place"):
            Message.decode(replace(member, uuid=uuid).encode())

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from serverless_tasks.engine.job import message as message_module
from serverless_tasks.engine.job import options
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.options import JobOptions, option, rules_of
from serverless_tasks.engine.store import assembly
from serverless_tasks.engine.store.items import job_item
from serverless_tasks.engine.submit.options import RULES, Options
from serverless_tasks.errors import ServerlessTasksError, UnknownOption

ID = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"


def test_options_are_taken_by_name() -> None:
    given = {
        "owner": "7",
        "queue": "low",
        "priority": -1,
        "delay": 60,
        "tenant": "acme",
        "uuid": ID,
        "idempotency_key": "order 5 · ü",
        "idempotency_ttl": 3600,
        "unique": True,
        "track": False,
        "on_commit": False,
    }

    assert Options.parse(given) == Options(**given)  # type: ignore[arg-type]


def test_none_means_not_given() -> None:
    assert Options.parse({"owner": None, "delay": None, "on_commit": None}) == Options()


def test_a_delay_may_be_a_timedelta() -> None:
    assert Options.parse({"delay": timedelta(hours=2, milliseconds=1)}).delay == 7201


def test_a_delay_and_a_moment_together_are_refused() -> None:
    with pytest.raises(UnknownOption, match=r"delay .* and run_at .* say the same thing twice"):
        Options.parse({"delay": 5, "run_at": datetime(2030, 1, 1, tzinfo=UTC)})


def test_a_part_of_a_second_is_rounded_up() -> None:
    assert Options.parse({"delay": 0.2}).delay == 1


@pytest.mark.parametrize("given", [UUID(ID), ID.upper(), ID.replace("-", "")])
def test_a_uuid_takes_its_usual_form(given: Any) -> None:
    assert Options.parse({"uuid": given}).uuid == ID


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("delay", -1),
        ("delay", 3_155_760_001),
        ("delay", "60"),
        ("delay", float("nan")),
        ("delay", True),
        ("delay", timedelta(seconds=-1)),
        ("run_at", datetime(2030, 1, 1)),  # noqa: DTZ001 - that it has none is the point
        ("run_at", datetime(3000, 1, 1, tzinfo=UTC)),
        ("run_at", 1_800_000_000),
        ("run_at", date(2030, 1, 1)),
        ("tenant", ""),
        ("tenant", "a b"),
        ("tenant", "x" * 129),
        ("tenant", 5),
        ("owner", ""),
        ("owner", 7),
        ("owner", "\ud800"),
        ("owner", "x" * 201),
        ("queue", ""),
        ("queue", 5),
        ("queue", "\ud800"),
        ("priority", "high"),
        ("priority", 1.5),
        ("uuid", "not one"),
        ("uuid", 5),
        ("on_commit", 1),
        ("idempotency_key", ""),
        ("idempotency_key", "x" * 201),
        ("idempotency_key", "a\nb"),
        ("idempotency_key", "\ud800"),
        ("idempotency_key", 5),
        ("idempotency_ttl", 0),
        ("idempotency_ttl", 25 * 86_400 + 1),
        ("idempotency_ttl", 1.5),
        ("idempotency_ttl", True),
        ("unique", 1),
        ("track", 0),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_option(name: str, value: Any) -> None:
    with pytest.raises(UnknownOption, match=f"Option {name} is") as raised:
        Options.parse({name: value})

    assert name == "delay" or repr(value) in str(raised.value)


def test_an_unknown_option_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        UnknownOption, match="'colour' is not an option; the options are tenant, track, owner"
    ) as raised:
        Options.parse({"colour": "red"})

    assert isinstance(raised.value, ServerlessTasksError)
    assert isinstance(raised.value, TypeError)


def test_every_option_is_on_the_command_line_but_for_that_of_transactions() -> None:
    assert [name for name, rule in RULES.items() if not rule.help] == ["on_commit"]


def test_a_job_that_is_submitted_again_keeps_what_travelled_with_it() -> None:
    first = Options(tenant="acme", track=False, delay=5, owner="7")

    assert Options.again(first.travelling, owner="8") == Options(tenant="acme", track=False, owner="8")


def test_an_option_that_is_added_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the message, in the item, and back: the store and the message know no option by its name."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class More(JobOptions):
        colour: str | None = option(None, "a colour")

    monkeypatch.setattr(options, "_DEFAULTS", {**options._DEFAULTS, "colour": None})
    monkeypatch.setattr(options, "_RULES", rules_of(More))
    monkeypatch.setattr(message_module, "JobOptions", More)
    monkeypatch.setattr(assembly, "JobOptions", More)
    message = Message(uuid=ID, task="sum", options=More(colour="red", tenant="acme"))

    assert json.loads(message.encode())["options"] == {"queue": "default", "tenant": "acme", "colour": "red"}
    assert Message.decode(message.encode()).options == message.options
    assert assembly.message_from_item(job_item(message)).options == message.options

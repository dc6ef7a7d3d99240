"""Statistics in the table: their items' size and life, and their deletion with a job and with its owner."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serverless_tasks.client.owner_deletion import delete_owner
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.metering import Meter
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.statistics.counts import CALLS, ENDS
from serverless_tasks.engine.statistics.errors import ErrorKind, Occurrences
from serverless_tasks.engine.statistics.items import hour_of
from serverless_tasks.engine.store.items import DAY_MS
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

KB = 1024
TASK = "shop.background.orders.with_a_long_name.SynchroniseOrdersOfAllCustomers"


@pytest.fixture
def services(config: Config, clock: FakeClock) -> Services:
    return Services(config, clock=clock)


def item(config: Config, pk: str, sk: str) -> dict[str, Any]:
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    found: dict[str, Any] = session.client("dynamodb").get_item(TableName=config.table, Key=key)["Item"]
    return found


def size(found: dict[str, Any]) -> int:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    total = 0
    for name, value in found.items():
        [(kind, content)] = value.items()
        digits = content.replace(".", "").replace("-", "").strip("0")
        total += len(name) + (len(digits) // 2 + 2 if kind == "N" else len(content.encode()))
    return total


def test_an_hour_stays_within_a_write_unit(services: Services, config: Config, clock: FakeClock) -> None:
    """A busy hour, whose durations and waits spread over two and over four decades."""
    counts: dict[str, float] = dict.fromkeys(ENDS, 360_000)
    counts |= dict.fromkeys((*CALLS, "seconds", "gb_seconds"), 1234567.125)
    counts |= {f"d{number}": 123_456 for number in range(20, 36)}
    counts |= {f"q{number}": 123_456 for number in range(10, 42)}
    services.statistics_store.add(TASK, hour_of(clock.ms), 3, counts)
    assert size(item(config, f"stats#{TASK}", f"{hour_of(clock.ms)}#3")) <= KB


def test_an_error_s_day_stays_within_a_write_unit(
    services: Services, config: Config, clock: FakeClock
) -> None:
    kind = ErrorKind(fingerprint="38b0eccf19f4", task=TASK, type="E" * 200, frame="f" * 500)
    uuids = [f"0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c1{digit}" for digit in "012"]
    for hour in range(24):
        at = clock.ms + hour * 3_600_000
        uuid = uuids[hour % 3]
        services.statistics_store.add_errors(
            Occurrences(
                kind=kind, count=9_999, first=at, last=at, text="x" * 900, text_of=uuid, slot=hour % 3
            )
        )
    found = item(config, f"errors#{hour_of(clock.ms)[:10]}", kind.fingerprint)
    assert {f"h{hour:02d}" for hour in range(24)} <= set(found)
    assert size(found) <= KB
    assert size(item(config, f"errors#{hour_of(clock.ms)[:10]}", f"{kind.fingerprint}#e")) <= KB


def test_examples_do_not_outlive_the_jobs_that_they_are_about(
    services: Services, config: Config, clock: FakeClock
) -> None:
    uuid = failed(services, clock)
    example = item(config, f"errors#{hour_of(clock.ms)[:10]}", "38b0eccf19f4#e")
    assert int(example["ttl"]["N"]) <= int(item(config, uuid, "s#state")["ttl"]["N"])


def test_all_counts_have_a_ttl_of_ninety_days(services: Services, config: Config, clock: FakeClock) -> None:
    services.statistics_store.add("sum", hour_of(clock.ms), 0, {"succeeded": 1})
    kind = ErrorKind(fingerprint="38b0eccf19f4", task="sum", type="E")
    services.statistics_store.add_errors(Occurrences(kind=kind, count=1, first=clock.ms, last=clock.ms))
    items = session.client("dynamodb").scan(TableName=config.table)["Items"]
    assert sorted(each["pk"]["S"].partition("#")[0] for each in items) == ["error", "errors", "stats"]
    for each in items:
        assert 0 <= int(each["ttl"]["N"]) - (clock.ms + 90 * DAY_MS) // 1000 <= 3600


def failed(services: Services, clock: FakeClock, owner: str | None = None, slot: int = 0) -> str:
    """A job that has failed, and was counted."""
    message = a_message(clock, owner=owner)
    services.store.put_jobs([message])
    claim = services.store.claim(message, token="t", lease=clock.ms + 1000, request_id="")
    failure = Failure(type="ValueError", message="my name is Anna", fingerprint="38b0eccf19f4")
    services.store.fail(message.uuid, claim, Snapshot(seq=1), failure)
    kind = ErrorKind(fingerprint="38b0eccf19f4", task="sum", type="ValueError")
    services.statistics_store.add_errors(
        Occurrences(
            kind=kind,
            count=1,
            first=clock.ms,
            last=clock.ms,
            text=failure.message,
            text_of=message.uuid,
            slot=slot,
        )
    )
    return message.uuid


def kept(config: Config) -> str:
    items = session.client("dynamodb").scan(TableName=config.table)["Items"]
    return json.dumps([each for each in items if each["pk"]["S"].startswith("error")])


def test_the_deletion_of_a_job_takes_its_example(
    services: Services, config: Config, clock: FakeClock
) -> None:
    uuid = failed(services, clock)
    assert "Anna" in kept(config)
    services.delete(uuid)
    assert "Anna" not in kept(config)
    assert uuid not in kept(config)


def test_so_does_that_of_its_owner(services: Services, config: Config, clock: FakeClock) -> None:
    uuid = failed(services, clock, owner="7")
    other = failed(services, clock, owner="8", slot=1)
    delete_owner(services, "7", wait=0, dry_run=False)
    assert "Anna" not in kept(config)
    assert uuid not in kept(config)
    assert other in kept(config)


def test_a_meter_counts_what_dynamodb_tells_and_a_refused_condition(
    services: Services, clock: FakeClock
) -> None:
    told: list[tuple[str, str, float]] = []
    message = a_message(clock)
    store = services.store
    session.meter(Meter(lambda pk, attribute, amount: told.append((pk, attribute, amount))))
    try:
        store.claim(message, token="a", lease=clock.ms + 1000, request_id="")
        store.claim(message, token="b", lease=clock.ms + 1000, request_id="")  # refused
        store.read(message.uuid)
    finally:
        session.meter(None)
    assert told[:2] == [(message.uuid, "wu", 1.0)] * 2
    assert told[2][:2] == (message.uuid, "ru")

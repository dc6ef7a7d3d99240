"""Which inputs are stored compressed: those that cost fewer write units, and no others."""

from random import Random
from typing import Any

import pytest

from benchmarks.cases.people import records
from serverless_tasks.engine.store.assembly import message_from_item
from serverless_tasks.engine.store.items import COMPRESSED, UNCOMPRESSED, Item, compressed, job_item, units_of
from tests.support.clock import FakeClock
from tests.support.jobs import a_message


def item_of(inputs: Any, **given: Any) -> Item:
    return job_item(a_message(FakeClock(), inputs=inputs, owner="7", **given))


def text_of(size: int) -> str:
    """Text of which compressing leaves three quarters at least."""
    random = Random(7)
    return "".join(
        random.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/") for _ in range(size)
    )


@pytest.mark.parametrize("size", [0, 10, 500, UNCOMPRESSED - len('{"text":""}')])
def test_small_inputs_are_stored_as_they_are(size: int) -> None:
    item = item_of({"text": "x" * size})
    assert compressed(item) is item


@pytest.mark.parametrize("size", [1_500, 2_000, 3_000])
def test_so_is_what_would_cost_as_many_units(size: int) -> None:
    item = item_of({"text": text_of(size)})
    smaller = compressed(item)
    assert (smaller is item) == (units_of(smaller) == units_of(item))
    assert compressed(item_of({"text": text_of(1_400)}))["inputs"]


def test_ten_kb_of_what_people_send_cost_less_than_half() -> None:
    item = item_of({"people": records(10_000)})
    assert 10_000 <= len(item["inputs"].encode()) < 10_500
    # Two more units are those of the indexes, and two those of the claim and the end.
    assert (units_of(item) + 4, units_of(compressed(item)) + 4) == (15, 7)


@pytest.mark.parametrize(
    "inputs",
    [
        {"people": records(10_000)},
        {"text": "käse €" * 500, "☃": [None, True, 1.5, 10**30]},
        {"text": "x" * 190_000},
        ["x" * 2_000],
    ],
)
def test_the_inputs_are_the_same_when_they_are_read(inputs: Any) -> None:
    item = item_of(inputs)
    smaller = compressed(item)
    assert message_from_item(smaller) == message_from_item(item)
    assert {**smaller, "inputs": item["inputs"]} == {**item, COMPRESSED: smaller[COMPRESSED]}


def test_secrets_are_masked_before() -> None:
    item = compressed(item_of({"password": "hunter22", "text": "x" * 5_000}, secrets=("password",)))
    assert message_from_item(item).inputs == {"password": "**********", "text": "x" * 5_000}


def test_units_are_counted_by_names_and_values() -> None:
    assert units_of({"a": "x" * 1023}) == 1
    assert units_of({"a": "ü" * 512}) == 2
    assert units_of({"a": b"\xff" * 1023}) == 1
    assert units_of({"a": b"\xff" * 1023, "b": True}) == 2

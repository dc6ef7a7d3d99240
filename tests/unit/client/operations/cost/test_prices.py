"""The table of prices, and prices in place of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from serverless_tasks.client.operations.cost.prices import US_EAST_1, chosen_prices, prices_of, read_prices
from serverless_tasks.errors import ConfigurationError


def test_they_are_those_of_us_east_1_unless_said() -> None:
    assert prices_of(None) == prices_of("us-east-1") == US_EAST_1


def test_some_take_the_place_of_the_tables() -> None:
    prices = prices_of(None, {"sqs_requests": 0.3, "date": "2027-01-01"})
    assert (prices.sqs_requests, prices.date) == (0.3, "2027-01-01")
    assert prices.dynamodb_writes == US_EAST_1.dynamodb_writes


def test_another_region_needs_all_of_them() -> None:
    every: dict[str, Any] = {name: 1 for name in asdict(US_EAST_1) if name not in ("region", "date")}
    assert prices_of("eu-central-1", every).region == "eu-central-1"
    assert prices_of(None, every | {"region": "eu-central-1"}).region == "eu-central-1"
    del every["logs_gb"]
    with pytest.raises(ConfigurationError, match=r"no prices of region 'eu-central-1'.* give logs_gb"):
        prices_of("eu-central-1", every)


@pytest.mark.parametrize(
    ("prices", "text"),
    [
        ({"sqs": 1}, "There is no price 'sqs'; the prices are region, date, lambda_requests"),
        ({"sqs_requests": "1"}, "The price sqs_requests is '1'; expected dollars, 0 or more"),
        ({"sqs_requests": -1}, "is -1"),
        ({"sqs_requests": True}, "is True"),
        ({"sqs_requests": float("nan")}, "is nan"),
        ({"date": 2027}, "The price date is 2027; expected a text"),
        ({"region": ""}, "The price region is ''"),
    ],
)
def test_what_is_no_price_is_named(prices: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        prices_of(None, prices)


def test_a_file_comes_before_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text("sqs_requests = 0.3\n")
    setting = {"sqs_requests": 0.2}
    assert chosen_prices(None, None, "") == (US_EAST_1, "")
    for given, price, place in (
        ((file, setting), 0.3, str(file)),
        ((None, str(file)), 0.3, str(file)),
        ((None, setting), 0.2, "SERVERLESS_TASKS['PRICES']"),
        ((None, '{"sqs_requests": 0.1}'), 0.1, "SERVERLESS_TASKS_PRICES"),
    ):
        prices, said = chosen_prices(None, *given)
        assert (prices.sqs_requests, said) == (price, place)


@pytest.mark.parametrize(
    ("name", "text"), [("prices.toml", "a ="), ("prices.json", "[]"), ("prices.json", "{")]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=name):
        read_prices(tmp_path / name)
    with pytest.raises(ConfigurationError, match="SERVERLESS_TASKS_PRICES"):
        chosen_prices(None, None, "{")

"""List prices of AWS, as they were on a day.

Of us-east-1, in dollars, without free tiers, discounts by volume, savings plans and taxes, as of 27 November 2026.
AWS's own pages fill in their prices by script, and none of them was read: each is as the page in brackets repeats it.

- Lambda: https://aws.amazon.com/lambda/pricing/ (a table of GB-seconds by region and architecture:
  https://app.unpkg.com/artillery@2.0.28/files/lib/platform/aws-lambda/prices.js)
- SQS: https://aws.amazon.com/sqs/pricing/ (https://cloudburn.io/blog/amazon-sqs-pricing, March 2026)
- DynamoDB: https://aws.amazon.com/dynamodb/pricing/on-demand/
  (https://airbyte.com/data-engineering-resources/dynamodb-pricing, July 2025)
- S3: https://aws.amazon.com/s3/pricing/ (https://c3x.dev/blog/s3-request-fees-explained)
- CloudWatch Logs: https://aws.amazon.com/cloudwatch/pricing/
  (https://hykell.com/kb/platform-specific-guides/aws-cloudwatch-logs-pricing)
- EventBridge Scheduler: https://aws.amazon.com/eventbridge/pricing/
  (https://cloudburn.io/blog/amazon-eventbridge-pricing, March 2026)
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of a region, in dollars.

    Attributes:
        region: the region.
        date: the day on which they were looked up, as ISO 8601.
        lambda_requests: a million invocations of Lambda.
        lambda_gb_second: a GB-second of an x86 function.
        lambda_gb_second_arm: a GB-second of an arm64 function.
        sqs_requests: a million requests of a standard queue, each of up to 64 KB.
        dynamodb_writes: a million write units on demand.
        dynamodb_reads: a million read units on demand.
        s3_puts: a million PUTs of S3 Standard.
        s3_gets: a million GETs.
        logs_gb: a GB of logs taken in.
        scheduler_invocations: a million invocations of EventBridge Scheduler.
    """

    region: str
    date: str
    lambda_requests: float
    lambda_gb_second: float
    lambda_gb_second_arm: float
    sqs_requests: float
    dynamodb_writes: float
    dynamodb_reads: float
    s3_puts: float
    s3_gets: float
    logs_gb: float
    scheduler_invocations: float

    def replaced(self, prices: Mapping[str, Any]) -> Prices:
        """Return these prices with others in their place.

        Args:
            prices: name -> dollars; ``region`` and ``date`` are texts.

        Raises:
            ConfigurationError: there is no price of a name, or it is no price.
        """
        known = [each.name for each in fields(self)]
        for name, value in prices.items():
            if name not in known:
                raise ConfigurationError(f"There is no price {name!r}; the prices are {', '.join(known)}.")
            text = name in ("region", "date")
            if not _is_text(value) if text else not _is_price(value):
                expected = "a text" if text else "dollars, 0 or more"
                raise ConfigurationError(f"The price {name} is {value!r}; expected {expected}.")
        return replace(self, **prices)


US_EAST_1: Final = Prices(
    region="us-east-1",
    date="2026-11-27",
    lambda_requests=0.20,
    lambda_gb_second=0.0000166667,
    lambda_gb_second_arm=0.0000133334,
    sqs_requests=0.40,
    dynamodb_writes=0.625,
    dynamodb_reads=0.125,
    s3_puts=5.00,
    s3_gets=0.40,
    logs_gb=0.50,
    scheduler_invocations=1.00,
)


def prices_of(region: str | None, prices: Mapping[str, Any] | None = None) -> Prices:
    """Return the prices of a region.

    Args:
        region: its name; us-east-1 unless given.
        prices: prices in place of those of the table. For a region that it does not have, all of them.

    Raises:
        ConfigurationError: the table has not the region and prices are missing, or one cannot be read.
    """
    given = dict(prices or {})
    named = given.get("region", US_EAST_1.region) if region is None else region
    if _is_text(named) and named != US_EAST_1.region:
        missing = [
            each.name
            for each in fields(Prices)
            if each.name not in given and each.name not in ("region", "date")
        ]
        if missing:
            raise ConfigurationError(
                f"There are no prices of region {named!r}, those of {US_EAST_1.region} alone; give {missing[0]} and the"
                " others in a file of prices."
            )
    return US_EAST_1.replaced(given | {"region": named})


def chosen_prices(
    region: str | None, file: Path | None, setting: str | Mapping[str, Any]
) -> tuple[Prices, str]:
    """Return the prices of a region and where they are from, for people: "" for the table alone.

    Args:
        region: its name; us-east-1 unless given.
        file: a file of prices in place of the table's, or None: then the setting is asked.
        setting: ``SERVERLESS_TASKS_PRICES``: a file, JSON, or the prices themselves; empty for none.

    Raises:
        ConfigurationError: they cannot be read, or some are missing.
    """
    if file is not None:
        return prices_of(region, read_prices(file)), str(file)
    if not isinstance(setting, str):
        return prices_of(region, setting), "SERVERLESS_TASKS['PRICES']" if setting else ""
    if not setting or setting.startswith("{"):
        given = _parsed(setting, json.loads, "SERVERLESS_TASKS_PRICES") if setting else {}
        return prices_of(region, given), "SERVERLESS_TASKS_PRICES" if setting else ""
    return prices_of(region, read_prices(Path(setting))), setting


def read_prices(path: Path) -> dict[str, Any]:
    """Read a file of prices: TOML if its name ends so, else JSON.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The prices in {path} cannot be read: {error}") from error
    return _parsed(text, tomllib.loads if path.suffix == ".toml" else json.loads, str(path))


def _parsed(text: str, read: Callable[[str], Any], place: str) -> dict[str, Any]:
    try:
        prices = read(text)
    except ValueError as error:
        raise ConfigurationError(f"The prices in {place} cannot be read: {error}") from error
    if not isinstance(prices, dict):
        raise ConfigurationError(f'The prices in {place} are no JSON object such as {{"sqs_requests": 0.4}}.')
    return prices


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_price(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MILLION

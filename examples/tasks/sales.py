"""The sales of one shop, and the report of all: the parts of `examples.workflows.report_sales`."""

import csv
from io import StringIO
from typing import Any

from serverless_tasks import Task, TaskError
from serverless_tasks.params import IntParameter, ListParameter, NumberParameter, StringParameter

BEST = 3


class SumSales(Task):
    """Add up a shop's sales: a CSV file with the columns ``article`` and ``amount``."""

    name = "sum-sales"
    inputs = {"shop": StringParameter(), "text": StringParameter()}
    outputs = {"shop": StringParameter(), "total": NumberParameter(), "sales": IntParameter()}

    def run(self, shop: str, text: str) -> dict[str, Any]:
        amounts = []
        for row in csv.DictReader(StringIO(text)):
            try:
                amounts.append(float(row["amount"]))
            except (KeyError, TypeError, ValueError) as error:
                line = len(amounts) + 2
                raise TaskError(
                    f"The file of {shop}, line {line}, has no amount that is a number."
                ) from error
        return {"shop": shop, "total": round(sum(amounts), 2), "sales": len(amounts)}


class ReportSales(Task):
    """Make one report of the totals of all shops."""

    name = "report-sales"
    inputs = {
        "month": StringParameter(),
        "shops": ListParameter(StringParameter()),
        "totals": ListParameter(NumberParameter()),
    }
    outputs = {
        "title": StringParameter(),
        "total": NumberParameter(),
        "best": ListParameter(StringParameter()),
    }

    def run(self, month: str, shops: list[str], totals: list[float]) -> dict[str, Any]:
        by_total = sorted(zip(totals, shops, strict=True), reverse=True)
        return {
            "title": f"{month}: {len(shops)} shops",
            "total": round(sum(totals), 2),
            "best": [shop for _, shop in by_total[:BEST]],
        }

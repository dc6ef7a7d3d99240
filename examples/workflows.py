"""Jobs that belong together: a report over many files, and steps that follow one another.

They stand beside the tasks and not among them: a worker needs the tasks alone.
"""

from collections.abc import Mapping

from examples.tasks.rates import FetchRates, ParseRates, StoreRates
from examples.tasks.sales import ReportSales, SumSales
from serverless_tasks import chain, group, previous, results
from serverless_tasks.workflow import GroupHandle


def report_sales(month: str, files: Mapping[str, str]) -> GroupHandle:
    """Read the file of each shop, all at once, and make one report when the last has been read.

    Args:
        month: the report's title.
        files: shop -> the text of its file.
    """
    shops = group((SumSales.signature(shop=shop, text=text) for shop, text in files.items()), name="sales")
    report = ReportSales.signature(month=month, shops=results["shop"], totals=results["total"])
    return shops.then(report).submit()


def import_rates(url: str) -> GroupHandle:
    """Fetch rates, parse and store them; a step that fails is the last.

    Args:
        url: where they are.
    """
    return chain(
        FetchRates.signature(url=url),
        ParseRates.signature(text=previous["text"]),
        StoreRates.signature(rates=previous["rates"]),
        name="rates",
    ).submit()

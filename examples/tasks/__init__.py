"""The example's tasks. They need no Django, so that their Lambda artefact needs none either."""

from examples.tasks.columns import SummariseColumns
from examples.tasks.numbers import SumNumbers
from examples.tasks.rates import FetchRates, ParseRates, StoreRates
from examples.tasks.sales import ReportSales, SumSales
from examples.tasks.thumbnail import MakeThumbnail

__all__ = [
    "FetchRates",
    "MakeThumbnail",
    "ParseRates",
    "ReportSales",
    "StoreRates",
    "SumNumbers",
    "SumSales",
    "SummariseColumns",
]

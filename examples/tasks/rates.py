"""Exchange rates, fetched, parsed and stored: the steps of `examples.workflows.import_rates`."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

from serverless_tasks import Task, TaskError
from serverless_tasks.params import DictParameter, IntParameter, StringParameter

# A data: URL holds the document itself, so that the example needs no network.
SCHEMES = ("https://", "data:")
LARGEST = 100_000
# In place of a database of your own.
DATABASE = Path(tempfile.gettempdir()) / "serverless-tasks-rates.sqlite3"


class FetchRates(Task):
    """Fetch a document with a currency and its rate on each line."""

    name = "fetch-rates"
    inputs = {"url": StringParameter()}
    outputs = {"text": StringParameter()}
    retries, retry_on = 3, (OSError,)

    def run(self, url: str) -> str:
        if not url.startswith(SCHEMES):
            raise TaskError(f"Only {' and '.join(SCHEMES)} URLs are fetched, not {url[:100]!r}.")
        with urlopen(url, timeout=20) as response:  # noqa: S310 - the scheme was checked
            text: str = response.read(LARGEST).decode()
            return text


class ParseRates(Task):
    """Turn the document into rates."""

    name = "parse-rates"
    inputs = {"text": StringParameter()}
    outputs = {"rates": DictParameter()}

    def run(self, text: str) -> dict[str, float]:
        rates: dict[str, float] = {}
        for number, line in enumerate(text.splitlines(), 1):
            currency, _, rate = line.partition(" ")
            try:
                rates[currency] = float(rate)
            except ValueError as error:
                raise TaskError(f"Line {number} is {line!r}; expected a currency and its rate.") from error
        return rates


class StoreRates(Task):
    """Store the rates. A step may run more than once: the second time changes nothing."""

    name = "store-rates"
    inputs = {"rates": DictParameter()}
    outputs = {"stored": IntParameter()}

    def run(self, rates: dict[str, float]) -> int:
        with closing(sqlite3.connect(DATABASE)) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS rates (currency TEXT PRIMARY KEY, rate REAL)")
            database.executemany("INSERT OR REPLACE INTO rates VALUES (?, ?)", rates.items())
        return len(rates)

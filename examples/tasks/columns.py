"""Dictionary style: what the columns of a CSV file hold."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from typing import Any

from serverless_tasks import Task, TaskError
from serverless_tasks.params import DictParameter, IntParameter, ListParameter, StringParameter

MOST_COLUMNS = 200
MOST_DISTINCT = 10_000
MOST_REMARKS = 5
DELIMITERS = ",;\t|"


class SummariseColumns(Task):
    """Read a CSV file with a header and say of each column what it holds; the progress is in bytes."""

    name = "summarise-columns"
    inputs = {"text": StringParameter(), "delimiter": StringParameter(required=False)}
    outputs = {"rows": IntParameter(), "columns": ListParameter(DictParameter())}
    timeout = 120

    def run(self, text: str, delimiter: str | None = None) -> dict[str, Any]:
        self.set_target(len(text.encode()))
        rows = csv.reader(self._lines(text), delimiter=_delimiter(text, delimiter), strict=True)
        columns: list[Column] = []
        count = uneven = 0
        try:
            columns = _header(rows)
            self.add_message(f"Found {len(columns)} columns.")
            for row in rows:
                if not row:
                    continue
                count += 1
                if len(row) != len(columns):
                    uneven += 1
                    self._remark(
                        uneven, f"Line {rows.line_num} has {len(row)} cells instead of {len(columns)}."
                    )
                for column, cell in zip(columns, row, strict=False):
                    column.add(cell)
        except csv.Error as error:
            raise TaskError(f"Line {rows.line_num} cannot be read as CSV: {error}.") from error
        self.add_message(f"Read {count:,} rows.")
        return {"rows": count, "columns": [column.summary() for column in columns]}

    def _lines(self, text: str) -> Iterator[str]:
        for line in StringIO(text, newline=""):
            yield line
            self.inc_progress(len(line.encode()))

    def _remark(self, number: int, remark: str) -> None:
        if number <= MOST_REMARKS:
            self.add_message(remark)
        elif number == MOST_REMARKS + 1:
            self.add_message("There are more such lines.")


class Column:
    """What has been seen of one column.

    Args:
        name: its header.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.filled = self.empty = self.numbers = self.dates = 0
        self.least, self.most = math.inf, -math.inf
        self.first, self.last = "", ""
        self.mean = self.squares = 0.0
        self.values: Counter[str] = Counter()

    def add(self, cell: str) -> None:
        """See one more cell."""
        cell = cell.strip()
        if not cell:
            self.empty += 1
            return
        self.filled += 1
        if cell in self.values or len(self.values) < MOST_DISTINCT:
            self.values[cell] += 1
        number = _number(cell)
        if number is not None:
            self._add_number(number)
        elif _is_date(cell):
            self.dates += 1
            self.first, self.last = min(self.first or cell, cell), max(self.last, cell)

    def _add_number(self, number: float) -> None:
        # Welford's running mean and variance: exact enough without keeping the numbers.
        self.numbers += 1
        self.least, self.most = min(self.least, number), max(self.most, number)
        distance = number - self.mean
        self.mean += distance / self.numbers
        self.squares += distance * (number - self.mean)

    def summary(self) -> dict[str, Any]:
        """The column in figures; of numbers and dates their range, of texts the most frequent one."""
        capped = len(self.values) >= MOST_DISTINCT
        said: dict[str, Any] = {
            "name": self.name,
            "filled": self.filled,
            "empty": self.empty,
            "distinct": len(self.values),
            "distinct_is_least": capped,
        }
        if self.numbers and self.numbers == self.filled:
            deviation = math.sqrt(self.squares / self.numbers)
            figures = {"minimum": self.least, "maximum": self.most, "mean": self.mean, "deviation": deviation}
            return said | {"kind": "number"} | {name: _tidy(value) for name, value in figures.items()}
        if not self.filled:
            return said | {"kind": "empty"}
        if self.dates == self.filled:
            return said | {"kind": "date", "first": self.first, "last": self.last}
        (value, times), *_ = self.values.most_common(1)
        return said | {"kind": "text", "most_common": value[:80], "most_common_count": times}


def _delimiter(text: str, given: str | None) -> str:
    """The one that was given, or the candidate that the header has most of."""
    if given:
        if len(given) != 1:
            raise TaskError(f"The delimiter must be one character, not {given!r}.")
        return given
    header = text.partition("\n")[0]
    return max(DELIMITERS, key=header.count)


def _header(rows: Iterator[list[str]]) -> list[Column]:
    names = next((row for row in rows if row), None)
    if names is None:
        raise TaskError("The file is empty: it needs a first line with the names of its columns.")
    if len(names) > MOST_COLUMNS:
        raise TaskError(
            f"The file has {len(names)} columns; the most that are summarised are {MOST_COLUMNS}."
        )
    return [
        Column(name.lstrip("\ufeff").strip() or f"column {number}") for number, name in enumerate(names, 1)
    ]


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_date(cell: str) -> bool:
    """Whether it is a date or time in ISO 8601's long form, in which the order of texts is the order of times."""
    if len(cell) < 10 or cell[4] != "-":
        return False
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _tidy(value: float) -> float:
    return float(f"{value:.6g}")

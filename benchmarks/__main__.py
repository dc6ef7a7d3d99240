"""`python -m benchmarks [--row N] [--json]`: measure us beside what a user would pick instead, and print the table."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks.rows import (
    cold_start,
    costs,
    end_to_end,
    fan_in,
    growth,
    progress,
    status_view,
    submits,
    warm_batch,
)
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Comparison

ROWS: dict[int, Callable[[], list[Comparison]]] = {
    1: cold_start.measure,
    2: warm_batch.processor_time,
    3: warm_batch.with_latency,
    4: submits.one,
    5: submits.with_latency,
    6: submits.many,
    7: status_view.measure,
    8: progress.measure,
    9: end_to_end.measure,
    10: costs.measure,
    11: growth.measure,  # and 12
    13: fan_in.measure,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--row", type=int, action="append", choices=sorted(ROWS), help="only this row (again for more)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    lines: list[Comparison] = []
    for number in arguments.row or sorted(ROWS):
        began = time.monotonic()
        lines += ROWS[number]()
        print(f"row {number}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps([asdict(line) for line in lines]) if arguments.json else table(lines))


if __name__ == "__main__":
    main()

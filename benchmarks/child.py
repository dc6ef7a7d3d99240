"""Takes a step again and again, and tells what one costs: ``python -m benchmarks.child module:function TIMES WARM``.

The function prepares and returns the step, which takes nothing.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time


def main(function: str, times: int, warm: int) -> None:
    """Print the seconds of one step as JSON: ``cpu`` of this process, and ``wall``."""
    module, _, name = function.partition(":")
    step = getattr(importlib.import_module(f"benchmarks.cases.{module}"), name)()
    for _ in range(warm):
        step()
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        step()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps({"cpu": cpu / times, "wall": wall / times}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

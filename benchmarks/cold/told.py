"""What a new process has cost so far."""

import json
import os
import time


def tell() -> None:
    """Print the seconds since the process was started: ``cpu`` and ``wall``."""
    wall = time.monotonic() - float(os.environ["BENCH_STARTED"])
    print(json.dumps({"cpu": time.process_time(), "wall": wall}), flush=True)

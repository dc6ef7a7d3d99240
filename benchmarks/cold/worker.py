"""Our worker, up to the end of its first record: what Lambda does in a new execution environment."""

import json
import os

from benchmarks.cold.told import tell
from benchmarks.context import Context
from lambda_handlers.worker import handler

if __name__ == "__main__":
    assert handler(json.loads(os.environ["BENCH_EVENT"]), Context()) == {"batchItemFailures": []}
    tell()

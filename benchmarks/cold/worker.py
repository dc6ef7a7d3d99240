"""Our worker, up to the end of its first record: what Lambda does in a new execution environment."""

import json
import os

from benchmarks.cold.told import tell
from benchmarks.context import CONTEXT
from lambda_handlers.worker import handler

if __name__ == "__main__":
    assert handler(json.loads(os.environ["BENCH_EVENT"]), CONTEXT) == {"batchItemFailures": []}
    tell()

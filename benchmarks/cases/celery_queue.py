"""Celery over SQS with its DynamoDB results: the app of its worker, and of the process that submits to it.

The settings are those that its documentation gives for speed: known queues, no remote control and no wait between two
long polls (https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/sqs.html). Started tasks are
recorded, as ours are.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from benchmarks.stand_in import RESULTS

_ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
_KEY = "{AWS_ACCESS_KEY_ID}:{AWS_SECRET_ACCESS_KEY}@".format_map(os.environ)
READY = "the worker is ready"

# Without keys in the URL, so that each process of the worker makes a client of its own: with keys it is made before
# they are forked, and they read each other's answers from the one connection that they share.
app = Celery("bench", backend=_ENDPOINT.replace("http://", "dynamodb://") + f"/{RESULTS}")
app.conf.update(
    broker_url=_ENDPOINT.replace("http://", f"sqs://{_KEY}") + "//",
    broker_transport_options={
        "region": os.environ["AWS_REGION"],
        "is_secure": False,
        "predefined_queues": {"celery": {"url": os.environ["BENCH_CELERY_QUEUE"]}},
        "wait_time_seconds": 10,
        "polling_interval": 0,
    },
    task_track_started=True,
    worker_enable_remote_control=False,
)


@app.task(name="noop")  # type: ignore[untyped-decorator]
def noop(numbers: list[float]) -> None:
    """Does nothing."""


@worker_ready.connect  # type: ignore[untyped-decorator]
def _tell(**_: Any) -> None:
    print(READY, flush=True)

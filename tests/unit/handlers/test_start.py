"""What a cold start costs, counted in modules: what is not imported needs no time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

START = """
import gc, json, sys
depths = {}
class Depth:
    def find_spec(self, name, path, target=None):
        if name == "pydantic_core.core_schema":
            frame, depths[name] = sys._getframe(), 0
            while (frame := frame.f_back) is not None:
                depths[name] += 1
sys.meta_path.insert(0, Depth())
before = sum(generation["collections"] for generation in gc.get_stats())
import lambda_handlers.worker
collections = sum(generation["collections"] for generation in gc.get_stats()) - before
print(json.dumps({
    "modules": sorted(sys.modules),
    "collections": collections,
    "collects": gc.isenabled(),
    "frozen": gc.get_freeze_count(),
    "depth": max(depths.values(), default=0),
}))
"""
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "SERVERLESS_TASKS_TABLE": "jobs",
    "SERVERLESS_TASKS_QUEUE_URLS": '{"default": "https://sqs.us-east-1.amazonaws.com/1/default"}',
}


def started(**environment: str) -> dict[str, Any]:
    said = subprocess.run(
        [sys.executable, "-c", START],
        env={**os.environ, **ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(said.stdout)
    return told


@pytest.mark.parametrize(
    "unused",
    [
        "asyncio",
        "aws_lambda_powertools.utilities.batch",
        "aws_xray_sdk",
        "boto3",
        "django",
        "s3transfer",
        "serverless_tasks.engine.definition.cron",
        "serverless_tasks.client.owner_deletion",
        "serverless_tasks.engine.aws.dynamodb.manifest",
        "serverless_tasks.engine.definition.manifest.build",
        "serverless_tasks.engine.definition.manifest.entry",
        "serverless_tasks.engine.definition.recurring",
        "serverless_tasks.client.dead_letters",
    ],
)
def test_a_worker_imports_nothing_that_it_does_not_use(unused, worker):
    assert unused not in worker["modules"]


def test_the_collector_is_off_while_a_function_starts_and_on_from_then(worker):
    assert worker["collections"] <= 1
    assert worker["collects"] is True
    assert worker["frozen"] > 10_000


def test_pydantic_is_imported_before_what_uses_it(worker):
    """Deeper than that, its calls stand at the end of a chunk of Python's frames: a cold start takes a sixth longer."""
    assert 0 < worker["depth"] < 75


def test_outside_lambda_the_collector_is_left_alone():
    told = started(AWS_LAMBDA_FUNCTION_NAME="")
    assert told["collections"] > 10
    assert (told["collects"], told["frozen"]) == (True, 0)


@pytest.fixture(scope="module")
def worker():
    return started(AWS_LAMBDA_FUNCTION_NAME="worker")

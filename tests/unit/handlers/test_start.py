"""What a cold start costs, counted in modules: what is not imported needs no time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

START = """
import gc, json, sys
inside = {}
class Looking:
    def find_spec(self, name, path, target=None):
        frame = sys._getframe()
        while (frame := frame.f_back) is not None:
            inside[name] = inside.get(name) or frame.f_code.co_stacksize > 10_000
sys.meta_path.insert(0, Looking())
before = sum(generation["collections"] for generation in gc.get_stats())
import lambda_handlers.worker
collections = sum(generation["collections"] for generation in gc.get_stats()) - before
print(json.dumps({
    "modules": sorted(sys.modules),
    "collections": collections,
    "collects": gc.isenabled(),
    "frozen": gc.get_freeze_count(),
    "inside": [name for name, found in inside.items() if found],
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
        "opentelemetry",
        "opentelemetry.trace",
        "s3transfer",
        "serverless_tasks.engine.definition.cron",
        "serverless_tasks.client.owner_deletion",
        "serverless_tasks.client.search",
        "serverless_tasks.engine.aws.dynamodb.empty_days",
        "serverless_tasks.engine.aws.dynamodb.index_query",
        "serverless_tasks.engine.aws.dynamodb.listing",
        "serverless_tasks.engine.aws.dynamodb.state_index",
        "serverless_tasks.engine.store.listing",
        "serverless_tasks.engine.aws.dynamodb.manifest",
        "serverless_tasks.engine.definition.manifest.build",
        "serverless_tasks.engine.definition.manifest.entry",
        "serverless_tasks.engine.definition.recurring",
        "serverless_tasks.client.dead_letters",
        "lambda_handlers.members",
        "lambda_handlers.renewal",
        "aws_lambda_powertools.utilities.parameters",
        "serverless_tasks.engine.aws.secrets",
        "serverless_tasks.engine.aws.dynamodb.groups",
        "serverless_tasks.engine.job.place",
        "serverless_tasks.engine.job.plan",
        "serverless_tasks.engine.store.group",
        "serverless_tasks.engine.store.groups",
        "serverless_tasks.engine.submit.workflow",
        "serverless_tasks.engine.tracing",
        "serverless_tasks.engine.worker.following",
        "serverless_tasks.engine.worker.references",
        "serverless_tasks.engine.workflow",
    ],
)
def test_a_worker_imports_nothing_that_it_does_not_use(unused, worker):
    assert unused not in worker["modules"]


def test_the_collector_is_off_while_a_function_starts_and_on_from_then(worker):
    # Before it is off, and with what this test adds; Python 3.12 looks after 700 objects, later ones after 2,000.
    assert worker["collections"] <= (2 if sys.version_info >= (3, 13) else 7)
    assert worker["collects"] is True
    assert worker["frozen"] > 10_000


@pytest.mark.parametrize("module", ["pydantic_core.core_schema", "examples.tasks.thumbnail"])
def test_imports_have_room_for_their_frames(module, worker):
    assert module in worker["inside"]


def test_outside_lambda_the_collector_is_left_alone():
    told = started(AWS_LAMBDA_FUNCTION_NAME="")
    bare = subprocess.run(
        [sys.executable, "-c", "import gc; print(gc.get_freeze_count())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told["collections"] > 10
    assert (told["collects"], told["frozen"]) == (True, int(bare.stdout))  # 3.12 freezes some of its own


@pytest.fixture(scope="module")
def worker():
    return started(AWS_LAMBDA_FUNCTION_NAME="worker", SERVERLESS_TASKS_MODULES="examples.tasks")


@pytest.mark.parametrize("module", ["status", "browser_status"])
def test_the_status_functions_start_without_tasks_settings_and_secrets(module):
    environment = {
        "AWS_LAMBDA_FUNCTION_NAME": module,
        "SERVERLESS_TASKS_TOKEN_SECRET": "arn:aws:secretsmanager:us-east-1:123456789012:secret:key",
        "SERVERLESS_TASKS_MODULES": "no_such_module",
        "DJANGO_SETTINGS_MODULE": "no_such_settings",
        "SERVERLESS_TASKS_SECRETS": "DATABASE_URL=/no/such",
    }
    script = f"import sys, lambda_handlers.{module}; print('django' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "False\n"


SITE = """
SECRET_KEY = "not a secret"
INSTALLED_APPS = ["django_integration"]
SERVERLESS_TASKS = {"TABLE": "jobs-of-another-stack", "PAUSES": False, "ALLOW_ANONYMOUS": True}
"""
OF_DJANGO = """
import lambda_handlers.worker
from serverless_tasks.engine.services import current_services
from django_integration import conf
print(current_services().config.table, current_services().config.pauses, conf.current().allow_anonymous)
"""


def test_a_worker_keeps_to_its_stack_where_django_settings_name_another(tmp_path: Path) -> None:
    (tmp_path / "site_of_another.py").write_text(SITE)
    said = subprocess.run(
        [sys.executable, "-c", OF_DJANGO],
        env={
            **os.environ,
            **ENVIRONMENT,
            "AWS_LAMBDA_FUNCTION_NAME": "worker",
            "DJANGO_SETTINGS_MODULE": "site_of_another",
            "SERVERLESS_TASKS_PAUSES": "true",
            "PYTHONPATH": f"{Path.cwd()}:{tmp_path}",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "jobs True True\n"

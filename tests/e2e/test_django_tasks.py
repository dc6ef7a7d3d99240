"""Django's documentation of its tasks framework on a deployed stack: a site enqueues, Lambda runs.

The site has no more rights than PublisherPolicy; the app with the tasks knows nothing of ours.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import deployment
from tests.e2e.deployment import REGION, Stack
from tests.e2e.own_project import Made

SITE = """
import asyncio, json, time
import django
django.setup()
from datetime import timedelta
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction
from django.tasks import TaskResultStatus, default_task_backend
from django.tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
from newsletter import tasks

call_command("migrate", verbosity=0)
email = {"emails": ["user@example.com"], "subject": "You have a message", "message": "Hello there!"}
results = {
    "email_users": tasks.email_users.enqueue(**email),
    "email_users_soon": tasks.email_users_soon.enqueue(**email),
    "in context": tasks.email_users_in_context.enqueue(**email),
    "priority": tasks.calculate_meaning_of_life.using(priority=10).enqueue(),
    "double_dictionary": tasks.double_dictionary.enqueue((1, 2, 3)),
    "text": tasks.double_dictionary.enqueue("ab"),
    "fails": tasks.fail_with_value_error.enqueue(),
    "coroutine": tasks.which_attempt.enqueue(),
    "large": tasks.process_data.enqueue("x" * 300_000),
    "later": tasks.process_data.using(run_after=timedelta(seconds=2)).enqueue([None, 0, "", {}]),
    "async": asyncio.run(tasks.calculate_meaning_of_life.aenqueue()),
}
with transaction.atomic():
    user, _ = User.objects.get_or_create(username="ada")
    results["on commit"] = tasks.greet.enqueue(username="ada")
results["users"] = tasks.count_users.enqueue()
many = default_task_backend.enqueue_many([(tasks.process_data, (number,), {}) for number in range(25)])
told = {"first": sorted({str(result.status) for result in [*results.values(), *many]})}

until = time.monotonic() + 90
waiting = [*results.values(), *many]
while waiting and time.monotonic() < until:
    for result in waiting:
        result.refresh()
    waiting = [result for result in waiting if not result.is_finished]
    time.sleep(0.2)

try:
    tasks.email_users.get_result(results["fails"].id)
except TaskResultMismatch:
    told["mismatch"] = True
try:
    tasks.email_users.get_result("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")
except TaskResultDoesNotExist:
    told["unknown"] = True
told["results"] = {
    name: {
        "status": str(result.status),
        "value": result.return_value if result.status == TaskResultStatus.SUCCESSFUL else None,
        "errors": [[error.exception_class.__name__, error.traceback] for error in result.errors],
        "workers": result.worker_ids,
        "times": [str(moment) for moment in (result.enqueued_at, result.started_at, result.finished_at)],
    }
    for name, result in results.items()
}
told["results"]["large"]["value"] = len(told["results"]["large"]["value"] or "")
told["many"] = [result.return_value for result in many if result.status == TaskResultStatus.SUCCESSFUL]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(shop: Made, released: Path, deployed: Stack) -> dict[str, Any]:
    """What a site's process saw."""
    outputs = deployed.outputs
    keys = deployment.user(deployed, "shop-publisher", [], outputs["PublisherPolicyArn"])
    done = subprocess.run(
        [sys.executable, "-c", SITE],
        cwd=shop.project,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(released),
            "DJANGO_SETTINGS_MODULE": "website.settings",
            "AWS_ENDPOINT_URL": deployed.endpoint,
            "AWS_REGION": REGION,
            **keys,
            "SERVERLESS_TASKS_TABLE": outputs["TableName"],
            "SERVERLESS_TASKS_QUEUE_URLS": outputs["QueueUrls"],
            "SERVERLESS_TASKS_BUCKET": outputs["PayloadBucketName"],
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_enqueueing_gives_a_result_that_is_ready(told: dict[str, Any]) -> None:
    assert told["first"] == ["READY"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email_users", 1),
        ("email_users_soon", 1),
        ("in context", 1),
        ("priority", 42),
        ("text", {"ab": "abab"}),
        ("coroutine", 1),
        ("large", 300_000),
        ("later", [None, 0, "", {}]),
        ("async", 42),
        ("on commit", "Hello, ada!"),
        ("users", 1),
    ],
)
def test_what_a_task_returns_comes_back(told: dict[str, Any], name: str, value: Any) -> None:
    result = told["results"][name]
    assert (result["status"], result["value"]) == ("SUCCESSFUL", value), result["errors"]
    assert len(result["workers"]) == 1
    assert result["times"] == sorted(result["times"])


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("fails", "ValueError", "This Task failed due to ValueError"),
        ("double_dictionary", "TypeError", "unhashable type: 'list'"),
    ],
)
def test_a_failure_brings_its_exception_and_its_traceback(
    told: dict[str, Any], name: str, kind: str, said: str
) -> None:
    result = told["results"][name]
    ((found, traceback),) = result["errors"]
    assert (result["status"], found) == ("FAILED", kind)
    assert said in traceback


def test_many_at_once(told: dict[str, Any]) -> None:
    assert told["many"] == list(range(25))


def test_results_of_other_tasks_and_of_none(told: dict[str, Any]) -> None:
    assert told["mismatch"]
    assert told["unknown"]

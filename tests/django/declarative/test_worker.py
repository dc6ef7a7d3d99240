"""Deferred execution as Lambda does it: a new process, the handler, and DJANGO_SETTINGS_MODULE in its environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# What a site published: the worker's process imports nothing of it but what its environment names.
WORKER = """
import json, os, sys
from types import SimpleNamespace
from uuid import UUID
from tests.support.aws import account, resources

def message(number, **inputs):
    uuid = str(UUID(int=number))
    job = {"model": "warehouse.order", "pk": "1", "database": "default", **inputs}
    body = {"v": 1, "uuid": uuid, "task": "declarative.deferred", "inputs": job, "options": {"queue": "default"},
            "created": 1_700_000_000_000, "expires": 4_000_000_000_000}
    return {"messageId": uuid, "receiptHandle": uuid, "body": json.dumps(body), "attributes": {},
            "messageAttributes": {}, "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:default", "awsRegion": "us-east-1"}

context = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000, aws_request_id="r", function_name="worker",
                          memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:us-east-1:1:function:worker")
with account():
    stack = resources()
    os.environ["SERVERLESS_TASKS_TABLE"] = stack.table
    os.environ["SERVERLESS_TASKS_QUEUE_URLS"] = json.dumps(stack.queue_urls)
    from lambda_handlers import worker
    imported_in_init = "tests.django.warehouse.views" in sys.modules
    from django.core.management import call_command
    call_command("migrate", run_syncdb=True, verbosity=0)
    from tests.django.warehouse.models import Order
    order = Order.objects.create(customer="ada")
    send = "tests.django.warehouse.views.SendView.send"
    answers = [worker.handler({"Records": [message(1, task=send)]}, context)]
    order.refresh_from_db()
    answers.append(worker.handler({"Records": [message(2, task=send, pk="77")]}, context))
    from serverless_tasks import services
    records = [services().store.read(str(UUID(int=number))) for number in (1, 2)]
    print(json.dumps({
        "imported_in_init": imported_in_init,
        "status": order.status,
        "answers": answers,
        "records": [[record.status, record.error] for record in records],
        "timeout": services().registry.get("declarative.deferred").timeout,
    }))
"""


def test_a_worker_sets_django_up_and_runs_the_registered_method_on_the_instance(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "DJANGO_SETTINGS_MODULE": "tests.django.deployed",
        "DATABASE": str(tmp_path / "site.sqlite3"),
        "AWS_LAMBDA_FUNCTION_NAME": "worker",
        "POWERTOOLS_TRACE_DISABLED": "1",
        "POWERTOOLS_METRICS_NAMESPACE": "ServerlessTasks",
        "POWERTOOLS_SERVICE_NAME": "tasks",
    }
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])

    assert told["imported_in_init"] is False
    assert told["status"] == "sent"
    assert told["answers"] == [{"batchItemFailures": []}] * 2
    (sent, deleted) = told["records"]
    assert sent == ["succeeded", None]
    assert deleted[0] == "failed"
    assert deleted[1]["type"] == "InstanceDeleted"
    assert "warehouse.Order 77" in deleted[1]["message"]
    assert told["timeout"] == 45

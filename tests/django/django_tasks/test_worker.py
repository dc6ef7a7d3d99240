"""The worker's side as Lambda has it: a process of its own, its handler, and DJANGO_SETTINGS_MODULE alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.django("6.0")
ROOT = Path(__file__).resolve().parents[3]

# The beginning of both scripts: AWS in process, and what Lambda hands a worker.
BEGINNING = """
import json, os, sys
from types import SimpleNamespace
from tests.support.aws import account, resources

CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000, aws_request_id="request-1",
                          function_name="worker", memory_limit_in_mb=512,
                          invoked_function_arn="arn:aws:lambda:us-east-1:1:function:worker")

def deliver(stack):
    import boto3
    from lambda_handlers import worker
    sqs = boto3.client("sqs", "us-east-1")
    for name, url in stack.queue_urls.items():
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            records = [{"messageId": each["MessageId"], "receiptHandle": each["ReceiptHandle"], "body": each["Body"],
                        "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
                        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:" + url.rsplit("/", 1)[1],
                        "awsRegion": "us-east-1"} for each in batch]
            print(worker.handler({"Records": records}, CONTEXT), file=sys.stderr)
            for each in batch:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])

def set_up(stack):
    os.environ["SERVERLESS_TASKS_TABLE"] = stack.table
    os.environ["SERVERLESS_TASKS_QUEUE_URLS"] = json.dumps(stack.queue_urls)
    import django
    django.setup()
    from django.core.management import call_command
    call_command("migrate", run_syncdb=True, verbosity=0)
"""

STRANGERS = """
with account():
    stack = resources()
    set_up(stack)
    from django.contrib.auth.models import User
    from tests.django.newsletter import tasks
    User.objects.create_user("ada")
    email = {"emails": ["user@example.com"], "subject": "You have a message", "message": "Hello there!"}
    results = [
        tasks.email_users.enqueue(**email),
        tasks.email_users_soon.enqueue(**email),
        tasks.email_users_in_context.enqueue(**email),
        tasks.greet.enqueue(username="ada"),
        tasks.count_users.enqueue(),
        tasks.double_dictionary.enqueue("ab"),
        tasks.fail_with_value_error.enqueue(),
    ]
    first = [str(result.status) for result in results]
    if os.environ.get("OURS"):
        deliver(stack)
        for result in results:
            result.refresh()
    from django.core import mail
    print(json.dumps({
        "first": first,
        "last": [[str(result.status), result.return_value if result.status == "SUCCESSFUL" else None,
                  [error.exception_class_path for error in result.errors]] for result in results],
        "mails": len(mail.outbox),
        "workers": results[0].worker_ids,
    }))
"""

CONNECTIONS = """
with account():
    stack = resources()
    set_up(stack)
    from django.db import connection, connections
    from tests.django import dispatched
    from serverless_tasks import services
    from serverless_tasks.engine.job.message import Message

    def run(task):
        result = task.enqueue()
        deliver(stack)
        result.refresh()
        assert result.status == "SUCCESSFUL", result.errors
        return result.return_value

    told = {}
    connection.close()
    connection.settings_dict.update(CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=True)
    told["a connection is kept"] = run(dispatched.which_connection) == run(dispatched.which_connection)
    before = connection.connection
    type(connections["default"]).is_usable = lambda self: False  # as after a night without a task
    run(dispatched.which_connection)
    told["health is checked"] = connection.connection is not before
    connection.settings_dict.update(CONN_MAX_AGE=0, CONN_HEALTH_CHECKS=False)
    connection.close()
    run(dispatched.which_connection)
    told["closed after a task"] = connection.connection is None
    connection.ensure_connection()
    told["closed before a task"] = run(dispatched.has_a_connection) is False
    connection.ensure_connection()
    seen = []
    from serverless_tasks import Task
    class Plain(Task):
        name = "plain"
        outputs = {}
        def run(self):
            seen.append(connection.connection is not None)
    services().registry.add(Plain)
    Plain.submit()
    deliver(stack)
    told["of tasks of ours as well"] = seen == [False]
    from asgiref.sync import sync_to_async
    from django.contrib.auth.models import User
    from django.db import transaction

    def status_of(task):
        handle = task.options(on_commit=False).submit()
        deliver(stack)
        return handle.refresh().status

    class LeavesOpen(Task):  # as one that is stopped between two instructions of `atomic`
        name = "leaves.open"
        def run(self):
            self.atomic = transaction.atomic()
            self.atomic.__enter__()
            User.objects.create(username="nobody")
    class Counts(Task):
        name = "counts"
        def run(self):
            assert not User.objects.filter(username="nobody").exists()
    class CountsInCoroutine(Task):
        name = "counts.in.coroutine"
        async def run(self):
            await User.objects.acount()
    class BreaksInCoroutine(Task):
        name = "breaks.in.coroutine"
        async def run(self):
            await User.objects.acount()
            await sync_to_async(lambda: connection.connection.close())()
    for task in (LeavesOpen, Counts, CountsInCoroutine, BreaksInCoroutine):
        services().registry.add(task)
    status_of(LeavesOpen)
    told["a transaction that was left open is dropped"] = status_of(Counts) == "succeeded"
    status_of(BreaksInCoroutine)
    told["of coroutines as well"] = status_of(CountsInCoroutine) == "succeeded"
    with transaction.atomic():
        message = Message(uuid="00000000-0000-0000-0000-000000000001", task="plain", expires=2**42)
        services().runner.execute(message, request_id="r")
        told["an open transaction is left alone"] = connection.connection is not None

    # A pool's thread has connections of its own. Nobody reads meanwhile: moto shows updates that are half done.
    from django.test import override_settings
    from serverless_tasks.engine.backends.pool import Pool
    with override_settings(SERVERLESS_TASKS={"BACKEND": "threading"}):
        services().backend._pool = pool = Pool(1)
        first, second = dispatched.which_connection.enqueue(), dispatched.has_a_connection.enqueue()
        pool._executor.shutdown(wait=True)
        first.refresh()
        second.refresh()
    told["of a pool's threads as well"] = bool(first.return_value) and second.return_value is False
    print(json.dumps(told))
"""


def run(script: str, directory: Path, **environment: str) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SERVERLESS_"))}
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + script],
        cwd=ROOT,
        env=kept
        | {
            "DATABASE": str(directory / "site.sqlite3"),
            "POWERTOOLS_TRACE_DISABLED": "1",
            "POWERTOOLS_METRICS_NAMESPACE": "ServerlessTasks",
            "POWERTOOLS_SERVICE_NAME": "tasks",
        }
        | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-9000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """An app that knows nothing of us, with Django's own backend and with ours: the settings are the difference."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.django.strangers"}
    theirs = run(STRANGERS, tmp_path_factory.mktemp("theirs"), **settings)
    return theirs, run(STRANGERS, tmp_path_factory.mktemp("ours"), OURS="1", **settings)


def test_an_app_that_knows_nothing_of_us_works_with_a_settings_change_alone(strangers: Any) -> None:
    theirs, ours = strangers
    assert ours["last"] == theirs["last"]
    assert ours["first"] == ["READY"] * 7
    assert ours["mails"] == theirs["mails"] == 3


def test_a_worker_is_known_by_its_request(strangers: Any) -> None:
    _, ours = strangers
    assert ours["workers"] == ["request-1"]


@pytest.mark.django("6.1")
def test_connections_are_as_fresh_as_a_request_finds_them(tmp_path: Path) -> None:
    told = run(CONNECTIONS, tmp_path, DJANGO_SETTINGS_MODULE="tests.django.deployed")
    assert [name for name, held in told.items() if not held] == []
    assert len(told) == 9

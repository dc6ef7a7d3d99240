"""Submitting one job, and many, as ours and others do it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 10_000


def ours() -> Callable[[], Any]:
    """A tracked submit: the message, and the job's item."""
    from benchmarks.cases.tasks import Noop

    return lambda: Noop.submit(numbers=[1, 2])


def untracked() -> Callable[[], Any]:
    """A submit of which nothing is kept: the message."""
    from benchmarks.cases.tasks import Noop

    return lambda: Noop.options(track=False).submit(numbers=[1, 2])


def bare() -> Callable[[], None]:
    """The same two calls, with boto3 alone."""
    import boto3

    sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
    url = _queue_url()

    def step() -> None:
        uuid = str(uuid4())
        sqs.send_message(QueueUrl=url, MessageBody=_body(uuid))
        dynamodb.put_item(
            TableName="tasks",
            Item={
                "pk": {"S": uuid},
                "sk": {"S": "job"},
                "task": {"S": "noop"},
                "queue": {"S": "default"},
                "created": {"N": "1790000000000"},
                "expires": {"N": "1790345600000"},
                "inputs": {"S": '{"numbers": [1, 2]}'},
                "task_day": {"S": "noop#2026-09-21#3"},
                "created_uuid": {"S": f"1790000000000#{uuid}"},
                "ttl": {"N": "1790345600"},
            },
            ConditionExpression="attribute_not_exists(pk)",
        )

    return step


def bare_send() -> Callable[[], None]:
    """One of them: the message."""
    import boto3

    sqs, url = boto3.client("sqs"), _queue_url()

    def step() -> None:
        sqs.send_message(QueueUrl=url, MessageBody=_body(str(uuid4())))

    return step


def celery() -> Callable[[], None]:
    """Celery's ``delay`` over SQS, without a result backend."""
    noop = celery_app().tasks["noop"]

    def step() -> None:
        noop.delay([1, 2])

    return step


def ours_many() -> Callable[[], None]:
    """Ten thousand jobs at once."""
    from benchmarks.cases.tasks import Noop

    task = Noop.options()
    inputs = [{"numbers": [1, number]} for number in range(MANY)]

    def step() -> None:
        assert all(handle.published for handle in task.submit_many(inputs))

    return step


def celery_group() -> Callable[[], None]:
    """Ten thousand tasks in a group, over one producer: what Celery's documentation gives for many."""
    from celery import group

    noop = celery_app().tasks["noop"]

    def step() -> None:
        jobs = group(noop.s([1, number]) for number in range(MANY))
        with noop.app.producer_pool.acquire(block=True) as producer:
            jobs.apply_async(producer=producer)

    return step


def celery_send() -> Callable[[], None]:
    """Ten thousand tasks sent by their name, one after another over one producer."""
    app = celery_app()

    def step() -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for number in range(MANY):
                app.send_task("noop", ([1, number],), producer=producer)

    return step


def django_tasks_db() -> Callable[[], None]:
    """A task of Django's own, enqueued by django-tasks-db into SQLite."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.cases.tasks_settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from benchmarks.cases.tasks_db import noop

    def step() -> None:
        noop.enqueue([1, 2])

    return step


def celery_app(results: str | None = None) -> Any:
    """Celery over SQS, with one task.

    Args:
        results: the URL of its results' backend.
    """
    from celery import Celery

    app = Celery("bench", backend=results)
    app.conf.update(
        broker_url=os.environ["AWS_ENDPOINT_URL"].replace("http://", "sqs://null:null@") + "//",
        broker_transport_options={
            "region": "us-east-1",
            "is_secure": False,
            "predefined_queues": {"celery": {"url": _queue_url()}},
        },
    )

    @app.task(name="noop", ignore_result=results is None)  # type: ignore[untyped-decorator]
    def noop(numbers: list[float]) -> None:
        return None

    return app


def _queue_url() -> str:
    return str(json.loads(os.environ["SERVERLESS_TASKS_QUEUE_URLS"])["default"])


def _body(uuid: str) -> str:
    return json.dumps(
        {
            "v": 1,
            "uuid": uuid,
            "task": "noop",
            "inputs": {"numbers": [1, 2]},
            "options": {"queue": "default"},
            "created": 1790000000000,
            "expires": 1790345600000,
        }
    )

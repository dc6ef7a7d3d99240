"""The resources of the template, made on moto by hand: quick, and the same in shape."""

import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from unittest import mock
from uuid import uuid4

import boto3
from moto import mock_aws

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message

REGION = "us-east-1"
BUCKET = "payloads"
QUEUES = ("high", "default", "low")
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


@contextmanager
def account() -> Iterator[None]:
    """An empty account on moto, and the process's clients for it."""
    with mock.patch.dict(os.environ, ENVIRONMENT), mock_aws():
        os.environ.pop("AWS_ENDPOINT_URL", None)
        session.reset()
        session.client("s3").create_bucket(Bucket=BUCKET)
        yield
    session.reset()


def resources() -> Config:
    """A new table and new queues, and the settings that name them: one test's own, in an account of several."""
    suffix = uuid4().hex[:12]
    sqs = session.client("sqs")
    urls = {name: sqs.create_queue(QueueName=f"{name}-{suffix}")["QueueUrl"] for name in QUEUES}
    dead = sqs.create_queue(QueueName=f"dead-letter-{suffix}")["QueueUrl"]
    session.client("scheduler").create_schedule_group(Name=f"group-{suffix}")
    return Config(
        table=a_table(),
        queue_urls=urls,
        dead_letter_queue_url=dead,
        bucket=BUCKET,
        schedule_group=f"group-{suffix}",
        scheduler_role="arn:aws:iam::123456789012:role/scheduler",
    )


def map_queues(urls: Iterable[str]) -> None:
    """Let a function receive from these queues, as the worker does."""
    name = f"worker-{uuid4().hex[:12]}"
    role = boto3.client("iam", region_name=REGION).create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("worker.py", "def handler(event, context): ...")
    aws = session.client("lambda")
    aws.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="worker.handler",
        Code={"ZipFile": code.getvalue()},
    )
    for url in urls:
        arn = f"arn:aws:sqs:{REGION}:123456789012:{url.rsplit('/', 1)[-1]}"
        aws.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, Enabled=True)


def a_table() -> str:
    """A new table; returns its name."""
    name = f"jobs-{uuid4().hex[:12]}"
    keys = ("pk", "sk", "owner_day", "task_day", "created_uuid")
    session.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=_keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": _keys(key, "created_uuid"),
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": ["task", "owner", "created", "expires"],
                },
            }
            for index, key in (("by_owner", "owner_day"), ("by_task", "task_day"))
        ],
    )
    return name


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def received(config: Config, queue: str = "default") -> list[Message]:
    """Take what a queue holds, decoded."""
    messages: list[Message] = []
    sqs = session.client("sqs")
    while batch := sqs.receive_message(QueueUrl=config.queue_urls[queue], MaxNumberOfMessages=10).get(
        "Messages"
    ):
        messages += [Message.decode(message["Body"]) for message in batch]
    return messages

"""What a deployed function of ours finds in its environment, and the events that it is given."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from benchmarks.null_aws.client import NullAws

QUEUE = "tasks-default"


def environment(aws: NullAws, modules: str) -> dict[str, str]:
    """The environment of a worker.

    Args:
        aws: what it takes for AWS.
        modules: the tasks' modules.
    """
    url = f"{aws.url}/123456789012/{QUEUE}"
    return {
        **aws.environment,
        "AWS_LAMBDA_FUNCTION_NAME": "worker",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "SERVERLESS_TASKS_MODULES": modules,
        "SERVERLESS_TASKS_TABLE": "tasks",
        "SERVERLESS_TASKS_QUEUE_URLS": json.dumps({"default": url}),
        "SERVERLESS_TASKS_DEAD_LETTER_QUEUE_URL": f"{url}-dead",
    }


def event(task: str, inputs: dict[str, Any], records: int, *, new: bool = False) -> dict[str, Any]:
    """A batch of jobs from SQS.

    Args:
        task: the task's name.
        inputs: the same ones for each job.
        records: how many jobs.
        new: whether they are jobs that were in no batch before.
    """
    now = round(time.time() * 1000)
    ids = [str(uuid4() if new else UUID(int=number)) for number in range(records)]
    return {
        "Records": [
            {
                "messageId": uuid,
                "receiptHandle": f"receipt-{uuid}",
                "body": json.dumps(
                    {
                        "v": 1,
                        "uuid": uuid,
                        "task": task,
                        "inputs": inputs,
                        "options": {"queue": "default"},
                        "created": now,
                        "expires": now + 86_400_000,
                    }
                ),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{QUEUE}",
                "awsRegion": "us-east-1",
            }
            for uuid in ids
        ]
    }

"""The local stand-in makes what template.yaml says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serverless_tasks.engine.aws.session import client
from serverless_tasks.engine.config import Config
from serverless_tasks.local.in_process import local_stack
from tests.support.template import decided, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.local.aws.stack import LocalStack

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "template.yaml"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """The stack of the repository's own template."""
    with local_stack(TEMPLATE, modules=["somewhere.tasks"]) as stack:
        yield stack


def template_resources(kind: str) -> dict[str, dict[str, Any]]:
    """What the template makes without any parameter."""
    resources = decided(read(), {})["Resources"]
    return {name: one.get("Properties", {}) for name, one in resources.items() if one["Type"] == kind}


def test_every_queue_of_the_template_is_there_with_its_redrive_policy(stack: LocalStack) -> None:
    sqs = client("sqs")
    urls = [*stack.queue_urls.values(), stack.outputs["DeadLetterQueueUrl"]]
    attributes = {
        url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in urls
    }
    dead = attributes.pop(stack.outputs["DeadLetterQueueUrl"])

    assert set(stack.queue_urls) == {"high", "default", "low"}
    assert len(sqs.list_queues()["QueueUrls"]) == len(urls) == len(template_resources("AWS::SQS::Queue"))
    for queue in attributes.values():
        assert json.loads(queue["RedrivePolicy"]) == {
            "deadLetterTargetArn": dead["QueueArn"],
            "maxReceiveCount": 100,
        }
        assert queue["VisibilityTimeout"] == "1800"
        assert queue["MessageRetentionPeriod"] == "345600"
    assert dead["MessageRetentionPeriod"] == "1209600"


def test_the_table_has_the_templates_keys_and_indexes(stack: LocalStack) -> None:
    table = client("dynamodb").describe_table(TableName=stack.outputs["TableName"])["Table"]
    [wanted] = template_resources("AWS::DynamoDB::Table").values()

    assert table["KeySchema"] == wanted["KeySchema"]
    assert sorted(map(json.dumps, table["AttributeDefinitions"])) == sorted(
        map(json.dumps, wanted["AttributeDefinitions"])
    )
    made = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    assert set(made) == {"by_owner", "by_task"}
    for index in wanted["GlobalSecondaryIndexes"]:
        assert made[index["IndexName"]]["KeySchema"] == index["KeySchema"]
        assert made[index["IndexName"]]["Projection"] == index["Projection"]


def test_the_bucket_takes_payloads(stack: LocalStack) -> None:
    s3 = client("s3")
    bucket = stack.outputs["PayloadBucketName"]
    s3.put_object(Bucket=bucket, Key="inputs/1", Body=b"{}")

    assert s3.get_object(Bucket=bucket, Key="inputs/1")["Body"].read() == b"{}"


def test_mappings_are_those_of_the_template(stack: LocalStack) -> None:
    urls = {url: name for name, url in stack.queue_urls.items()}
    urls[stack.outputs["DeadLetterQueueUrl"]] = "dead"
    worker, dead = "lambda_handlers.worker.handler", "lambda_handlers.dead_letter.handler"
    made = {urls[one.queue_url]: one for one in stack.mappings}

    assert {name: one.handler for name, one in made.items()} == {
        "high": worker,
        "default": worker,
        "low": worker,
        "dead": dead,
    }
    assert {name: (one.batch_size, one.concurrency) for name, one in made.items()} == {
        "high": (10, 4),
        "default": (10, 4),
        "low": (10, 2),
        "dead": (10, 2),
    }
    assert made["high"].timeout == 300
    assert all(one.partial_responses for one in stack.mappings)


def test_the_environment_is_complete_and_the_processs_own(stack: LocalStack) -> None:
    config = Config.from_environ(stack.environment)

    assert config == Config.from_environ(os.environ)
    assert config.modules == ("somewhere.tasks",)
    assert config.queue_urls == stack.queue_urls
    assert config.table == stack.outputs["TableName"]
    assert config.bucket == stack.outputs["PayloadBucketName"]
    assert config.dead_letter_queue_url == stack.outputs["DeadLetterQueueUrl"]
    assert config.invoke_function == stack.outputs["InvokeFunctionName"]
    assert os.environ["AWS_ENDPOINT_URL"] == stack.endpoint
    assert stack.endpoint.startswith("http://127.0.0.1:")


def test_the_functions_get_the_settings_that_the_outputs_say(stack: LocalStack) -> None:
    functions = {function.logical_id: function for function in stack.functions}
    worker = functions["WorkerFunction"]
    variables = client("lambda").get_function_configuration(FunctionName=worker.name)["Environment"][
        "Variables"
    ]

    assert variables["SERVERLESS_TASKS_TABLE"] == stack.outputs["TableName"]
    assert variables["SERVERLESS_TASKS_BUCKET"] == stack.outputs["PayloadBucketName"]
    assert {name: url.rsplit("/", 1)[-1] for name, url in stack.queue_urls.items()} == {
        name: url.rsplit("/", 1)[-1]
        for name, url in json.loads(variables["SERVERLESS_TASKS_QUEUE_URLS"]).items()
    }
    assert (worker.handler, worker.timeout, worker.memory) == ("lambda_handlers.worker.handler", 300, 512)

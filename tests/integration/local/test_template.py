"""Any SAM template runs on the local stand-in, and is answered as AWS answers."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from serverless_tasks.engine.aws.session import client
from serverless_tasks.engine.aws.sqs.receiving import ReceivingQueue
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.local.aws.template import read_template
from serverless_tasks.local.environment import local_environment
from serverless_tasks.local.in_process import local_stack
from serverless_tasks.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serverless_tasks.local.aws.stack import LocalStack

SMALL = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Most: {Type: Number, Default: 3}
Globals:
  Function:
    Runtime: python3.13
    CodeUri: ./src
    Environment:
      Variables:
        SERVERLESS_TASKS_TABLE: !Ref Table
        ALARM: !GetAtt Alarm.Arn
Resources:
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {MetricName: x}}
  Dead: {Type: AWS::SQS::Queue}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Table:
    Type: AWS::DynamoDB::Table
    DependsOn: Alarm
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: local_stack_work.work
      AutoPublishAlias: live
      Policies: [AWSLambdaBasicExecutionRole]
      Events:
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            BatchSize: 5
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: !Ref Most}
        Dead: {Type: SQS, Properties: {Queue: !GetAtt Dead.Arn}}
  Invoke:
    Type: AWS::Serverless::Function
    Properties: {Handler: local_stack_work.answer, Timeout: 30}
Outputs:
  QueueUrls: {Value: !Sub '{"default": "${Jobs}"}'}
  DeadLetterQueueUrl: {Value: !Ref Dead}
  TableName: {Value: !Ref Table}
  InvokeFunctionName: {Value: !Ref Invoke}
  AlarmText: {Value: !Sub "about ${Alarm.Arn}"}
"""

HANDLERS = """
seen = []

def work(event, context):
    seen.extend((record["body"], record["eventSourceARN"].split("-")[-2]) for record in event["Records"])
    failed = [r["messageId"] for r in event["Records"] if "Jobs" in r["eventSourceARN"] and r["body"] == "poison"]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

def answer(event, context):
    if event.get("fail"):
        raise ValueError("you asked for it")
    return {"got": event, "name": context.function_name, "left": context.get_remaining_time_in_millis()}
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LocalStack, Any]]:
    """A small template's stack, and the module with its handlers."""
    (tmp_path / "template.yaml").write_text(SMALL)
    (tmp_path / "local_stack_work.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.delitem(sys.modules, "local_stack_work", raising=False)
    with local_stack(tmp_path / "template.yaml") as stack:
        import local_stack_work  # type: ignore[import-not-found]

        yield stack, local_stack_work


def test_what_is_not_made_locally_is_left_out_with_all_that_refers_to_it(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(SMALL)
    with local_environment({}):
        body = read_template(path).body

    assert "Alarm" not in body["Resources"]
    assert body["Outputs"]["AlarmText"] == {"Value": ""}
    variables = body["Resources"]["Worker"]["Properties"]["Environment"]["Variables"]
    assert variables == {"SERVERLESS_TASKS_TABLE": {"Ref": "Table"}}
    assert not {"AWS::IAM::Role", "AWS::Lambda::Alias"} & {
        one["Type"] for name, one in body["Resources"].items() if name != "LocalFunctionRole"
    }


def test_parameters_take_the_place_of_defaults(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(SMALL)
    with local_stack(path, parameters={"Most": "2"}) as stack:
        concurrency = {one.batch_size: one.concurrency for one in stack.mappings}

    assert concurrency[5] == 2


def test_messages_reach_the_handler_and_poison_the_dead_letter_queues(small: tuple[LocalStack, Any]) -> None:
    stack, handlers = small
    queue = stack.queue_urls["default"]
    client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    for body in ("a", "poison"):
        client("sqs").send_message(QueueUrl=queue, MessageBody=body)
    poller = Poller(stack.mappings, wait=0)
    for _ in range(5):
        poller.poll_once()

    assert sorted(handlers.seen) == [
        ("a", "Jobs"),
        ("poison", "Dead"),
        ("poison", "Jobs"),
        ("poison", "Jobs"),
    ]
    left = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessages"] == left["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_direct_invoke_is_answered_by_the_templates_handler(small: tuple[LocalStack, Any]) -> None:
    stack, _ = small
    answer = client("lambda").invoke(FunctionName=stack.outputs["InvokeFunctionName"], Payload=b'{"a": 1}')
    payload = json.loads(answer["Payload"].read())

    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert payload["got"] == {"a": 1}
    assert payload["name"] == stack.outputs["InvokeFunctionName"]
    assert 0 < payload["left"] <= 30_000


def test_an_exception_in_a_direct_invoke_is_a_function_error(small: tuple[LocalStack, Any]) -> None:
    stack, _ = small
    answer = client("lambda").invoke(
        FunctionName=stack.outputs["InvokeFunctionName"], Payload=b'{"fail": true}'
    )

    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read()) == {
        "errorMessage": "you asked for it",
        "errorType": "ValueError",
    }


def test_a_function_is_invoked_by_its_arn_too_and_an_unknown_one_is_not_found(
    small: tuple[LocalStack, Any],
) -> None:
    stack, _ = small
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{stack.outputs['InvokeFunctionName']}"
    functions = client("lambda")

    assert functions.invoke(FunctionName=arn, Payload=b"{}")["StatusCode"] == 200
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName="nobody", Payload=b"{}")


def test_only_one_of_many_conditional_writes_at_one_time_wins(small: tuple[LocalStack, Any]) -> None:
    stack, _ = small
    dynamodb = client("dynamodb")
    start, won = threading.Barrier(8), []

    def claim(number: int) -> None:
        start.wait(10)
        try:
            dynamodb.put_item(
                TableName=stack.outputs["TableName"],
                Item={"pk": {"S": "job"}, "by": {"N": str(number)}},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return
        won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(won) == 1


def test_a_long_poll_holds_up_nobody_and_ends_when_a_message_comes(small: tuple[LocalStack, Any]) -> None:
    stack, _ = small
    queue = ReceivingQueue(stack.queue_urls["default"])
    received: list[Any] = []
    poll = threading.Thread(target=lambda: received.extend(queue.receive(wait=20)))
    poll.start()
    client("dynamodb").list_tables()
    client("sqs").send_message(QueueUrl=queue.url, MessageBody="here")
    poll.join(10)

    assert [message.body for message in received] == ["here"]


def test_afterwards_the_environment_and_the_state_are_as_before(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(SMALL)
    before = dict(os.environ)
    with local_stack(path) as first:
        client("dynamodb").put_item(TableName=first.outputs["TableName"], Item={"pk": {"S": "1"}})
    assert dict(os.environ) == before

    with local_stack(path) as second:
        assert client("dynamodb").list_tables()["TableNames"] == [second.outputs["TableName"]]
        assert boto3.client("sqs").list_queues()["QueueUrls"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML"),
        ("Outputs: {}", "has no Resources"),
        (
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Events: {A: {Type: Nope}}}}}",
            "translated",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=said), local_stack(path):
        pass


def test_a_missing_template_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="serverless-tasks init"):
        read_template(tmp_path / "template.yaml")

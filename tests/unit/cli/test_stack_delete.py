"""`serverless-tasks stack delete`, with moto's CloudFormation, IAM and queues."""

from __future__ import annotations

import copy
import functools
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.output import Output
from serverless_tasks.client.operations import stack_deletion
from serverless_tasks.engine.aws import session, stacks
from serverless_tasks.engine.aws.scheduler.one_time import Schedules
from serverless_tasks.engine.services import reset
from serverless_tasks.errors import AwsError
from tests.support import template as rendered

QUEUES = ("HighQueue", "DefaultQueue", "LowQueue", "DeadLetterQueue")
ROLE = json.dumps({"Version": "2012-10-17", "Statement": []})


@functools.cache
def _whole() -> dict[str, Any]:
    return rendered.decided(rendered.read(), {})


def body(*, keeps: bool = True) -> str:
    """The parts of template.yaml that moto knows and the command looks at."""
    whole = copy.deepcopy(_whole())
    parts: dict[str, Any] = {name: {"Type": "AWS::SQS::Queue"} for name in QUEUES}
    parts |= {name: whole["Resources"][name] for name in ("Table", "PayloadBucket")}
    parts["PayloadBucket"]["Properties"] = {}
    parts["Table"]["Properties"]["DeletionProtectionEnabled"] = False
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*"}]}
    parts["PublisherPolicy"] = {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"PolicyDocument": document},
    }
    if not keeps:
        del parts["Table"]["DeletionPolicy"]
    outputs = {
        name: whole["Outputs"][name]["Value"]
        for name in ("TableName", "PayloadBucketName", "QueueUrls", "DeadLetterQueueUrl")
    }
    outputs |= {"InvokeFunctionName": "invoke", "ScheduleGroupName": "group", "SchedulerRoleArn": "role"}
    return json.dumps(
        {"Resources": parts, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
    )


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    for name in [name for name in os.environ if name.startswith("SERVERLESS_TASKS_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("serverless_tasks.engine.job.clock.Clock.sleep", lambda self, seconds: None)
    with mock_aws():
        session.reset()
        reset()
        boto3.client("scheduler").create_schedule_group(Name="group")
        yield
    session.reset()
    reset()


def make(*, keeps: bool = True) -> dict[str, str]:
    """Make the stack, and return its outputs."""
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="shop", TemplateBody=body(keeps=keeps))
    [found] = cloudformation.describe_stacks(StackName="shop")["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


@pytest.fixture
def stack(account: None) -> dict[str, str]:
    return make()


def run(*arguments: str, say: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["stack", "delete", *arguments], input=say)
    return result.exit_code, result.stdout, result.stderr


def names() -> list[str]:
    return [each["StackName"] for each in boto3.client("cloudformation").describe_stacks()["Stacks"]]


def send(stack: dict[str, str], **more: Any) -> None:
    url = json.loads(stack["QueueUrls"])["low"]
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody="{}", **more)


def attach(role: str = "site") -> str:
    iam = boto3.client("iam")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=ROLE)
    [policy] = iam.list_policies(Scope="Local")["Policies"]
    iam.attach_role_policy(RoleName=role, PolicyArn=policy["Arn"])
    arn: str = policy["Arn"]
    return arn


def schedule(name: str) -> None:
    boto3.client("scheduler").create_schedule(
        Name=name, GroupName="group", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:sqs:us-east-1:123456789012:low", "RoleArn": "arn:aws:iam::123456789012:role/r"},
    )  # fmt: skip


def test_it_says_what_stays_and_with_which_parameters_a_new_stack_goes_on(stack: dict[str, str]) -> None:
    code, told, said = run("shop", "--yes")
    assert (code, told) == (0, ""), said
    table, bucket = stack["TableName"], stack["PayloadBucketName"]
    parameters = f"ExistingTableName={table} ExistingBucketName={bucket}"
    assert f"STAYS     {table}, {bucket}, for a new stack with {parameters}" in said
    assert said.endswith(f"The stack shop is deleted.\nA new stack goes on with what stayed: {parameters}\n")
    assert names() == []


@pytest.mark.parametrize(
    ("more", "line"), [({}, "1 waiting messages"), ({"DelaySeconds": 900}, "1 delayed messages")]
)
def test_it_refuses_while_jobs_wait_unless_told(
    stack: dict[str, str], more: dict[str, Any], line: str
) -> None:
    send(stack, **more)
    code, _, said = run("shop", "--yes")
    assert code == 2
    assert f"LOST      {line}" in said
    assert "the queues are empty (`serverless-tasks queues --stack shop`), or pass --accept-loss" in said
    assert names() == ["shop"]
    code, _, said = run("shop", "--yes", "--accept-loss")
    assert code == 0, said
    assert names() == []


def test_it_refuses_while_messages_are_with_a_worker(stack: dict[str, str]) -> None:
    send(stack)
    boto3.client("sqs").receive_message(QueueUrl=json.loads(stack["QueueUrls"])["low"])
    code, _, said = run("shop", "--yes")
    assert (code, names()) == (2, ["shop"])
    assert "LOST      1 messages that workers have taken" in said


def test_a_scheduled_job_is_lost_and_a_recurring_schedule_is_made_again(stack: dict[str, str]) -> None:
    schedule("job-a-1")
    code, _, said = run("shop", "--yes")
    assert (code, names()) == (2, ["shop"])
    assert "LOST      1 scheduled jobs" in said
    boto3.client("scheduler").delete_schedule(Name="job-a-1", GroupName="group")
    schedule("task-nightly")
    _, told, said = run("shop", "--dry-run", "--json")
    assert json.loads(told)["lost"]["schedules"] == 1
    # They do not stand in its way.
    assert run("shop", "--yes")[0] == 0


def test_what_cannot_be_asked_counts_as_lost(stack: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Schedules) -> None:
        raise AwsError("ListSchedules", "AccessDeniedException", "not allowed", applied=False)

    monkeypatch.setattr(Schedules, "waiting", refused)
    code, _, said = run("shop", "--yes")
    assert (code, names()) == (2, ["shop"])
    assert "LOST      How many jobs are scheduled is not known: " in said


def test_a_template_that_does_not_keep_the_table_is_told_of(account: None) -> None:
    outputs = make(keeps=False)
    code, _, said = run("shop", "--yes")
    assert (code, names()) == (2, ["shop"])
    assert f"LOST      {outputs['TableName']} and all that it holds" in said
    assert "ExistingTableName" not in said
    assert f"ExistingBucketName={outputs['PayloadBucketName']}" in said


def test_policies_that_somebody_holds_are_named_and_detached_when_told(stack: dict[str, str]) -> None:
    arn = attach()
    command = f"aws iam detach-role-policy --role-name site --policy-arn {arn}"
    code, _, said = run("shop", "--yes")
    assert (code, names()) == (2, ["shop"])
    assert "ATTACHED  PublisherPolicy to the role site:" in said
    assert command in said
    held = boto3.client("iam").list_attached_role_policies
    assert len(held(RoleName="site")["AttachedPolicies"]) == 1
    code, _, said = run("shop", "--yes", "--detach-policies")
    assert code == 0, said
    assert (held(RoleName="site")["AttachedPolicies"], names()) == ([], [])


def test_termination_protection_is_told_of_before_anything_is_done(
    stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto knows of none."""
    attach()
    real = stack_deletion.describe
    monkeypatch.setattr(stack_deletion, "describe", lambda name: replace(real(name), protected=True))
    code, _, said = run("shop", "--yes", "--accept-loss", "--detach-policies")
    assert (code, names()) == (2, ["shop"])
    assert "--no-enable-termination-protection" in said
    assert boto3.client("iam").list_attached_role_policies(RoleName="site")["AttachedPolicies"] != []


@pytest.mark.parametrize(("said", "left"), [("shop\n", []), ("shop-prod\n", ["shop"])])
def test_it_asks_for_the_stacks_name(
    stack: dict[str, str], monkeypatch: pytest.MonkeyPatch, said: str, left: list[str]
) -> None:
    monkeypatch.setattr(Output, "interactive", True)
    assert run("shop", say=said)[0] == (0 if not left else 2)
    assert names() == left


def test_without_anybody_to_ask_it_wants_yes(stack: dict[str, str]) -> None:
    code, _, said = run("shop")
    assert (code, names()) == (2, ["shop"])
    assert "give --yes to delete" in said


def test_a_dry_run_changes_nothing_and_answers_in_json(stack: dict[str, str]) -> None:
    send(stack)
    arn = attach()
    code, told, _ = run("shop", "--dry-run", "--json")
    assert (code, names()) == (0, ["shop"])
    answer = json.loads(told)
    assert (answer["stack"], answer["deleted"], answer["removed"]) == ("shop", False, [])
    assert (answer["lost"]["waiting"], answer["lost"]["unknown"]) == (1, [])
    assert answer["kept"] == {
        "ExistingTableName": stack["TableName"],
        "ExistingBucketName": stack["PayloadBucketName"],
    }
    held = {"policy": "PublisherPolicy", "arn": arn, "kind": "role", "holder": "site"}
    assert answer["attached"] == [held]


def test_one_stack_is_named(stack: dict[str, str]) -> None:
    for arguments in ((), ("shop", "--env", "prod")):
        assert run(*arguments, "--yes")[0] == 2
    assert names() == ["shop"]


def test_a_stack_of_something_else_is_left_alone(account: None) -> None:
    boto3.client("cloudformation").create_stack(
        StackName="other", TemplateBody=json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    )
    assert run("other", "--yes", "--accept-loss")[0] == 2
    assert names() == ["other"]


def test_a_deletion_that_fails_gives_the_reasons(
    stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, begun = stacks.call, []

    def call(operation: Any, **parameters: Any) -> Any:
        if operation.__name__ == "delete_stack":
            begun.append(parameters)
            return {}
        if begun and operation.__name__ == "describe_stacks":
            return {"Stacks": [{"StackStatus": "DELETE_FAILED"}]}
        if begun and operation.__name__ == "describe_stack_events":
            failed = {
                "EventId": "1",
                "LogicalResourceId": "PublisherPolicy",
                "ResourceStatus": "DELETE_FAILED",
                "ResourceStatusReason": "Cannot delete a policy attached to entities.",
            }
            return {"StackEvents": [failed]}
        return real(operation, **parameters)

    monkeypatch.setattr(stacks, "call", call)
    code, _, said = run("shop", "--yes")
    assert code == 1
    assert "DELETE_FAILED  PublisherPolicy" in said
    assert "The deletion of the stack 'shop' ended as DELETE_FAILED: PublisherPolicy: Cannot delete" in said


def test_a_stack_that_is_not_there_is_named_with_its_region(stack: dict[str, str]) -> None:
    code, _, said = run("shopping", "--yes")
    assert code == 3
    assert said.startswith("There is no stack shopping in us-east-1")


def test_a_stack_that_is_no_longer_known_is_deleted(
    stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, begun = stacks.call, []

    def call(operation: Any, **parameters: Any) -> Any:
        if begun and operation.__name__ == "describe_stacks":
            raise AwsError(
                "DescribeStacks", "ValidationError", "Stack with id shop does not exist", applied=False
            )
        begun.extend([1] if operation.__name__ == "delete_stack" else [])
        return real(operation, **parameters)

    monkeypatch.setattr(stacks, "call", call)
    assert run("shop", "--yes")[0] == 0

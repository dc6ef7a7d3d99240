"""The ARNs that CloudFormation makes of infra/container's roles, from what the functions' stack exports."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tests.support import container
from tests.support.template import decided

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "123456789012"
EXPORTS = {
    **{
        f"{name}QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/shop-{name}Queue-1A2B"
        for name in ("High", "Default", "Low", "Long", "DeadLetter")
    },
    "TableName": "shop-Table-1A2B",
    "PayloadBucketName": "shop-payloadbucket-1a2b",
    "ScheduleGroupName": "shop-ScheduleGroup-1A2B",
    "SchedulerRoleArn": f"arn:aws:iam::{ACCOUNT}:role/shop-SchedulerRole-1A2B",
}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def create(name: str, template: dict[str, Any], **parameters: str) -> None:
    boto3.client("cloudformation", "us-east-1").create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )


def resources(role: str, image: str) -> dict[str, Any]:
    """The resources of a role's statements, by their ids."""
    outputs = {name: {"Value": value, "Export": {"Name": f"shop-{name}"}} for name, value in EXPORTS.items()}
    topic = {"Type": "AWS::SNS::Topic"}
    create("shop", {"Resources": {"Topic": topic}, "Outputs": outputs})
    whole = decided(container.read(), container.EVERY)
    kept = {name: whole["Resources"][name] for name in (role, "LogGroup")}
    parameters = {name: {"Type": "String"} for name in ("ImageUri", "StackName")}
    parameters |= {
        name: {**each, "Default": container.EVERY[name]}
        for name, each in whole["Parameters"].items()
        if name not in parameters and each["Type"] in ("String", "Number", "CommaDelimitedList")
    }
    create("shop-container", {"Parameters": parameters, "Resources": kept}, ImageUri=image, StackName="shop")
    iam = boto3.client("iam")
    [made] = iam.list_roles()["Roles"]
    [policy] = iam.list_role_policies(RoleName=made["RoleName"])["PolicyNames"]
    document = iam.get_role_policy(RoleName=made["RoleName"], PolicyName=policy)["PolicyDocument"]
    # moto keeps what its CloudFormation made as Python's text of it.
    read = ast.literal_eval(document) if isinstance(document, str) else document
    return {each["Sid"]: each["Resource"] for each in read["Statement"]}


@pytest.mark.parametrize("version", [":2f1c9a7", "@sha256:0a1b2c"])
@pytest.mark.parametrize("name", ["shop", "team/shop-worker"])
def test_a_container_is_started_from_its_images_repository_alone(name: str, version: str) -> None:
    found = resources("ExecutionRole", f"999999999999.dkr.ecr.eu-west-1.amazonaws.com/{name}{version}")
    assert found["Image"] == f"arn:aws:ecr:eu-west-1:999999999999:repository/{name}"


def test_a_task_reaches_what_the_functions_stack_exports() -> None:
    found = resources("TaskRole", container.REQUIRED["ImageUri"])
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:shop-{{}}Queue-1A2B"
    assert found["Messages"] == queue.format("Long")
    assert found["OtherQueues"] == [queue.format(name) for name in ("High", "Default", "Low")]
    assert found["DeadLetters"] == queue.format("DeadLetter")
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/shop-Table-1A2B"
    assert found["State"] == found["Deletions"] == table
    assert found["Listings"] == [f"{table}/index/by_owner", f"{table}/index/by_task"]
    bucket = "arn:aws:s3:::shop-payloadbucket-1a2b"
    assert (found["Inputs"], found["Outputs"]) == (f"{bucket}/inputs/*", f"{bucket}/outputs/*")
    assert found["Lists"] == bucket
    assert found["Schedules"] == f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/shop-ScheduleGroup-1A2B/*"
    assert found["ScheduleRole"] == EXPORTS["SchedulerRoleArn"]

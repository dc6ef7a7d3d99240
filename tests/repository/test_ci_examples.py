"""The examples of infra/ci: what their steps run, whom the deployer's role trusts, and what it may touch."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from tests.support.template import EVERY, decided, read

EXAMPLES = Path(__file__).parents[2] / "infra/ci"
DEPLOYER: dict[str, Any] = yaml_parse((EXAMPLES / "deployer.yaml").read_text())
POLICIES = ("StacksPolicy", "ResourcesPolicy")
# Where IAM knows no resource, or CloudFormation gives a name without the stack's.
WITHOUT_PREFIX = {
    "Templates",
    "Artefacts",
    "ListsOfSchedules",
    "Mappings",
    "Descriptions",
    "Dashboards",
    "Passwords",
}
# The call that makes a resource of template.yaml.
MAKES = {
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
    "AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard",
    "AWS::DynamoDB::Table": "dynamodb:CreateTable",
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicy",
    "AWS::IAM::Policy": "iam:PutRolePolicy",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::S3::Bucket": "s3:CreateBucket",
    "AWS::S3::BucketPolicy": "s3:PutBucketPolicy",
    "AWS::SQS::Queue": "sqs:CreateQueue",
    "AWS::SecretsManager::Secret": "secretsmanager:CreateSecret",
    "AWS::Scheduler::ScheduleGroup": "scheduler:CreateScheduleGroup",
    "AWS::Serverless::Function": "lambda:CreateFunction",
}


def statements() -> dict[str, dict[str, Any]]:
    return {
        statement["Sid"]: statement
        for name in POLICIES
        for statement in DEPLOYER["Resources"][name]["Properties"]["PolicyDocument"]["Statement"]
    }


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions() -> set[str]:
    return {action for statement in statements().values() for action in as_list(statement["Action"])}


def test_each_resource_of_the_template_can_be_made() -> None:
    resources = {**decided(read(), {})["Resources"], **decided(read(), EVERY)["Resources"]}
    types = {each["Type"] for each in resources.values()}
    assert types == set(MAKES)
    assert {MAKES[kind] for kind in types} - actions() == set()


@pytest.mark.parametrize("sid", sorted(set(statements()) - WITHOUT_PREFIX))
def test_it_touches_only_what_begins_with_the_prefix(sid: str) -> None:
    for resource in as_list(statements()[sid]["Resource"]):
        text = resource["Fn::Sub"]
        if "aws-sam-cli-managed-default" in text or ":aws:transform/" in text:
            continue
        # The name itself ends there, or goes on after a hyphen: `shop` is no prefix of `shopping`.
        assert re.search(r"[:/]\$\{StackPrefix\}(-\*|/\*|-\*/\*)$", text), text


def test_what_names_no_prefix_only_reads_or_has_a_condition() -> None:
    for sid in WITHOUT_PREFIX - {"Artefacts", "Dashboards"}:
        statement = statements()[sid]
        reads = all(
            re.search(r":(Get|List|Describe|Validate)", action) for action in as_list(statement["Action"])
        )
        assert reads or "StackPrefix" in json.dumps(statement["Condition"]), sid


def test_it_gives_no_permission_without_the_boundary() -> None:
    bounded = statements()["BoundedRoles"]
    assert bounded["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "BoundaryArn"}}}
    gives = {
        *("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"),
    }
    others = {
        action
        for sid, each in statements().items()
        if sid != "BoundedRoles"
        for action in as_list(each["Action"])
    }
    assert gives <= set(bounded["Action"])
    assert not (gives | {"iam:DeleteRolePermissionsBoundary"}) & others
    assert "iam:DeleteRolePermissionsBoundary" not in bounded["Action"]


def test_it_deletes_no_table_and_no_bucket() -> None:
    assert (
        not {"dynamodb:DeleteTable", "dynamodb:DeleteItem", "s3:DeleteBucket", "s3:DeleteObject"} & actions()
    )


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_no_larger_than_iam_takes(name: str) -> None:
    document = json.dumps(DEPLOYER["Resources"][name]["Properties"]["PolicyDocument"])
    for pseudo, value in (("${AWS::AccountId}", "1" * 12), ("${AWS::Region}", "ap-southeast-2")):
        document = document.replace(pseudo, value)
    document = document.replace("${AWS::Partition}", "aws").replace("${StackPrefix}", "s" * 20)
    assert len(re.sub(r"\s", "", document)) <= 6144


@pytest.mark.parametrize(
    ("role", "issuer"), [("GitHubRole", "token.actions.githubusercontent.com"), ("GitLabRole", "gitlab.com")]
)
def test_a_role_trusts_one_subject_of_its_issuer(role: str, issuer: str) -> None:
    [statement] = DEPLOYER["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert set(statement["Condition"]) == {"StringEquals"}
    condition = statement["Condition"]["StringEquals"]
    assert condition[f"{issuer}:sub"] == {"Ref": "Subject"}
    assert f"{issuer}:aud" in condition
    assert not re.fullmatch(DEPLOYER["Parameters"]["Subject"]["AllowedPattern"], "repo:shop/*:ref:main")


def test_both_examples_run_the_same_commands() -> None:
    github = yaml.safe_load((EXAMPLES / "github.yml").read_text())["jobs"]["deploy"]
    gitlab = yaml.safe_load((EXAMPLES / "gitlab.yml").read_text())["deploy"]
    runs = [step["run"] for step in github["steps"] if "run" in step]
    lines = [*gitlab["before_script"], *gitlab["script"]]
    assert runs == [line for line in lines if "AWS_TOKEN" not in line]
    assert github["permissions"] == {"contents": "read", "id-token": "write"}
    assert gitlab["id_tokens"]["AWS_TOKEN"]["aud"] == "https://gitlab.com"


def test_the_runner_has_the_python_of_the_functions() -> None:
    version = read()["Globals"]["Function"]["Runtime"].removeprefix("python")
    steps = yaml.safe_load((EXAMPLES / "github.yml").read_text())["jobs"]["deploy"]["steps"]
    assert [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")] == [
        version
    ]
    assert yaml.safe_load((EXAMPLES / "gitlab.yml").read_text())["deploy"]["image"] == f"python:{version}"

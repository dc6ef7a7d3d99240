"""The examples of infra/ci: what their steps run, whom the deployer's role trusts, and what it may touch.

The permissions boundary of docs/deployment.md, too: it lets the roles of a stack do what they do, and nothing else.
"""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from serverless_tasks.cli.init.queues import OwnQueue, with_queues
from tests.support.template import EVERY, FILE, decided, read

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


def statements(effect: str = "Allow") -> dict[str, dict[str, Any]]:
    return {
        statement["Sid"]: statement
        for name in POLICIES
        for statement in DEPLOYER["Resources"][name]["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == effect
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


def test_it_changes_neither_the_boundary_nor_itself() -> None:
    """A stack that is called `shop-deployer` has names that begin with the prefix `shop`."""
    (own,) = statements("Deny").values()
    assert own["Action"] == "iam:*"
    made = {name: each["Type"] for name, each in DEPLOYER["Resources"].items() if "OIDC" not in each["Type"]}
    kinds = {"AWS::IAM::Role": "role", "AWS::IAM::ManagedPolicy": "policy"}
    arns = [
        f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{kinds[kind]}/${{AWS::StackName}}-{name}-*"
        for name, kind in made.items()
    ]
    resources = [each.get("Fn::Sub", each) for each in own["Resource"]]
    assert {"Ref": "BoundaryArn"} in resources
    assert sorted(each for each in resources if isinstance(each, str)) == sorted(arns)


def test_it_deletes_no_table_and_no_bucket() -> None:
    assert (
        not {"dynamodb:DeleteTable", "dynamodb:DeleteItem", "s3:DeleteBucket", "s3:DeleteObject"} & actions()
    )


PAGE = Path(__file__).parents[2] / "docs/deployment.md"
[BOUNDARY] = re.findall(r"file://boundary\.json`:\n\n```json\n(.+?)\n```", PAGE.read_text(), re.DOTALL)
BOUND: list[dict[str, Any]] = json.loads(BOUNDARY)["Statement"]
GIVEN = EVERY | {"ErrorTopicArn": "arn:aws:sns:us-east-1:123456789012:shop-errors"}
ACCOUNT = "us-east-1:123456789012"
# The ARNs of what CloudFormation makes, by the type: of a stack, a logical name and the resource's properties.
ARNS: dict[str, str] = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{ACCOUNT}:table/{{stack}}-{{name}}-1ABC",
    "AWS::IAM::Role": "arn:aws:iam::123456789012:role/{stack}-{name}-1ABC",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{ACCOUNT}:log-group:{{LogGroupName}}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{stack}-{lower}-1abc",
    "AWS::SQS::Queue": f"arn:aws:sqs:{ACCOUNT}:{{stack}}-{{name}}-1ABC",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{ACCOUNT}:secret:{{Name}}-AbCdEf",
}


class Roles:
    """The roles of a stack, and what their statements allow.

    Args:
        stack: the stack's name.
        given: the template's parameters.
    """

    def __init__(self, stack: str, given: dict[str, str]) -> None:
        queues = [OwnQueue.parse("emails:timeout=120")]
        self._stack, self._given = stack, given
        self._resources = decided(yaml_parse(with_queues(FILE.read_text(), queues)), given)["Resources"]

    def allowed(self) -> Iterator[tuple[str, str, Any]]:
        """Each action with its resource and condition."""
        documents = [
            policy["PolicyDocument"]
            for each in self._resources.values()
            for policy in each["Properties"].get("Policies", ())
            if each["Type"] == "AWS::IAM::Role"
        ]
        documents += [
            each["Properties"]["PolicyDocument"]
            for each in self._resources.values()
            if each["Type"] == "AWS::IAM::Policy"
        ]
        for statement in (each for document in documents for each in document["Statement"]):
            if statement["Effect"] == "Allow":
                condition = self._text(json.dumps(statement.get("Condition", {})))
                for action in as_list(statement["Action"]):
                    for value in as_list(statement["Resource"]):
                        for resource in self._arns(value):
                            yield action, resource, json.loads(condition)

    def _arns(self, value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        [(function, operand)] = value.items()
        if function == "Ref":
            return self._given[operand].split(",")
        return [self._arn(operand[0]) if function == "Fn::GetAtt" else self._text(operand)]

    def _arn(self, name: str) -> str:
        made = self._resources[name]
        named = {
            key: self._text(value["Fn::Sub"])
            for key, value in made["Properties"].items()
            if isinstance(value, dict) and "Fn::Sub" in value
        }
        return ARNS[made["Type"]].format(stack=self._stack, name=name, lower=name.lower(), **named)

    def _text(self, text: str) -> str:
        pseudo = {"Partition": "aws", "Region": "us-east-1", "AccountId": "123456789012"}
        for name, value in (pseudo | {"StackName": self._stack}).items():
            text = text.replace(f"${{AWS::{name}}}", value)
        text = re.sub(r"\$\{(\w+)\.Arn\}", lambda found: self._arn(found[1]), text)
        named = {**self._given, "ScheduleGroup": f"{self._stack}-ScheduleGroup-1ABC"}
        return re.sub(r"\$\{(\w+)\}", lambda found: named[found[1]], text)


ROLES = [Roles(stack, given) for stack in ("shop", "shop-prod") for given in (GIVEN, {})]


def within(condition: Any, bound: Any) -> bool:
    """Whether what a role's condition lets through is what that of the boundary does."""
    if not bound or condition == bound:
        return True
    names = [each["Fn::Sub"] for each in condition.get("StringEquals", {}).get("kms:ViaService", ())]
    patterns = bound.get("StringLike", {}).get("kms:ViaService", ())
    return bool(names) and all(any(fnmatchcase(name, each) for each in patterns) for name in names)


def test_the_boundary_lets_the_roles_of_a_stack_do_what_they_do() -> None:
    refused = {
        (action, resource)
        for roles in ROLES
        for action, resource, condition in roles.allowed()
        if not any(
            action in as_list(each["Action"])
            and any(fnmatchcase(resource, pattern) for pattern in as_list(each["Resource"]))
            and within(condition, each.get("Condition"))
            for each in BOUND
        )
    }
    assert refused == set()


def test_the_boundary_names_no_other_action_and_no_other_stack() -> None:
    used = {action for roles in ROLES for action, _, _ in roles.allowed()}
    named = [action for each in BOUND for action in as_list(each["Action"])]
    assert sorted(named) == sorted(used)
    for each in BOUND:
        for resource in as_list(each["Resource"]):
            if resource == "*":
                assert each["Sid"] in ("Keys", "WithoutResources")
            else:
                assert not fnmatchcase(resource.replace("shop", "shopping"), resource), resource
    iam = [each for each in BOUND if any(name.startswith("iam:") for name in as_list(each["Action"]))]
    assert [(each["Action"], "Condition" in each) for each in iam] == [("iam:PassRole", True)]


def test_the_boundary_is_no_larger_than_iam_takes() -> None:
    assert len(re.sub(r"\s", "", BOUNDARY.replace("shop", "s" * 20))) <= 6144


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

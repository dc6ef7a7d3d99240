"""The real tools of a deployment: MiniStack in a clean environment, SAM, and the stack that they make."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support import ministack
from tests.support.ministack import ROOT

REGION = "us-east-1"
# MiniStack's own root user: what deploys. The tests themselves take a user that holds PublisherPolicy alone.
ROOT_KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def tool(variable: str, environment: str, name: str) -> Path:
    """A program of an environment that `make setup` makes; the test is skipped where it is missing."""
    try:
        return ministack.installed(variable, environment, name)
    except ministack.MissingTool as missing:
        pytest.skip(str(missing))


@contextmanager
def emulator(directory: Path) -> Iterator[str]:
    """Run MiniStack; yields its endpoint."""
    program = tool("MINISTACK_BIN", "ministack", "ministack")
    version = subprocess.check_output(
        [program.parent / "python", "-c", "import sys; print(*sys.version_info[:2])"]
    )
    # Functions run on MiniStack's interpreter, so the artefact is built for that one.
    assert tuple(map(int, version.split())) == sys.version_info[:2], (
        f"{program} has another Python than the tests"
    )
    with ministack.ministack(directory) as endpoint:
        yield endpoint


@dataclass(frozen=True)
class Stack:
    """What a deployment made."""

    name: str
    endpoint: str
    outputs: dict[str, str]

    def client(self, service: str, key: dict[str, str] = ROOT_KEY) -> Any:
        """A boto3 client, as MiniStack's root user unless another's access key is given."""
        parameters = {name.lower(): value for name, value in key.items()}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **parameters)

    def physical(self, logical: str) -> str:
        """The name that a resource of the template has."""
        detail = self.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical
        )
        name: str = detail["StackResourceDetail"]["PhysicalResourceId"]
        return name

    def invoke(self, event: object, key: dict[str, str] = ROOT_KEY) -> tuple[str | None, Any]:
        """Direct invoke; Lambda's word on whether the function failed, and the decoded answer."""
        answer = self.client("lambda", key).invoke(
            FunctionName=self.outputs["InvokeFunctionName"], Payload=json.dumps(event)
        )
        return answer.get("FunctionError"), json.load(answer["Payload"])

    def status(
        self, path: str, key: dict[str, str] | None = None, *, signed_path: str | None = None
    ) -> tuple[int, Any]:
        """GET below the status URL, signed with `key` if given; the status code and the decoded body.

        The signature is for `signed_path` where that is another one.
        """
        host = urlsplit(self.outputs["StatusUrl"]).netloc
        signed = AWSRequest("GET", f"https://{host}/{signed_path or path}", headers={"Host": host})
        if key:
            credentials = Credentials(key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"])
            SigV4Auth(credentials, "lambda", REGION).add_auth(signed)
        # The host name of the URL does not resolve here: MiniStack goes by the Host header.
        request = urllib.request.Request(f"{self.endpoint}/{path}", headers=dict(signed.headers))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


def eventually[T](look: Callable[[], T], seconds: float = 30) -> T:
    """Look until there is something to be seen of what another process does."""
    limit = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < limit, f"nothing was seen in {seconds} s"
        time.sleep(0.2)
    return seen


def user(stack: Stack, name: str, statements: list[dict[str, Any]], *policies: str) -> dict[str, str]:
    """Access keys, as environment variables, of a new user who may do just this."""
    iam = stack.client("iam")
    iam.create_user(UserName=name)
    for policy in policies:
        iam.attach_user_policy(UserName=name, PolicyArn=policy)
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="more", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def build(project: Path) -> None:
    """`sam build`, for the interpreter of the tests."""
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("Runtime: python3.13", f"Runtime: {PYTHON}"))
    _sam(project, "build", environment={"BUILD_PYTHON": sys.executable})


def deploy(project: Path, name: str, endpoint: str, parameters: Mapping[str, str] | None = None) -> Stack:
    """`sam deploy` of what `build` built, with these parameters in place of samconfig.toml's."""
    given = [f"{each}={value}" for each, value in (parameters or {}).items()]
    overrides = ["--parameter-overrides", *given] if given else []
    environment = {"AWS_ENDPOINT_URL": endpoint, **ROOT_KEY}
    _sam(project, "deploy", "--stack-name", name, *overrides, environment=environment)
    return deployed_stack(name, endpoint)


def deploy_project(project: Path, released: Path, endpoint: str, *arguments: str) -> str:
    """`serverless-tasks deploy --yes`, as its user calls it; returns what it printed."""
    done = run_step(
        project, released, endpoint, f"serverless-tasks deploy --yes {shlex.join(arguments)}", ROOT_KEY
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    return done.stdout + done.stderr


def run_step(
    project: Path, released: Path, endpoint: str, step: str, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in a project, as CI's runner does; `environment` has the access key."""
    program = tool("SAM_BIN", "sam", "sam").parent
    return subprocess.run(
        ["bash", "-e", "-c", f'serverless-tasks() {{ "$PYTHON" -m serverless_tasks.cli "$@"; }}; {step}'],
        cwd=project,
        env={
            **os.environ,
            "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "PYTHONPATH": str(released),
            "BUILD_PYTHON": sys.executable,
            "SAM_CLI_TELEMETRY": "0",
            "AWS_ENDPOINT_URL": endpoint,
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def deployer(stack: Stack, prefix: str, name: str) -> dict[str, str]:
    """Access keys of a user who holds the policies of infra/ci/deployer.yaml for a prefix of names."""
    cloudformation = stack.client("cloudformation")
    given = {
        "Subject": "repo:shop/shop:environment:prod",
        "StackPrefix": prefix,
        "BoundaryArn": "arn:aws:iam::000000000000:policy/boundary",
        "ExistingProviderArn": "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com",
    }
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(ROOT / "infra/ci/deployer.yaml").read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    outputs = deployed_outputs(cloudformation, name)
    # SAM's bucket refuses plain HTTP, which is all that MiniStack speaks; its root user is not asked.
    bucket = deployed_outputs(cloudformation, "aws-sam-cli-managed-default")["SourceBucket"]
    stack.client("s3").delete_bucket_policy(Bucket=bucket)
    policies = outputs["StacksPolicyArn"], outputs["ResourcesPolicyArn"]
    _make_up_in_policies(stack, policies)
    return user(stack, name, [], *policies)


def deployed_outputs(cloudformation: Any, name: str) -> dict[str, str]:
    """The outputs of a stack."""
    [found] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


def deployed_stack(name: str, endpoint: str) -> Stack:
    """A stack that has been deployed, brought to what AWS would have made of it."""
    stack = Stack(name, endpoint, {})
    stack.outputs.update(deployed_outputs(stack.client("cloudformation"), name))
    _make_up_for_ministack(stack)
    return stack


def _make_up_for_ministack(stack: Stack) -> None:
    """Where MiniStack differs from AWS, bring the deployed stack to what AWS would have made of the same template.

    It keeps a mapping's concurrency as a text when a parameter gives it, and then polls no more. When it looks at
    policies, it takes each schedule for one of the group "default" and a list of them for everything; and it asks for
    permission by names such as sqs:SendMessageBatch, which IAM does not have: sqs:SendMessage covers both.
    """
    # Plain HTTP is all that it speaks, and the bucket refuses that.
    stack.client("s3").delete_bucket_policy(Bucket=stack.outputs["PayloadBucketName"])
    iam = stack.client("iam")
    for role in map(stack.physical, ("WorkerRole", "InvokeRole", "DeadLetterRole")):
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = _with_batches(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
    _make_up_in_policies(stack, (stack.outputs["PublisherPolicyArn"], stack.outputs["SchedulesPolicyArn"]))
    # Last: from then on workers run what may have been submitted meanwhile.
    functions = stack.client("lambda")
    resources = stack.client("cloudformation").describe_stack_resources(StackName=stack.name)[
        "StackResources"
    ]
    for resource in resources:
        if resource["ResourceType"] != "AWS::Lambda::Function":
            continue
        mappings = functions.list_event_source_mappings(FunctionName=resource["PhysicalResourceId"])
        for each in mappings["EventSourceMappings"]:
            limit = int(each["ScalingConfig"]["MaximumConcurrency"])
            functions.update_event_source_mapping(
                UUID=each["UUID"], ScalingConfig={"MaximumConcurrency": limit}
            )


def _make_up_in_policies(stack: Stack, policies: Iterable[str]) -> None:
    iam = stack.client("iam")
    for arn in policies:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=_with_batches(document), SetAsDefault=True)


def _with_batches(document: dict[str, Any]) -> str:
    batched = ("sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
    for statement in document["Statement"]:
        named = actions(statement)
        if named == ["scheduler:ListSchedules"]:
            statement["Resource"] = "*"
        elif any(action.startswith("scheduler:") for action in named):
            statement["Resource"] = re.sub(r"schedule/[^/]+/", "schedule/default/", statement["Resource"])
        statement["Action"] = [*named, *(f"{action}Batch" for action in named if action in batched)]
    return json.dumps(document)


def actions(statement: dict[str, Any]) -> list[str]:
    """What a statement of a policy allows."""
    return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]


def _sam(project: Path, *arguments: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [tool("SAM_BIN", "sam", "sam"), *arguments],
        cwd=project,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"sam {arguments[0]}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def copy_of_the_repository(target: Path) -> Path:
    """What a deployment of this repository needs, so that building leaves the checkout as it is."""
    for name in ("template.yaml", "samconfig.toml"):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for name in ("infra", "serverless_tasks", "lambda_handlers", "examples"):
        shutil.copytree(
            ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    return target

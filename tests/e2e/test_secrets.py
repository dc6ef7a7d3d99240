"""Secrets of a deployed stack: they reach tasks, and a rotated one arrives without a deployment."""

import json
from pathlib import Path

import pytest

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from tests.e2e import deployment
from tests.e2e.conftest import TASKS
from tests.e2e.deployment import REGION, ROOT_KEY, Stack, eventually
from tests.e2e.runtime_api import function, runtime_packages
from tests.e2e.test_artefact import batch, environment

SHOP, TOKEN = "shop/prod", "/shop/token"


@pytest.fixture(scope="module")
def arn(endpoint: str) -> str:
    """A secret and a parameter of the shop, and a secret of somebody else."""
    account = Stack("", endpoint, {})
    account.client("ssm").put_parameter(Name=TOKEN, Value="letmein", Type="SecureString")
    secrets = account.client("secretsmanager")
    secrets.create_secret(Name="payroll", SecretString="not for the shop")
    made: str = secrets.create_secret(Name=SHOP, SecretString=json.dumps({"url": "first"}))["ARN"]
    return made


@pytest.fixture(scope="module")
def secured(project: Path, endpoint: str, arn: str) -> Stack:
    """A stack with these secrets, whose processes use them for a second."""
    parameter = f"arn:aws:ssm:{REGION}:{arn.split(':')[4]}:parameter{TOKEN}"
    parameters = {
        "TaskModules": f"examples.tasks,{TASKS.stem}",
        "SecretReferences": f"SHOP_URL={arn}:url,SHOP_TOKEN={TOKEN}",
        "SecretArns": f"{arn},{parameter}",
        "SecretsMaxAge": "1",
    }
    return deployment.deploy(project, "secured", endpoint, parameters)


@pytest.fixture
def client(secured: Stack, monkeypatch: pytest.MonkeyPatch) -> TaskClient:
    variables = {**ROOT_KEY, "AWS_ENDPOINT_URL": secured.endpoint, "AWS_DEFAULT_REGION": REGION}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    session.reset()
    return TaskClient.from_stack(secured.name)


def rotate(stack: Stack, value: str) -> None:
    stack.client("secretsmanager").put_secret_value(SecretId=SHOP, SecretString=json.dumps({"url": value}))


def read(client: TaskClient, variable: str) -> str:
    handle = client.submit("read-variable", variable=variable)
    handle.wait(60)
    value: str = handle.outputs["value"]
    return value


def test_they_reach_the_tasks_of_a_worker_and_of_direct_invoke(secured: Stack, client: TaskClient) -> None:
    assert (read(client, "SHOP_URL"), read(client, "SHOP_TOKEN")) == ("first", "letmein")
    failed, record = secured.invoke({"task": "read-variable", "inputs": {"variable": "SHOP_TOKEN"}})
    assert failed is None
    assert record["outputs"] == {"value": "letmein"}


def test_a_rotated_secret_arrives_without_a_deployment(secured: Stack, client: TaskClient) -> None:
    rotate(secured, "second")
    eventually(lambda: read(client, "SHOP_URL") == "second", 60)
    rotate(secured, "first")
    eventually(lambda: read(client, "SHOP_URL") == "first", 60)


def test_the_functions_may_read_no_other(secured: Stack, arn: str) -> None:
    codes = [
        secured.invoke({"task": "read-secret", "inputs": {"secret": secret}})[1]["outputs"]["code"]
        for secret in (arn, "payroll")
    ]
    assert codes == ["read", "AccessDeniedException"]


def test_no_secret_is_in_a_log(secured: Stack, client: TaskClient) -> None:
    read(client, "SHOP_URL")
    logs = secured.client("logs")
    for group in ("worker", "invoke"):
        found = logs.filter_log_events(logGroupName=f"/serverless-tasks/{secured.name}/{group}")
        lines = [event["message"] for event in found["events"]]
        assert lines
        assert not [line for line in lines if "letmein" in line]


def test_a_process_under_lambdas_own_runtime_starts_anew_between_two_invocations(
    secured: Stack, project: Path, tmp_path: Path
) -> None:
    """The runtime's process stays the same one for Lambda: no invocation fails."""
    variables = environment(secured, "InvokeFunction")
    packages = runtime_packages(tmp_path / "packages")
    code = project / ".aws-sam/build/InvokeFunction"
    event = {"task": "read-variable", "inputs": {"variable": "SHOP_URL"}}
    with function(code, "lambda_handlers.invoke.handler", packages, variables) as api:
        assert api.process is not None
        process = api.process.pid
        assert api.run(event)["outputs"] == {"value": "first"}
        rotate(secured, "second")
        eventually(lambda: api.run(event)["outputs"] == {"value": "second"}, 60)
        assert (api.process.pid, api.process.poll()) == (process, None)
        assert "the process starts anew" in api._output()
    with function(
        code, "lambda_handlers.worker.handler", packages, environment(secured, "WorkerFunction")
    ) as api:
        for _ in range(2):
            assert api.run(batch(secured, "high")) == {"batchItemFailures": []}
    rotate(secured, "first")

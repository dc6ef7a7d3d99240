"""Secrets of a deployed project: they reach tasks, and a rotated one arrives without a deployment."""

import json
from pathlib import Path

import pytest

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from tests.e2e.deployment import REGION, ROOT_KEY, Stack, eventually
from tests.e2e.own_project import Made
from tests.e2e.runtime_api import function, runtime_packages
from tests.e2e.test_artefact import batch, environment

FIRST = "database of default"


@pytest.fixture
def client(deployed: Stack, monkeypatch: pytest.MonkeyPatch) -> TaskClient:
    variables = {**ROOT_KEY, "AWS_ENDPOINT_URL": deployed.endpoint, "AWS_DEFAULT_REGION": REGION}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    session.reset()
    return TaskClient.from_stack(deployed.name)


def rotate(stack: Stack, value: str) -> None:
    stack.client("secretsmanager").put_secret_value(
        SecretId="shop/default", SecretString=json.dumps({"url": value})
    )


def read(client: TaskClient, variable: str) -> str:
    handle = client.submit("read-variable", variable=variable)
    handle.wait(60)
    value: str = handle.outputs["value"]
    return value


def test_they_reach_the_tasks_of_a_worker_and_of_direct_invoke(deployed: Stack, client: TaskClient) -> None:
    assert (read(client, "DATABASE_URL"), read(client, "SHOP_TOKEN")) == (FIRST, "letmein")
    failed, record = deployed.invoke({"task": "read-variable", "inputs": {"variable": "SHOP_TOKEN"}})
    assert failed is None
    assert record["outputs"] == {"value": "letmein"}


def test_a_rotated_secret_arrives_without_a_deployment(deployed: Stack, client: TaskClient) -> None:
    rotate(deployed, "second")
    eventually(lambda: read(client, "DATABASE_URL") == "second", 60)
    rotate(deployed, FIRST)
    eventually(lambda: read(client, "DATABASE_URL") == FIRST, 60)


def test_the_functions_may_read_no_other(deployed: Stack, secrets: dict[str, str]) -> None:
    codes = [
        deployed.invoke({"task": "read-secret", "inputs": {"secret": secret}})[1]["outputs"]["code"]
        for secret in (secrets["default"], secrets["prod"], "payroll")
    ]
    assert codes == ["read", "AccessDeniedException", "AccessDeniedException"]


def test_no_secret_is_in_a_log(deployed: Stack, client: TaskClient) -> None:
    read(client, "DATABASE_URL")
    logs = deployed.client("logs")
    for group in ("worker", "invoke"):
        found = logs.filter_log_events(logGroupName=f"/serverless-tasks/{deployed.name}/{group}")
        lines = [event["message"] for event in found["events"]]
        assert lines
        assert not [line for line in lines if "letmein" in line]


def test_a_process_under_lambdas_own_runtime_starts_anew_between_two_invocations(
    deployed: Stack, shop: Made, tmp_path: Path
) -> None:
    """The runtime's process stays the same one for Lambda: no invocation fails."""
    variables = environment(deployed, "InvokeFunction")
    packages = runtime_packages(tmp_path / "packages")
    code = shop.project / ".aws-sam/build/InvokeFunction"
    event = {"task": "read-variable", "inputs": {"variable": "DATABASE_URL"}}
    with function(code, "lambda_handlers.invoke.handler", packages, variables) as api:
        assert api.process is not None
        process = api.process.pid
        assert api.run(event)["outputs"] == {"value": FIRST}
        rotate(deployed, "second")
        eventually(lambda: api.run(event)["outputs"] == {"value": "second"}, 60)
        assert (api.process.pid, api.process.poll()) == (process, None)
        assert "the process starts anew" in api._output()
    with function(
        code, "lambda_handlers.worker.handler", packages, environment(deployed, "WorkerFunction")
    ) as api:
        for _ in range(2):
            assert api.run(batch(deployed, "high")) == {"batchItemFailures": []}
    rotate(deployed, FIRST)

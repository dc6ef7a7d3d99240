"""A project of one's own: made by `django-admin`, given its deployment by `serverless-tasks init`, deployed by SAM."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from tests.e2e import deployment
from tests.e2e.deployment import REGION, ROOT, ROOT_KEY, Stack
from tests.e2e.own_project import Made, run


def test_a_task_that_uses_the_orm_runs(deployed: Stack) -> None:
    failed, record = deployed.invoke({"task": "total-orders", "inputs": {"amounts": [3, 4]}})
    assert failed is None, record
    assert (record["status"], record["outputs"]) == ("succeeded", {"total": 7}), record


def test_a_task_that_does_not_runs_beside_it(deployed: Stack) -> None:
    failed, record = deployed.invoke({"task": "greet", "inputs": {"who": "Ada"}})
    assert failed is None, record
    assert (record["status"], record["outputs"]) == ("succeeded", {"result": "Hello, Ada!"}), record


def test_jobs_travel_through_its_own_queues(deployed: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        **ROOT_KEY,
        "AWS_ENDPOINT_URL": deployed.endpoint,
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    session.reset()
    handle = TaskClient.from_stack(deployed.name).submit("total-orders", amounts=[1, 2])
    assert handle.wait(60) == {"total": 3}
    greeting = TaskClient.from_stack(deployed.name).submit("greet", who="Bo")
    assert greeting.wait(60) == {"result": "Hello, Bo!"}
    assert greeting.record.queue == "mail"
    worker = deployed.client("lambda").get_function_configuration(
        FunctionName=deployed.physical("MailWorkerFunction")
    )
    assert worker["Timeout"] == 120
    session.reset()


def test_doctor_finds_the_project_and_its_stack_in_order(
    shop: Made, released: Path, deployed: Stack, endpoint: str
) -> None:
    done = deployment.run_step(shop.project, released, endpoint, "serverless-tasks doctor --json", ROOT_KEY)
    page = json.loads(done.stdout)
    said = {line["text"] for section in ("project", "environment", "stack") for line in page[section]}
    assert (done.returncode, page["errors"]) == (0, 0), done.stdout + done.stderr
    assert "The stack shop is deployed." in said
    assert "The files that `init` writes are up to date." in said
    assert "The tasks here and those of the deployed build take the same inputs." in said


def test_ci_deploys_each_environment_as_a_stack_of_its_own(
    shop: Made, released: Path, deployed: Stack, endpoint: str
) -> None:
    """By the steps of infra/ci, as a user who holds the deployer's policies and no others."""
    steps = yaml.safe_load((ROOT / "infra/ci/github.yml").read_text())["jobs"]["deploy"]["steps"]
    commands = [step["run"] for step in steps if step.get("run", "").startswith("serverless-tasks ")]
    assert [command.split()[1] for command in commands] == ["init", "deploy"]
    own = deployment.deployer(deployed, "shop", "deployer-of-shop")
    for command in commands:
        done = deployment.run_step(
            shop.project, released, endpoint, command, {**own, "DEPLOY_ENVIRONMENT": "prod"}
        )
        assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    prod = deployment.deployed_stack("shop-prod", endpoint)
    assert "The stack shop-prod is deployed." in done.stdout + done.stderr
    # Whose prefix is another may not even look at the stack; the build is there already.
    other = deployment.deployer(deployed, "other", "deployer-of-others")
    refused = deployment.run_step(shop.project, released, endpoint, "sam deploy --config-env prod", other)
    assert refused.returncode != 0
    assert re.search(
        r"stack: shop-prod, .*AccessDenied.*deployer-of-others is not authorized to perform: cloudformation:",
        refused.stdout + refused.stderr,
    ), refused.stdout + refused.stderr
    assert prod.outputs["TableName"] != deployed.outputs["TableName"]
    failed, record = prod.invoke({"task": "greet", "inputs": {"who": "prod"}})
    assert (failed, record["outputs"]) == (None, {"result": "Hello, prod!"})
    failed, record = prod.invoke({"task": "read-variable", "inputs": {"variable": "DATABASE_URL"}})
    assert (failed, record["outputs"]) == (None, {"value": "database of prod"})


def test_a_stack_is_deleted_and_a_new_one_goes_on_with_its_jobs(
    shop: Made, released: Path, endpoint: str
) -> None:
    """The stack that the test before has deployed; its site still holds PublisherPolicy."""
    old = deployment.deployed_stack("shop-prod", endpoint)
    _, record = old.invoke({"task": "greet", "inputs": {"who": "Ada"}})
    deployment.user(old, "site", [], old.outputs["PublisherPolicyArn"])

    def delete(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "serverless_tasks.cli", "stack", "delete", "--env", "prod", *arguments],
            cwd=shop.project,
            env={**os.environ, "PYTHONPATH": str(released), "AWS_ENDPOINT_URL": endpoint, **ROOT_KEY},
            capture_output=True,
            text=True,
            check=False,
        )

    refused = delete("--yes")
    assert refused.returncode == 2, refused.stderr
    assert "aws iam detach-user-policy --user-name site" in refused.stderr
    deleted = delete("--yes", "--detach-policies", "--json")
    assert deleted.returncode == 0, deleted.stdout + deleted.stderr
    kept = json.loads(deleted.stdout)["kept"]
    assert kept == {
        "ExistingTableName": old.outputs["TableName"],
        "ExistingBucketName": old.outputs["PayloadBucketName"],
    }

    config = shop.project / "samconfig.toml"
    head, section, rest = config.read_text().partition("[prod.global.parameters]")
    given = "".join(f'"{name}={value}", ' for name, value in kept.items())
    rest = rest.replace("parameter_overrides = [", f"parameter_overrides = [{given}", 1)
    config.write_text(head + section + rest)
    deployment.deploy_project(shop.project, released, endpoint, "--env", "prod")
    new = deployment.deployed_stack("shop-prod", endpoint)
    for output in ("TableName", "PayloadBucketName"):
        assert new.outputs[output] == old.outputs[output]
    resources = new.client("cloudformation").list_stack_resources(StackName=new.name)[
        "StackResourceSummaries"
    ]
    assert not {"Table", "PayloadBucket"} & {each["LogicalResourceId"] for each in resources}
    # Read and written by functions whose roles name the table.
    code, seen = new.status(record["uuid"], ROOT_KEY)
    assert (code, seen["outputs"]) == (200, {"result": "Hello, Ada!"})
    _, record = new.invoke({"task": "greet", "inputs": {"who": "Grace"}})
    assert record["outputs"] == {"result": "Hello, Grace!"}


def test_a_second_deployment_of_the_same_code_changes_nothing(
    shop: Made, released: Path, deployed: Stack, endpoint: str
) -> None:
    assert "Nothing changes in the stack shop." in deployment.deploy_project(shop.project, released, endpoint)


def test_its_artefact_holds_the_project_and_django_and_no_settings_of_this_machine(
    shop: Made, deployed: Stack
) -> None:
    artefact = shop.project / ".aws-sam/build/WorkerFunction"
    top = {path.name for path in artefact.iterdir()}
    assert {"website", "shop", "django", "django_integration", "serverless_tasks", "lambda_handlers"} <= top
    assert not top & {"manage.py", "infra", "boto3", "botocore", "moto", "typer"}
    assert not (artefact / "shop/tests.py").exists()
    assert not (artefact / "serverless_tasks/cli/init").exists()


def test_running_init_again_leaves_everything_as_it_is(shop: Made, deployed: Stack, released: Path) -> None:
    template = shop.project / "template.yaml"
    before = template.read_text()
    run(released, shop.project, "-m", "serverless_tasks.cli", "init")
    assert template.read_text() == before

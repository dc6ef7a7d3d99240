"""`serverless-tasks deploy` and `outputs`: a double of `sam` on PATH, and moto's CloudFormation behind the rest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from moto import mock_aws
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.loading import PROJECT
from serverless_tasks.cli.session import connect
from serverless_tasks.client.operations.deployment import DeploymentChanges
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.definition.manifest.compare import TaskChange
from serverless_tasks.engine.definition.schedule_sync import ScheduleChange
from serverless_tasks.engine.services import reset
from serverless_tasks.errors import AwsError, ConfigurationError
from serverless_tasks.project.samconfig import deployed_parameters
from serverless_tasks.project.site_settings import as_environment, settings_of

SAMCONFIG = """
[default.global.parameters]
stack_name = "shop"
region = "us-east-1"
parameter_overrides = []

[prod.global.parameters]
stack_name = "shop-prod"
region = "eu-west-1"
"""
OUTPUTS = {
    "TableName": "jobs",
    "QueueUrls": '{"default": "https://sqs/default"}',
    "PayloadBucketName": "payloads",
    "InvokeFunctionName": "invoke",
    "DeadLetterQueueUrl": "https://sqs/dead",
    "ScheduleGroupName": "group",
    "SchedulerRoleArn": "role",
    "TaskPauses": "true",
}
DOUBLE = """#!{python}
import os, sys
with open(os.environ["SAM_CALLS"], "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + " " + os.environ.get("AWS_REGION", "") + "\\n")
print("sam says", sys.argv[1])
if sys.argv[1] == os.environ.get("SAM_FAILS"):
    sys.exit(3)
if sys.argv[1] == "deploy" and (os.environ.get("CHANGE_SET") or os.environ.get("SAM_STOPS")):
    print("CloudFormation stack changeset\\n------\\n+ Add    Table    AWS::DynamoDB::Table    N/A\\n------")
    if os.environ.get("SAM_STOPS"):
        sys.exit("Error: AccessDenied")
    print("Changeset created successfully.", os.environ["CHANGE_SET"])
"""


def template(*queues: str, table: bool = True) -> str:
    resources: dict[str, Any] = {name: {"Type": "AWS::SQS::Queue"} for name in queues}
    if table:
        resources["Table"] = {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
            },
        }
    return json.dumps(
        {"Resources": resources, "Outputs": {key: {"Value": value} for key, value in OUTPUTS.items()}}
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with `sam` and `make` on PATH, in an account of moto's."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sam").write_text(DOUBLE.format(python=sys.executable))
    (tools / "make").write_text("#!/bin/sh\n")
    runtime = "python{}.{}".format(*sys.version_info)
    (tools / runtime).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    directory = tmp_path / "shop"
    directory.mkdir()
    (directory / "samconfig.toml").write_text(SAMCONFIG)
    (directory / "template.yaml").write_text(f"Globals:\n  Function:\n    Runtime: {runtime}\n")
    for name, value in {
        "PATH": str(tools),
        "SAM_CALLS": str(tmp_path / "calls"),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("SERVERLESS_TASKS_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.chdir(directory)
    monkeypatch.setattr("serverless_tasks.engine.job.clock.Clock.sleep", lambda self, seconds: None)
    # A stack that moto makes by a change set has no outputs.
    monkeypatch.setattr("serverless_tasks.cli.commands.deploy.stack_outputs", lambda stack: OUTPUTS)
    monkeypatch.setattr(
        "serverless_tasks.cli.commands.deploy.connect", lambda stack, tasks: connect(None, tasks)
    )
    before = PROJECT.set(None)
    with mock_aws():
        session.reset()
        reset()
        yield directory
    PROJECT.reset(before)
    session.reset()
    reset()


def change_set(
    monkeypatch: pytest.MonkeyPatch, body: str, stack: str = "shop", region: str = "us-east-1"
) -> str:
    """Make one as `sam` would, which the double then names."""
    cloudformation = boto3.client("cloudformation", region_name=region)
    known = [each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]]
    made: str = cloudformation.create_change_set(
        StackName=stack, ChangeSetName="samcli-deploy", TemplateBody=body,
        ChangeSetType="UPDATE" if stack in known else "CREATE",
    )["Id"]  # fmt: skip
    monkeypatch.setenv("CHANGE_SET", made)
    return made


def calls(project: Path) -> list[str]:
    return (project.parent / "calls").read_text().splitlines()


def run(*arguments: str, say: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments), input=say)
    return result.exit_code, result.stdout, result.stderr


def test_it_builds_shows_deploys_and_says_what_the_site_needs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_set(monkeypatch, template("High", "Low"))
    code, told, said = run("deploy", "--yes")
    assert code == 0, said
    assert [call.split()[0] for call in calls(project)] == ["build", "deploy"]
    assert "--no-execute-changeset" in calls(project)[1]
    assert [line.split()[:2] for line in told.splitlines()[1:4]] == [
        ["Add", "High"],
        ["Add", "Low"],
        ["Add", "Table"],
    ]
    assert "The stack shop is deployed." in said
    assert "The settings here are not those of this stack (TABLE, QUEUE_URLS, BUCKET" in said
    assert "needs AWS_REGION=us-east-1 in its environment, and these;" in said
    assert "AWS_ENDPOINT_URL" not in said
    assert '    "PAUSES": True,' in told
    stacks = boto3.client("cloudformation").describe_stacks()["Stacks"]
    assert [(each["StackName"], each["StackStatus"]) for each in stacks] == [("shop", "CREATE_COMPLETE")]


def test_the_changes_are_shown_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = change_set(monkeypatch, template("High"))
    code, told, said = run("deploy", "--yes")
    assert code == 0, said
    assert (told.count("AWS::DynamoDB::Table"), said.count("AWS::DynamoDB::Table")) == (1, 0)
    assert "sam says deploy" in said
    assert f"Changeset created successfully. {made}" in said


def test_what_sam_says_is_shown_where_it_makes_no_change_set(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAM_STOPS", "true")
    code, _, said = run("deploy", "--yes")
    assert code == 2
    assert "AWS::DynamoDB::Table" in said
    assert "Error: AccessDenied" in said


def test_it_says_first_that_it_goes_elsewhere_than_to_aws(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the terminal where the variables of `dev` were exported."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("serverless_tasks.project.sam.build", refuse)
    code, _, said = run("deploy", "--yes")
    assert code != 0
    assert "AWS_ENDPOINT_URL is 'http://127.0.0.1:1': this goes there, and not to AWS." in said


def refuse(*_: object) -> None:
    raise ConfigurationError("not built")


@pytest.mark.parametrize("as_json", [False, True])
def test_the_jobs_that_would_fail_are_said_before_it_asks(
    project: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    removed = TaskChange(task="bill", worker_first=("there is no task 'bill'",))
    added = TaskChange(task="mail", site_first=("there is no task 'mail'",))
    monkeypatch.setattr("serverless_tasks.cli.commands.deploy.knows_tasks", lambda registry: True)
    monkeypatch.setattr(
        "serverless_tasks.client.operations.deployment.compare_with_deployed",
        lambda services: DeploymentChanges(deployed="A", tasks=(removed, added)),
    )
    change_set(monkeypatch, template("High"))
    code, told, said = run("deploy", "--dry-run", *(["--json"] if as_json else []))
    assert code == 0, said
    assert "CAUTION: Task 'bill' differs from the deployed one." in said
    assert "\nTask 'mail' differs" in said
    if as_json:
        assert [(each["task"], each["order"]) for each in json.loads(told)["tasks"]] == [
            ("bill", "site first"),
            ("mail", "worker first"),
        ]


def test_an_environment_has_its_own_stack_and_region(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_set(monkeypatch, template("High"), "shop-prod", "eu-west-1")
    code, told, said = run("deploy", "--env", "prod", "--yes", "--json")
    assert code == 0, said
    assert all("--config-env prod" in call and call.endswith("eu-west-1") for call in calls(project))
    answer = json.loads(told)
    assert (answer["environment"], answer["stack"]) == ("prod", "shop-prod")
    assert {each["resource"] for each in answer["changes"]} == {"High", "Table"}
    assert answer["settings"]["QUEUE_URLS"] == {"default": "https://sqs/default"}
    assert "TABLE" in answer["differing"]


def test_settings_that_are_the_stacks_are_not_repeated(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_set(monkeypatch, template("High"))
    run("deploy", "--yes")
    for line in as_environment(settings_of(OUTPUTS, "shop")).splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value.strip("'"))
    reset()
    monkeypatch.delenv("CHANGE_SET")
    code, told, said = run("deploy", "--yes")
    assert (code, told) == (0, "")
    assert "Nothing changes in the stack shop." in said
    assert "The settings here are those of this stack." in said


@pytest.mark.parametrize("step", ["build", "deploy"])
def test_where_sam_fails_nothing_is_deployed(
    project: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    change_set(monkeypatch, template("High"))
    monkeypatch.setenv("SAM_FAILS", step)
    code, told, said = run("deploy", "--yes")
    assert (code, told) == (2, "")
    assert f"sam says {step}" in said
    assert f"`sam {step}" in said
    assert "ended with code 3, and nothing was deployed" in said
    assert (
        boto3.client("cloudformation").describe_stacks()["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    )


def test_a_dry_run_deploys_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_set(monkeypatch, template("High"))
    code, told, _ = run("deploy", "--dry-run")
    assert code == 0
    assert "Add" in told
    cloudformation = boto3.client("cloudformation")
    assert cloudformation.list_change_sets(StackName="shop")["Summaries"] == []
    assert cloudformation.describe_stacks()["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"


def test_without_a_terminal_it_asks_for_a_word(project: Path) -> None:
    code, _, said = run("deploy")
    assert code == 2
    assert "nobody to ask here: give --yes to deploy, or --dry-run to look" in said


@pytest.mark.parametrize(("answer", "status"), [("n\n", "REVIEW_IN_PROGRESS"), ("y\n", "CREATE_COMPLETE")])
def test_a_person_is_asked(project: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: str) -> None:
    monkeypatch.setattr("serverless_tasks.cli.output.Output.interactive", True)
    change_set(monkeypatch, template("High"))
    code, _, said = run("deploy", say=answer)
    assert code == (1 if answer == "n\n" else 0)
    assert ("Nothing was deployed." in said) is (answer == "n\n")
    assert boto3.client("cloudformation").describe_stacks()["Stacks"][0]["StackStatus"] == status


def change_sets() -> list[Any]:
    found: list[Any] = boto3.client("cloudformation").list_change_sets(StackName="shop")["Summaries"]
    return found


def test_a_question_that_is_left_leaves_no_change_set(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def left(*_: Any, **__: Any) -> bool:
        raise typer.Abort

    monkeypatch.setattr("serverless_tasks.cli.output.Output.interactive", True)
    monkeypatch.setattr("typer.confirm", left)
    change_set(monkeypatch, template("High"))
    assert run("deploy")[0] == 1
    assert change_sets() == []


def test_changes_that_cannot_be_read_leave_no_change_set(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(made: str, stack: str) -> Any:
        raise AwsError("cloudformation.DescribeChangeSet", "AccessDenied", "no", applied=False)

    monkeypatch.setattr("serverless_tasks.engine.aws.changesets.changes_of", refused)
    change_set(monkeypatch, template("High"))
    assert run("deploy", "--yes")[0] == 5
    assert change_sets() == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigurationError("Nothing was changed."), 2),
        (AwsError("scheduler.ListSchedules", "AccessDenied", "no", applied=False), 5),
    ],
)
def test_what_follows_a_deployment_and_fails_is_told_with_what_is_left(
    project: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: int
) -> None:
    def refused(stack: str, tasks: Any) -> Any:
        raise error

    monkeypatch.setattr("serverless_tasks.cli.commands.deploy.connect", refused)
    change_set(monkeypatch, template("High"))
    code, _, said = run("deploy", "--yes")
    assert code == expected
    assert str(error) in said
    assert "The stack shop is deployed; what follows it is not done" in said
    assert "`serverless-tasks schedules sync --env default`" in said


def test_the_python_of_the_command_line_is_not_one_of_the_build(project: Path) -> None:
    """The build looks on PATH, where an environment that is not active is not."""
    runtime = "python{}.{}".format(*sys.version_info)
    (project.parent / "tools" / runtime).unlink()
    code, _, said = run("deploy", "--yes")
    assert (code, f"{runtime} is not on PATH" in said) == (2, True)
    assert not (project.parent / "calls").exists()


def test_an_environment_has_its_own_tasks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = SAMCONFIG.replace("parameter_overrides = []", 'parameter_overrides = ["TaskModules=shop.tasks"]')
    (project / "samconfig.toml").write_text(config + 'parameter_overrides = ["TaskModules=shop.prod"]\n')
    seen: set[tuple[str | None, str]] = set()

    def look(stack: str | None, *_: Any) -> Any:
        seen.add((stack, deployed_parameters(project)["TaskModules"]))
        raise ConfigurationError("far enough")

    monkeypatch.setattr("serverless_tasks.cli.commands.schedules.connect", look)
    monkeypatch.setattr("serverless_tasks.cli.commands.deploy.connect", look)
    for environment in (("--env", "prod"), ()):
        run("schedules", "sync", *environment)
        run("deploy", "--yes", *environment)
    assert seen == {("shop-prod", "shop.prod"), ("shop", "shop.tasks"), (None, "shop.tasks")}


def test_what_takes_data_away_is_said_loudly(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_set(monkeypatch, template("High", "Low"))
    run("deploy", "--yes")
    change_set(monkeypatch, template("High", table=False))
    code, _, said = run("deploy", "--yes")
    assert code == 0
    assert "CAUTION: Table (AWS::DynamoDB::Table) is removed; what it holds may be lost." in said
    assert "CAUTION: Low (AWS::SQS::Queue) is removed" in said
    assert "CAUTION: High" not in said


def test_what_is_missing_on_this_machine_is_said_before_anything_is_done(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project))
    monkeypatch.delenv("BUILD_PYTHON", raising=False)
    (project / "template.yaml").write_text("    Runtime: python3.99\n")
    code, _, said = run("deploy", "--yes")
    assert code == 2
    assert "sam is not on PATH: install" in said
    assert "make is not on PATH" in said
    assert "python3.99 is not on PATH" in said


def test_an_environment_that_is_not_there(project: Path) -> None:
    code, _, said = run("deploy", "--env", "staging", "--yes")
    assert code == 2
    assert (
        "has no environment 'staging'; it has default, prod. `serverless-tasks init --env staging` adds it."
        in said
    )


def test_a_deployment_that_rolls_back_says_why(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto never rolls back: its answers are those of CloudFormation's documents."""
    change_set(monkeypatch, template("High"))
    real = session.call
    events: list[dict[str, str]] = []

    def call(method: Any, /, **parameters: Any) -> dict[str, Any]:
        if method.__name__ == "execute_change_set":
            for number, (name, status, reason) in enumerate(
                [
                    ("High", "CREATE_FAILED", "The queue exists"),
                    ("Table", "CREATE_FAILED", "Resource creation cancelled"),
                    ("shop", "ROLLBACK_COMPLETE", ""),
                ]
            ):
                event = {"EventId": str(number), "LogicalResourceId": name, "ResourceStatus": status}
                events.insert(0, event | ({"ResourceStatusReason": reason} if reason else {}))
            return {}
        if method.__name__ == "describe_stack_events":
            return {"StackEvents": events}
        if method.__name__ == "describe_stacks":
            return {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}
        return real(method, **parameters)

    for module in ("changesets", "stacks"):
        monkeypatch.setattr(f"serverless_tasks.engine.aws.{module}.call", call)
    code, _, said = run("deploy", "--yes")
    assert code == 1
    assert "The deployment of the stack 'shop' ended as ROLLBACK_COMPLETE: High: The queue exists\n" in said


@pytest.mark.parametrize(("failing", "code"), [(9, 0), (10, 5)])
def test_a_look_at_the_stack_may_fail_while_it_is_under_way(
    project: Path, monkeypatch: pytest.MonkeyPatch, failing: int, code: int
) -> None:
    change_set(monkeypatch, template("High"))
    real = session.call
    looks: list[str] = []

    def call(method: Any, /, **parameters: Any) -> dict[str, Any]:
        if method.__name__ == "describe_stacks":
            looks.append(parameters["StackName"])
            if len(looks) <= failing:
                raise AwsError(
                    "cloudformation.describe_stacks", "ReadTimeoutError", "no answer", applied=False
                )
        return real(method, **parameters)

    monkeypatch.setattr("serverless_tasks.engine.aws.stacks.call", call)
    assert run("deploy", "--yes")[0] == code


def test_schedules_of_another_project_are_not_deleted_by_a_yes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def synchronise(*_: Any, **options: Any) -> list[Any]:
        asked.append(options)
        raise ConfigurationError("Nothing was changed: all 3 deployed schedules would be deleted.")

    monkeypatch.setattr("serverless_tasks.cli.commands.deploy.synchronise", synchronise)
    monkeypatch.setattr("serverless_tasks.cli.commands.deploy.knows_tasks", lambda registry: True)
    change_set(monkeypatch, template("High"))
    code, _, said = run("deploy", "--yes")
    assert (code, asked) == (2, [{}])
    assert "run `serverless-tasks schedules sync --env default`" in said


def test_tasks_that_cannot_be_compared_are_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(services: Any) -> Any:
        raise AwsError("dynamodb.GetItem", "AccessDeniedException", "no", applied=False)

    monkeypatch.setattr("serverless_tasks.client.operations.deployment.compare_with_deployed", refused)
    monkeypatch.setattr("serverless_tasks.cli.commands.deploy.knows_tasks", lambda registry: True)
    monkeypatch.setattr("serverless_tasks.cli.commands.deploy.synchronise", lambda *_, **__: [])
    change_set(monkeypatch, template("High"))
    _, _, said = run("deploy", "--yes")
    assert "The tasks could not be compared with the deployed ones: dynamodb.GetItem failed" in said


class TestOutputs:
    @pytest.fixture(autouse=True)
    def stack(self, project: Path) -> None:
        boto3.client("cloudformation").create_stack(StackName="shop", TemplateBody=template("High"))

    def test_for_django(self) -> None:
        code, told, _ = run("outputs")
        assert code == 0
        found: dict[str, Any] = {}
        exec(told, found)
        assert found["SERVERLESS_TASKS"] == {
            "TABLE": "jobs",
            "QUEUE_URLS": {"default": "https://sqs/default"},
            "BUCKET": "payloads",
            "INVOKE_FUNCTION": "invoke",
            "DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
            "SCHEDULE_GROUP": "group",
            "SCHEDULER_ROLE": "role",
            "PAUSES": True,
        }

    def test_for_an_environment(self) -> None:
        lines = run("outputs", "--stack", "shop", "--format", "env")[1].splitlines()
        assert "SERVERLESS_TASKS_TABLE=jobs" in lines
        assert """SERVERLESS_TASKS_QUEUE_URLS='{"default": "https://sqs/default"}'""" in lines
        assert "SERVERLESS_TASKS_PAUSES=true" in lines

    def test_for_programs(self) -> None:
        assert json.loads(run("outputs", "--format", "json")[1])["PAUSES"] is True

    def test_an_error_for_programs(self) -> None:
        code, told, _ = run("outputs", "--env", "other", "--format", "json")
        assert code == 2
        assert "no environment 'other'" in json.loads(told)["error"]["message"]

    def test_of_no_stack(self) -> None:
        code, _, said = run("outputs", "--stack", "other")
        assert code == 3
        assert said.startswith("There is no stack other in us-east-1")
        assert "`aws cloudformation describe-stacks --region us-east-1" in said
        assert "`serverless-tasks deploy`" in said

    def test_of_a_stack_whose_first_deployment_was_declined(self, monkeypatch: pytest.MonkeyPatch) -> None:
        change_set(monkeypatch, template("High"), "declined")
        code, _, said = run("outputs", "--stack", "declined")
        assert code == 3
        assert said.startswith("There is no stack declined in us-east-1")


@pytest.mark.parametrize(
    ("words", "option"), [(("--env", "prod"), "--env prod"), (("--stack", "other"), "--stack other")]
)
def test_a_command_names_the_stack_that_another_was_asked_about(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], option: str
) -> None:
    def differing(*_: Any) -> list[ScheduleChange]:
        return [ScheduleChange(action="create", task="bill", name="bill")]

    monkeypatch.setattr("serverless_tasks.cli.commands.schedules.connect", lambda *_: connect(None))
    monkeypatch.setattr("serverless_tasks.cli.commands.schedules.plan", differing)
    monkeypatch.setattr("serverless_tasks.cli.commands.schedules.knows_tasks", lambda registry: True)
    monkeypatch.setenv("SERVERLESS_TASKS_SCHEDULE_GROUP", "group")
    code, _, said = run("schedules", "list", *words)
    assert code == 0, said
    assert f"run `serverless-tasks schedules sync {option}`." in said


def test_every_command_that_takes_a_stack_takes_an_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def look(stack: str, *_: Any) -> Any:
        asked.append((stack, os.environ["AWS_REGION"]))
        raise ConfigurationError("far enough")

    monkeypatch.setattr("serverless_tasks.cli.commands.queues.connect", look)
    run("queues", "--env", "prod")
    assert asked == [("shop-prod", "eu-west-1")]
    assert os.environ["AWS_REGION"] == "us-east-1"
    code, _, said = run("queues", "--env", "prod", "--stack", "shop")
    assert code == 2
    assert "--env and --stack both name a stack: give one of them." in said

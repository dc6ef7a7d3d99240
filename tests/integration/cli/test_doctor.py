"""`serverless-tasks doctor`: what is wrong, in a project, an environment and a stack on moto, with the cure of each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.loading import PROJECT
from serverless_tasks.client.operations.pausing import pause_queue, pause_task
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, reset
from serverless_tasks.project.build import MANIFEST
from tests.support.aws import account, resources
from tests.support.init import init_project

TASKS = """
from serverless_tasks import Task, cron


class Bill(Task):
    name = "bill"
    timeout = {timeout}
    queue = {queue!r}
    schedule = {schedule}

    def run(self):
        return None
"""
OUTPUTS = {
    "table": "TableName",
    "bucket": "PayloadBucketName",
    "invoke_function": "InvokeFunctionName",
    "dead_letter_queue_url": "DeadLetterQueueUrl",
    "schedule_group": "ScheduleGroupName",
    "scheduler_role": "SchedulerRoleArn",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A process that knows of nothing, in an empty directory."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SERVERLESS_TASKS_", "DJANGO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = PROJECT.set(None)
    reset()
    yield
    PROJECT.reset(before)
    reset()
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a build needs, on PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sam", "make", "python3.13"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def shop(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as `init` leaves it."""
    directory = tmp_path / "project"
    (directory / "shop").mkdir(parents=True)
    (directory / "manage.py").write_text("")
    (directory / "shop/__init__.py").touch()
    write(directory)
    init_project(directory, stack_name="shop")
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def stack(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """The project's stack, as far as it is looked at."""
    with account():
        config = resources()
        values = {output: getattr(config, name) or "none" for name, output in OUTPUTS.items()}
        values["TaskPauses"] = "true"
        values["QueueUrls"] = json.dumps(dict(config.queue_urls))
        body = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in values.items()},
        }
        cloudformation = boto3.client("cloudformation", region_name="us-east-1")
        for name in ("shop", "another"):
            cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body))
        session.reset()
        yield config


def write(directory: Path, *, timeout: int = 60, queue: str | None = None, schedule: str = "None") -> None:
    (directory / "shop/background.py").write_text(
        TASKS.format(timeout=timeout, queue=queue, schedule=schedule)
    )


def doctor(*words: str, code: int) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["doctor", "--json", *words])
    assert result.exit_code == code, result.stdout + result.stderr
    page: dict[str, Any] = json.loads(result.stdout)
    assert page["errors"] == sum(line["level"] == "error" for line in lines(page))
    return page


def lines(page: dict[str, Any], *sections: str) -> list[dict[str, str]]:
    names = sections or ("project", "environment", "stack")
    return [line for name in names for line in page[name]]


def wrong(page: dict[str, Any], *sections: str) -> list[tuple[str, str]]:
    return [
        (each["level"], each["text"])
        for each in lines(page, *sections)
        if each["level"] in ("warning", "error")
    ]


def cure(page: dict[str, Any], text: str) -> str:
    (found,) = [line["cure"] for line in lines(page) if text in line["text"]]
    return found


def test_where_nothing_is_configured_it_says_what_it_could_not_look_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("AWS was called")

    monkeypatch.setattr(session, "_make", refuse)
    page = doctor(code=0)
    assert wrong(page) == [("warning", "No tasks were found.")]
    unseen = [line["text"] for line in lines(page) if line["level"] == "not seen"]
    assert any("nothing is deployed from here" in text for text in unseen)
    assert any(text.startswith("No stack was looked at") for text in unseen)
    assert cure(page, "No stack was looked at") == "Name one with --stack, or an environment with --env."


def test_the_page_for_people_has_three_sections_and_a_sum() -> None:
    result = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "80"})
    text = result.stdout.splitlines()
    assert [line.strip() for line in text if line[:1].isalnum()] == [
        "Project",
        "Environment",
        "Stack",
        "0 errors, 1 warning, 4 not seen.",
    ]
    assert max(map(len, text)) <= 80


def test_a_project_in_order_has_nothing_wrong(shop: Path, stack: Config) -> None:
    page = doctor(code=0)
    assert wrong(page, "project", "environment") == []
    assert wrong(page, "stack") == [
        ("warning", "This process has no settings of a stack: a site that uses this one needs them.")
    ]
    texts = [line["text"] for line in lines(page)]
    assert "1 task: bill." in texts
    assert "The files that `init` writes are up to date." in texts
    assert "The stack shop is deployed." in texts


def test_what_is_wrong_in_a_project_is_named_with_its_cure(shop: Path, tools: Path) -> None:
    write(shop, timeout=400, queue="mail")
    (shop / "infra/lambda/artefact.py").unlink()
    (tools / "sam").unlink()
    page = doctor("--stack", "none", code=1)
    found = [text for _, text in wrong(page, "project", "environment")]
    assert any("infra/lambda/artefact.py" in text and text.startswith("Out of date") for text in found)
    assert any("names the queue 'mail'" in text for text in found)
    assert any(text.startswith("The worker has 300 seconds") for text in found)
    assert any(text.startswith("sam is not on PATH") for text in found)
    assert "serverless-tasks init" in cure(page, "Out of date")
    assert "--queue mail" in cure(page, "names the queue")
    assert cure(page, "The worker has 300").startswith("Deploy with WorkerTimeout=810")
    assert "pip install aws-sam-cli" in cure(page, "sam is not on PATH")


def test_code_that_cannot_be_loaded_is_an_error_and_prints_nothing_beside_the_page(shop: Path) -> None:
    (shop / "shop/background.py").write_text(
        "from serverless_tasks import Task\nprint('loading')\nraise OSError('disk')\n"
    )
    page = doctor("--stack", "none", code=1)
    ((_, text),) = [each for each in wrong(page, "project") if each[0] == "error"]
    assert "OSError: disk" in text


def test_variables_that_mislead_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVERLESS_TASKS_TABEL", "jobs")
    monkeypatch.setenv("SERVERLESS_TASKS_SECRET_KEY", "of the project's own")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    page = doctor(code=0)
    assert [text for _, text in wrong(page, "environment")] == [
        "Nothing reads the variable SERVERLESS_TASKS_TABEL.",
        "AWS_ENDPOINT_URL is 'http://127.0.0.1:4566': commands talk to that, not to AWS.",
    ]
    assert cure(page, "TABEL") == "Is SERVERLESS_TASKS_TABLE meant?"


def test_a_setting_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVERLESS_TASKS_QUEUE_URLS", "{")
    page = doctor(code=1)
    assert any("SERVERLESS_TASKS_QUEUE_URLS" in text for level, text in wrong(page) if level == "error")


def test_the_region_of_samconfig_is_said_not_to_be_the_sites(shop: Path, stack: Config) -> None:
    said = [each["text"] for each in doctor(code=0)["environment"]]
    assert any(
        "The region is us-east-1: commands of this environment take it from samconfig.toml" in each
        for each in said
    )


def test_a_stack_that_is_not_there(shop: Path, stack: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    page = doctor("--stack", "elsewhere", code=1)
    ((level, text),) = wrong(page, "stack")
    assert (level, text) == (
        "error",
        "There is no stack elsewhere in us-east-1, in the account of these credentials.",
    )
    assert "`aws cloudformation describe-stacks --region us-east-1" in cure(page, "There is no stack")


def test_the_stack_of_an_environment_that_is_not_deployed_yet(shop: Path) -> None:
    with account():
        page = doctor(code=1)
    assert cure(page, "There is no stack shop in us-east-1").startswith(
        "`serverless-tasks deploy --env default` makes it;"
    )


def test_without_a_region_no_stack_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    page = doctor("--stack", "shop", code=1)
    assert [level for level, text in wrong(page) if "AWS_REGION is not set" in text] == ["error"]
    assert page["stack"] == [
        {"level": "not seen", "text": "The stack shop was not looked at: no region is set.", "cure": ""}
    ]
    assert cure(page, "AWS_REGION is not set") == ""


def test_a_region_that_an_environment_lacks_may_stand_in_its_file(
    shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    config = shop / "samconfig.toml"
    config.write_text(re.sub(r"(?m)^region = .*\n", "", config.read_text()))
    assert cure(doctor(code=1), "AWS_REGION is not set") == "Or give it a region in samconfig.toml."


def test_the_settings_of_manage_py_are_loaded(shop: Path) -> None:
    """In a process of its own: Django is set up once in each."""
    (shop / "manage.py").write_text('os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nowhere.settings")')
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    words = [sys.executable, "-m", "serverless_tasks.cli", "doctor", "--json", "--stack", "none"]
    done = subprocess.run(words, cwd=shop, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    said = [text for _, text in wrong(json.loads(done.stdout), "project")]
    assert any("DJANGO_SETTINGS_MODULE is 'nowhere.settings'" in text for text in said)


def test_a_stack_of_somebody_else(stack: Config) -> None:
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    boto3.client("cloudformation", region_name="us-east-1").create_stack(StackName="other", TemplateBody=body)
    page = doctor("--stack", "other", code=1)
    assert "has no output TableName" in wrong(page, "stack")[0][1]


def test_what_differs_from_the_stack_and_what_waits_in_it(
    shop: Path, stack: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shop, schedule='cron("0 6 * * ? *")')
    monkeypatch.setenv("SERVERLESS_TASKS_TABLE", "another")
    monkeypatch.setenv("SERVERLESS_TASKS_QUEUE_URLS", json.dumps(dict(stack.queue_urls)))
    pause_queue(Services(replace(stack, pauses=True)), "low", by="ada", why="moving")
    session.client("sqs").send_message(QueueUrl=stack.dead_letter_queue_url, MessageBody="{}")
    page = doctor(code=1)
    found = {text: level for level, text in wrong(page, "stack")}
    assert any(text.startswith("Settings here are not those of the stack: TABLE, BUCKET") for text in found)
    assert found["The deployed schedules are not those that the tasks declare: bill."] == "error"
    assert found["1 messages are in the dead-letter queue."] == "warning"
    assert any("low" in text and "moving" in text for text in found)
    assert cure(page, "The deployed schedules") == "Run `serverless-tasks schedules sync --env default`."
    assert cure(page, "moving") == "Resume it with `serverless-tasks resume low --env default`."


@pytest.mark.parametrize(
    ("words", "option"),
    [((), "--env default"), (("--env", "prod"), "--env prod"), (("--stack", "another"), "--stack another")],
)
def test_each_command_of_a_cure_names_the_stack_that_was_asked_about(
    shop: Path, stack: Config, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], option: str
) -> None:
    init_project(shop, environment="prod")
    config = shop / "samconfig.toml"
    config.write_text(config.read_text().replace('"shop-prod"', '"another"'))
    write(shop, schedule='cron("0 6 * * ? *")')
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    services = Services(replace(stack, pauses=True))
    pause_queue(services, "low", by="ada", why="moving")
    pause_task(services, "bill", by="ada", why="moving")
    session.client("sqs").send_message(QueueUrl=stack.dead_letter_queue_url, MessageBody="{}")
    page = doctor(*words, code=1)
    commands = re.findall(r"`(serverless-tasks .+?)`", "".join(line["cure"] for line in page["stack"]))
    assert sorted(command.removesuffix(f" {option}") for command in commands) == [
        "serverless-tasks dead-letters list",
        "serverless-tasks outputs",
        "serverless-tasks resume --task bill",
        "serverless-tasks resume low",
        "serverless-tasks schedules sync",
    ]
    assert all(command.endswith(f" {option}") for command in commands)


def test_a_build_for_another_processor_is_made_anew_in_its_environment(shop: Path) -> None:
    init_project(shop, environment="prod")
    built = shop / ".aws-sam/build/WorkerFunction"
    built.mkdir(parents=True)
    (built / MANIFEST).write_text('{"architecture": "arm64"}')
    with account():
        assert cure(doctor(code=1), "The last `sam build`") == "Run `sam build` again."
        page = doctor("--env", "prod", code=1)
    assert cure(page, "The last `sam build`") == "Run `sam build --config-env prod` again."


def test_a_project_without_its_template_says_which_file_is_missing(shop: Path) -> None:
    (shop / "template.yaml").unlink()
    texts = [line["text"] for line in doctor("--stack", "none", code=1)["project"]]
    assert any(text.endswith("has no template.yaml: nothing is deployed from here.") for text in texts)


def test_an_environment_is_looked_at_with_its_own_stack(shop: Path, stack: Config) -> None:
    init_project(shop, environment="prod")
    page = doctor("--env", "prod", code=1)
    ((_, text),) = wrong(page, "stack")
    assert "There is no stack shop-prod" in text
    assert "serverless-tasks deploy --env prod" in cure(page, "There is no stack")


def test_one_look_that_fails_leaves_the_others_alone(
    shop: Path, stack: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.client("dynamodb").delete_table(TableName=stack.table)
    page = doctor(code=0)
    unseen = {line["text"]: line["cure"] for line in page["stack"] if line["level"] == "not seen"}
    assert any(text.startswith("The deployed tasks could not be looked at") for text in unseen)
    assert "dynamodb:GetItem" in str(unseen)
    assert any("3 queues" in line["text"] for line in page["stack"])

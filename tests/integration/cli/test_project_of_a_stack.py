"""Commands find a project's tasks as `dev` does, and delete nothing because they did not."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from serverless_tasks import services
from serverless_tasks.cli.app import app
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.dead_letter import DeadLetter
from serverless_tasks.engine.services import Services, reset
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

SCHEDULED = """
from serverless_tasks import Task, rate
from serverless_tasks.params import IntParameter

class {name}(Task):
    name = "{name}"
    inputs = {{"n": IntParameter(required=False)}}
    schedule = rate(minutes=5)
    unique = True

    def run(self, n=1): ...
"""
_numbers = count()


@dataclass(frozen=True)
class Project:
    """A directory with tasks, and the stack that it is deployed as.

    Attributes:
        directory: the directory.
        package: its package, of a name that no other test's has.
        config: the stack's resources.
        stack: the stack's name.
    """

    directory: Path
    package: str
    config: Config
    stack: str

    def write(self, module: str, *names: str, more: str = "") -> None:
        package = self.directory / self.package
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        text = "\n".join(SCHEDULED.format(name=name) for name in names) + more
        (package / f"{module}.py").write_text(text)

    def deploys(self, *modules: str) -> None:
        named = ",".join(f"{self.package}.{module}" for module in modules)
        (self.directory / "samconfig.toml").write_text(
            f'[default.global.parameters]\nparameter_overrides = ["TaskModules={named}"]\n'
        )

    def call(self, *words: str, code: int = 0) -> Any:
        """Run a command as a process of its own would: nothing is loaded yet."""
        forget(self.package)
        where = ["--stack", self.stack] if words[0] not in ("list", "worker") else []
        environment = {"COLUMNS": "200", "NO_COLOR": "1"}
        result = CliRunner().invoke(app, [*words, *where], env=environment)
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        return result

    def deployed(self) -> list[str]:
        found = session.client("scheduler").list_schedules(GroupName=self.config.schedule_group)["Schedules"]
        return sorted(each["Name"].split("-")[1] for each in found)

    def sent(self) -> list[Any]:
        answer = session.client("sqs").receive_message(QueueUrl=self.config.queue_urls["default"])
        return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


def forget(package: str) -> None:
    reset()
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
        del sys.modules[name]


@pytest.fixture
def project(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The project ``shop`` with two modules of tasks, deployed, in an environment that says nothing of it."""
    for name in [name for name in os.environ if name.startswith(("SERVERLESS_TASKS_", "DJANGO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = Project(tmp_path / "shop", f"shop_{next(_numbers)}", config, f"shop-{uuid4().hex[:8]}")
    made.directory.mkdir()
    monkeypatch.chdir(made.directory)
    made.write("tasks", "Report")
    made.write("more", "Sweep")
    made.deploys("tasks", "more")
    deploy(made.stack, config)
    yield made
    forget(made.package)


def deploy(stack: str, config: Config) -> None:
    outputs = {
        "TableName": config.table,
        "QueueUrls": json.dumps(config.queue_urls),
        "PayloadBucketName": config.bucket,
        "InvokeFunctionName": "invoke",
        "DeadLetterQueueUrl": config.dead_letter_queue_url,
        "ScheduleGroupName": config.schedule_group,
        "SchedulerRoleArn": config.scheduler_role,
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    session.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))


@pytest.fixture
def synced(project: Project) -> Project:
    """The project once its schedules are deployed."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SERVERLESS_TASKS_MODULES", f"{project.package}.tasks,{project.package}.more")
        project.call("schedules", "sync")
    assert project.deployed() == ["Report", "Sweep"]
    return project


@pytest.fixture
def elsewhere(synced: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The stack, seen from a directory that has no project."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(synced.directory)])
    return synced


# -- which tasks there are ---------------------------------------------------------------------------------------


def test_schedules_are_those_of_the_tasks_that_are_deployed(synced: Project) -> None:
    again = synced.call("schedules", "sync", "--json")
    assert [row["action"] for row in json.loads(again.stdout)] == ["keep", "keep"]
    assert again.stderr == ""

    listed = synced.call("schedules", "list", "--json")
    assert [(row["task"], row["in_step"]) for row in json.loads(listed.stdout)] == [
        ("Report", True),
        ("Sweep", True),
    ]


def test_tasks_are_listed(project: Project) -> None:
    tasks = json.loads(project.call("list", "--json").stdout)
    assert [task["name"] for task in tasks] == ["Report", "Sweep"]


def test_modules_that_are_named_take_the_place_of_those_that_are_deployed(project: Project) -> None:
    tasks = json.loads(project.call("list", "--json", "--modules", f"{project.package}.more").stdout)
    assert [task["name"] for task in tasks] == ["Sweep"]
    refused = project.call("list", "--modules", "no_such_module", code=2)
    assert "--modules names 'no_such_module', which cannot be imported" in refused.stderr


def test_the_environment_says_first_which_there_are(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVERLESS_TASKS_MODULES", f"{project.package}.more")
    tasks = json.loads(project.call("list", "--json").stdout)
    assert [task["name"] for task in tasks] == ["Sweep"]


@pytest.mark.parametrize("named", [True, False], ids=["environment", "deployment"])
def test_a_worker_starts_with_them(project: Project, monkeypatch: pytest.MonkeyPatch, named: bool) -> None:
    known: list[str] = []
    if named:  # in a container without Django, say
        monkeypatch.setenv("SERVERLESS_TASKS_MODULES", f"{project.package}.more,{project.package}.tasks")
        with Path("samconfig.toml").open("a") as deployed:
            deployed.write(
                "[default.deploy.parameters]\nparameter_overrides = 'DjangoSettingsModule=no_such'\n"
            )

    def run_worker(*_: Any, **__: Any) -> int:
        known.extend(sorted(task.name for task in services().registry))
        return 0

    monkeypatch.setattr("serverless_tasks.poller.run_worker", run_worker)
    project.call("worker")
    assert known == ["Report", "Sweep"]


@pytest.mark.parametrize("command", ["submit", "run"])
def test_inputs_are_checked_before_anything_is_sent(project: Project, command: str) -> None:
    refused = project.call(command, "Report", "n=many", code=2)
    assert "n" in refused.stderr
    assert project.sent() == []


def test_a_unique_job_is_not_retried_beside_the_one_that_lives(project: Project) -> None:
    first = project.call("submit", "Report").stdout.strip()
    project.call("cancel", first)
    live = project.call("submit", "Report").stdout.strip()

    assert project.call("retry", first).stdout.strip() == live


def test_a_dead_letter_that_the_code_refuses_stays(project: Project) -> None:
    message = a_message(FakeClock(), task="Report", inputs={"n": "many"})
    letter = DeadLetter(
        id=f"jobs/{message.uuid}", reason="it never ended", task="Report", queue=message.queue
    )
    Services(project.config).dead_letter_store.keep(letter, message.encode())

    assert "n" in project.call("dead-letters", "retry", message.uuid, code=1).stderr
    assert project.sent() == []


def test_code_that_a_command_can_do_without_is_only_said(project: Project) -> None:
    project.write("more", more="import no_such_library\n")

    sent = project.call("submit", "Sweep", "n=many")

    assert "Not all tasks that samconfig.toml deploys are known here" in sent.stderr
    assert "no_such_library" in sent.stderr
    assert [message["task"] for message in project.sent()] == ["Sweep"]


@pytest.mark.parametrize(
    "words", [("status", "UUID"), ("explain", "UUID"), ("cancel", "UUID"), ("dead-letters", "list")]
)
def test_a_command_that_needs_no_code_loads_none(project: Project, words: tuple[str, ...]) -> None:
    uuid = project.call("submit", "Report").stdout.strip()
    project.write("tasks", more="raise SystemExit('loaded')\n")
    project.call(*(uuid if word == "UUID" else word for word in words))


# -- what is deleted ---------------------------------------------------------------------------------------------

every_way = pytest.mark.parametrize(
    "words", [(), ("--yes",), ("--dry-run",), ("--json",), ("--yes", "--json")]
)


@every_way
def test_where_no_task_was_loaded_nothing_is_deleted(elsewhere: Project, words: tuple[str, ...]) -> None:
    refused = elsewhere.call("schedules", "sync", *words, code=2)

    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("No tasks were found: run this in the project's directory")
    assert elsewhere.deployed() == ["Report", "Sweep"]


def test_where_no_task_was_loaded_the_list_says_so(elsewhere: Project) -> None:
    listed = elsewhere.call("schedules", "list")

    assert "Report" in listed.stdout
    assert "No tasks were found" in listed.stderr
    assert "sync" not in listed.stderr
    assert "No tasks were found" in elsewhere.call("list", code=2).stderr


@every_way
@pytest.mark.parametrize(
    "broken", ["1 / 0", "import no_such_library", "from serverless_tasks import Nothing", None]
)
def test_where_a_module_cannot_be_loaded_nothing_is_deleted(
    synced: Project, words: tuple[str, ...], broken: str | None
) -> None:
    if broken is None:
        synced.deploys("tasks", "gone")
    else:
        synced.write("more", more=f"{broken}\n")

    synced.call("schedules", "sync", *words, code=2)

    assert synced.deployed() == ["Report", "Sweep"]


@every_way
def test_where_a_module_that_the_environment_names_cannot_be_loaded_nothing_is_deleted(
    synced: Project, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SERVERLESS_TASKS_MODULES", f"{synced.package}.tasks,{synced.package}.gone")
    synced.call("schedules", "sync", *words, code=2)
    assert synced.deployed() == ["Report", "Sweep"]


def test_where_only_some_modules_were_loaded_those_of_the_others_stay(
    synced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVERLESS_TASKS_MODULES", f"{synced.package}.tasks")

    refused = synced.call("schedules", "sync", code=2)

    assert f"{synced.package}.more, which samconfig.toml deploys, was not loaded" in refused.stderr
    assert synced.deployed() == ["Report", "Sweep"]
    synced.call("schedules", "sync", "--yes")
    assert synced.deployed() == ["Report"]


def test_one_that_its_own_task_no_longer_declares_goes_even_then(
    synced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.write("tasks", "Report", more="    schedule = None\n")
    synced.write("more", "Sweep", "Third")
    synced.deploys("tasks", "more", "third")
    monkeypatch.setenv("SERVERLESS_TASKS_MODULES", f"{synced.package}.tasks,{synced.package}.more")

    synced.call("schedules", "sync")

    assert synced.deployed() == ["Sweep", "Third"]


def test_those_of_another_project_stay(elsewhere: Project) -> None:
    Path("other.py").write_text(SCHEDULED.format(name="Other"))
    Path("samconfig.toml").write_text(
        '[default.deploy.parameters]\nparameter_overrides = "TaskModules=other"\n'
    )

    refused = elsewhere.call("schedules", "sync", code=2)

    assert "To delete: Report, rate(5 minutes) UTC\nTo delete: Sweep" in refused.stderr
    assert "all schedules that are deployed (2) would be deleted" in refused.stderr
    assert elsewhere.deployed() == ["Report", "Sweep"]


def test_all_of_them_go_only_where_that_is_meant(synced: Project) -> None:
    for module, name in (("tasks", "Report"), ("more", "Sweep")):
        synced.write(module, name, more="    schedule = None\n")

    told = synced.call("schedules", "sync", "--dry-run")
    assert "To delete: Report" in told.stderr
    assert "0 to create, 0 to update, 2 to delete" in told.stderr
    error = json.loads(synced.call("schedules", "sync", "--json", code=2).stdout)["error"]
    assert error["type"] == "ConfigurationError"
    assert "pass --yes" in error["message"]
    assert synced.deployed() == ["Report", "Sweep"]

    done = json.loads(synced.call("schedules", "sync", "--yes", "--json").stdout)
    assert [row["action"] for row in done] == ["delete", "delete"]
    assert synced.deployed() == []
    synced.call("schedules", "sync")


def test_what_goes_is_said_before(synced: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    synced.write("more", "Sweep", more="    schedule = None\n")
    monkeypatch.setattr("serverless_tasks.engine.aws.scheduler.recurring.ScheduleGroup.delete", fail)

    assert "To delete: Sweep, rate(5 minutes) UTC\n" in synced.call("schedules", "sync", code=130).stderr


def test_one_of_several_goes_without_further_words(synced: Project) -> None:
    synced.write("more")
    synced.call("schedules", "sync", "--json")
    assert synced.deployed() == ["Report"]

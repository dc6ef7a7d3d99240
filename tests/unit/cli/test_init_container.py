"""`serverless-tasks init --container`: the files of a container's worker, and what is remembered of it."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.init import Action, Project
from serverless_tasks.project.worker_time import LONG, worker_times_advice
from tests.support.init import init_project

FILES = {
    "infra/container/template.yaml",
    "infra/container/samconfig.toml",
    "infra/container/Dockerfile",
    "infra/container/Dockerfile.dockerignore",
    "infra/container/requirements.txt",
}
TASKS = """
from serverless_tasks import Task

class Quick(Task):
    def run(self): ...

class Nightly(Task):
    queue = "long"
    timeout = 7200
    def run(self): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "shop"
    (project / "orders").mkdir(parents=True)
    (project / "manage.py").write_text("")
    (project / "orders/__init__.py").touch()
    (project / "orders/background.py").write_text(TASKS)
    return project


def actions(project: Path, *, container: bool | None = None) -> dict[str, Action]:
    return {path.as_posix(): action for path, action in init_project(project, container=container)}


def parameters(project: Path, path: str, command: str) -> list[str]:
    config = tomllib.loads((project / path).read_text())
    found: list[str] = config["default"][command]["parameters"]["parameter_overrides"]
    return found


def test_a_container_is_written_only_where_it_is_asked_for(project: Path) -> None:
    assert not FILES & set(actions(project))
    assert not (project / "infra/container").exists()
    assert parameters(project, "samconfig.toml", "global") == ["TaskModules=orders.background"]


def test_its_files_are_written_and_the_functions_stack_gets_its_queue(project: Path) -> None:
    written = actions(project, container=True)
    assert {path: action for path, action in written.items() if path in FILES} == dict.fromkeys(
        FILES, Action.CREATED
    )
    assert parameters(project, "samconfig.toml", "global") == [
        "TaskModules=orders.background",
        "LongWork=true",
    ]
    container = tomllib.loads((project / "infra/container/samconfig.toml").read_text())
    assert container["default"]["deploy"]["parameters"]["stack_name"] == "shop-container"
    assert parameters(project, "infra/container/samconfig.toml", "deploy") == [
        "StackName=shop",
        "TaskModules=orders.background",
    ]


def test_later_runs_keep_it_until_they_are_told_not_to(project: Path) -> None:
    actions(project, container=True)
    assert json.loads((project / "infra/lambda/.generated.json").read_text())["options"]["container"] is True
    assert {actions(project)[path] for path in FILES} == {Action.UNCHANGED}
    assert not FILES & set(actions(project, container=False))
    assert not FILES & set(actions(project))
    assert (project / "infra/container/Dockerfile").exists()


def test_an_edited_file_is_kept(project: Path) -> None:
    actions(project, container=True)
    dockerfile = project / "infra/container/Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "# mine\n")
    assert actions(project)["infra/container/Dockerfile"] is Action.KEPT
    assert dockerfile.read_text().endswith("# mine\n")


def test_options_of_a_version_before_are_read(project: Path) -> None:
    actions(project)
    state = project / "infra/lambda/.generated.json"
    held = json.loads(state.read_text())
    del held["options"]["container"]
    state.write_text(json.dumps(held))
    assert not FILES & set(actions(project))


def test_the_command_has_it_as_an_option(project: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(project), "--container", "--json"])
    assert result.exit_code == 0, result.output
    assert {each["path"] for each in json.loads(result.stdout)} >= FILES


def test_a_function_needs_no_time_for_the_tasks_of_a_container(project: Path) -> None:
    tasks = Project.read(project).tasks
    assert {queue for _, _, queue in tasks} == {None, LONG}
    assert worker_times_advice(125, tasks, project) == []
    assert len(worker_times_advice(124, tasks, project)) == 1

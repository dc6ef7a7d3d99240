"""The end of `serverless-tasks init`: what comes next, and what is missing for it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.init import next_steps
from serverless_tasks.project.sam import missing_tools
from tests.support.init import init_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "manage.py").write_text("")
    init_project(tmp_path)
    return tmp_path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts these tools on PATH, and nothing else."""
    monkeypatch.delenv("BUILD_PYTHON", raising=False)

    def put(*tools: str) -> None:
        directory = tmp_path / "bin"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for tool in tools:
            (directory / tool).write_text("#!/bin/sh\n")
            (directory / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(directory))

    return put


def with_runtime(project: Path, runtime: str) -> None:
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("Runtime: python3.13", f"Runtime: {runtime}"))


def test_each_tool_that_is_missing_is_named_with_what_provides_it(
    project: Path, on_path: Callable[..., None]
) -> None:
    with_runtime(project, "python3.99")
    on_path("make")
    said = missing_tools(project)
    assert [sentence.split(" ")[0] for sentence in said] == ["sam", "python3.99"]
    assert "pip install aws-sam-cli" in said[0]
    on_path("make", "sam", "python3.99")
    assert missing_tools(project) == []


def test_a_name_that_runs_another_python_does_not_count(project: Path, on_path: Callable[..., None]) -> None:
    with_runtime(project, "python3.99")
    on_path("make", "sam")
    shim = Path(os.environ["PATH"]) / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    [said] = missing_tools(project)
    assert said.startswith("python3.99 is not on PATH")


def test_a_container_needs_a_builder_of_images(project: Path, on_path: Callable[..., None]) -> None:
    with_runtime(project, "python3.99")
    on_path("make", "sam", "python3.99")
    [said] = missing_tools(project, container=True)
    assert said.startswith("docker is not on PATH")


def test_the_commands_that_follow_are_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert next_steps(project, container=False)[0].startswith(f"in {project}: serverless-tasks deploy (")
    monkeypatch.chdir(project)
    [only] = next_steps(project, container=False)
    assert only.startswith("serverless-tasks deploy (")
    assert next_steps(project, container=False, environment="prod")[0].startswith(
        "serverless-tasks deploy --env prod ("
    )
    assert "docs/containers.md" in next_steps(project, container=True)[-1]


def test_init_ends_with_both(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", str(project))
    result = CliRunner().invoke(app, ["init"])
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert "Missing: make is not on PATH" in text
    assert text.endswith("Next: serverless-tasks deploy (which runs sam build and sam deploy).")


def test_a_program_that_reads_json_gets_nothing_beside_the_list(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project))
    result = CliRunner().invoke(app, ["init", str(project), "--json"])
    assert [each["action"] for each in json.loads(result.stdout)] == ["unchanged"] * 8
    assert "Missing: sam" in result.stderr
    assert "Next:" not in result.output


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_package_that_no_index_had_is_told_where_the_functions_want_it_from_there(
    project: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    def read_text(_: object, name: str) -> str | None:
        return '{"url": "file:///src/tasks", "dir_info": {}}' if name == "direct_url.json" else None

    monkeypatch.setattr("importlib.metadata.PathDistribution.read_text", read_text)
    monkeypatch.setattr("importlib.metadata.version", lambda _: "1.2")
    if elsewhere:
        init_project(project, requirement="./serverless_tasks-1.2-py3-none-any.whl[lambda]")
    done = CliRunner().invoke(app, ["init", str(project)], env={"COLUMNS": "500"})
    assert done.exit_code == 0, done.output
    assert ("installed from file:///src/tasks here" in done.stderr) is not elsewhere


def test_a_wheel_in_the_project_is_named_for_the_functions(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "serverless_tasks-1.2-py3-none-any.whl"
    address = json.dumps({"url": (project.resolve() / "wheels" / name).as_uri(), "archive_info": {}})
    monkeypatch.setattr(
        "importlib.metadata.PathDistribution.read_text",
        lambda _, file: address if file == "direct_url.json" else None,
    )
    monkeypatch.setattr("importlib.metadata.version", lambda _: "1.2")
    done = CliRunner().invoke(app, ["init", str(project)], env={"COLUMNS": "500"})
    assert done.exit_code == 0, done.output
    assert (
        f"run `serverless-tasks init --requirement './wheels/{name}[lambda]'` before you deploy"
        in done.stderr
    )


def test_a_project_without_tasks_is_told(project: Path) -> None:
    said = CliRunner().invoke(app, ["init", str(project)], env={"COLUMNS": "500"}).stderr
    assert "No tasks were found, in no background.py and no tasks.py" in said
    (project / "tasks.py").write_text("from serverless_tasks import Task\n")
    said = CliRunner().invoke(app, ["init", str(project)], env={"COLUMNS": "500"}).stderr
    assert "No tasks were found" not in said

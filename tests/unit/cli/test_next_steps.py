"""The end of `serverless-tasks init`: what comes next, and what is missing for it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.init import init_project, missing_tools, next_steps


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "manage.py").write_text("")
    init_project(tmp_path)
    return tmp_path


def path_of(*tools: str) -> dict[str, str]:
    return {tool: f"/usr/bin/{tool}" for tool in tools}


def test_each_tool_that_is_missing_is_named_with_what_provides_it(project: Path) -> None:
    said = missing_tools(project, container=False, which=path_of("make").get)
    assert [sentence.split(" ")[0] for sentence in said] == ["python3.13", "sam"]
    assert "pip install aws-sam-cli" in said[1]
    assert missing_tools(project, container=False, which=path_of("make", "sam", "python3.13").get) == []


def test_the_python_is_that_of_the_template(project: Path) -> None:
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("Runtime: python3.13", "Runtime: python3.14"))
    [said] = missing_tools(project, container=False, which=path_of("make", "sam", "python3.13").get)
    assert said.startswith("python3.14 is not on PATH")


def test_a_container_needs_a_builder_of_images(project: Path) -> None:
    which = path_of("make", "sam", "python3.13").get
    [said] = missing_tools(project, container=True, which=which)
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

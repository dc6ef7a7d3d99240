"""What `make dist` builds can be installed by anyone, and README's quick start works with it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import matrix
from infra.release import changelog, dist, urls
from infra.release.version import version
from tests.support import release
from tests.support.clock import until

ROOT = release.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = ROOT / ".github/workflows"
CONFIGURED = "from django.conf import settings; settings.configure()"
# What each extra brings, as code that needs it.
EXTRAS = {
    "cli": "import serverless_tasks.cli.app",
    "django": f"{CONFIGURED}; import ninja, django_integration",
    "drf": "import rest_framework",
    "google": "import google.cloud.tasks",
    "lambda": "import aws_lambda_powertools, lambda_handlers",
    "local": "import serverless_tasks.local.dev, lambda_handlers.worker",
    "oidc": "import jwt, cryptography",
    "otel": "import serverless_tasks.engine.tracing",
    "all": f"{CONFIGURED}; import rest_framework, jwt, google.cloud.tasks, opentelemetry, moto, ninja",
}
TASK = """
from serverless_tasks import Task

class Double(Task):
    name = "double"
    def run(self):
        return 42

assert Double().run() == 42
"""
SCRIPT = """
import tasks from 'serverless-tasks-client'
tasks.options.baseURL = process.argv[2]
const seen = []
const { outputs } = await tasks.run('sum', { numbers: [20, 22] }, ({ status }) => seen.push(status))
console.log(JSON.stringify({ outputs, seen }))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The npm package that would be released."""
    if shutil.which("npm") is None or not (dist.CLIENT / "node_modules").exists():
        pytest.skip("npm, or the client's packages, are lacking: `make setup` installs them")
    return dist.build_npm(tmp_path_factory.mktemp("npm"))


def test_the_tools_of_both_indexes_have_nothing_to_say(sdist: Path, wheel: Path, package: Path) -> None:
    if not dist.TOOLS.exists() or not dist.PUBLINT.exists():
        pytest.skip("twine, check-wheel-contents or publint is lacking: `make setup` installs them")
    assert dist.problems([sdist, wheel, package]) == []


def test_what_the_tools_find_is_told(tmp_path: Path) -> None:
    if not dist.TOOLS.exists():
        pytest.skip("check-wheel-contents is lacking: `make setup` installs it")
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr(
            "broken-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n"
        )
    assert "check-wheel-contents" in {said.partition(":")[0] for said in dist.problems([broken])}


def test_the_version_is_said_in_one_place(wheel: Path, sdist: Path, package: Path) -> None:
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/package.json")
        assert member is not None
        assert json.load(member)["version"] == version() == PROJECT["version"]
    assert [path.name.split("-")[1].removesuffix(".tar.gz") for path in (wheel, sdist)] == [version()] * 2
    committed = json.loads((dist.CLIENT / "package.json").read_text())
    assert committed["version"] == "0.0.0", (
        "pyproject.toml has the version, and `make dist` gives it to the package"
    )


def test_no_release_is_built_without_the_heading_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(target: Path) -> Any:
        raise AssertionError("it was built")

    monkeypatch.setattr(dist, "build_python", refuse)
    monkeypatch.setattr(changelog, "read", lambda: "## Unreleased\n\n- One thing.\n")
    assert dist.main(["--release", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"{version()} is to be released, and the first heading of CHANGELOG.md is 'Unreleased'" in said
    assert said.endswith("Nothing was built.\n")


def test_a_build_that_fails_says_why_and_leaves_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = "print('no compiler'); raise SystemExit(3)"
    monkeypatch.setattr(dist, "build_python", lambda target: dist._run(sys.executable, "-c", fails))
    for name in ("earlier-1.0-py3-none-any.whl", "notes.txt"):
        (tmp_path / name).touch()
    assert dist.main(["--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "no compiler" in said
    assert "ended with code 3" in said
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_wheel_says_what_it_is_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_string(archive.read(name).decode())
    classifiers = metadata.get_all("Classifier")
    assert classifiers is not None
    assert {f"Programming Language :: Python :: {version}" for version in matrix.PYTHONS} <= set(classifiers)
    assert {f"Framework :: Django :: {version}" for version in matrix.DJANGOS} <= set(classifiers)
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra") or ()) == set(EXTRAS)


def test_links_come_with_the_release_and_name_nobody_elses_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def links() -> Any:
        metadata: dict[str, Any] = {}
        urls.Urls(str(ROOT), {}).update(metadata)
        return metadata["urls"]

    monkeypatch.delenv(urls.REPOSITORY, raising=False)
    assert links() == {}
    monkeypatch.setenv(urls.REPOSITORY, "https://code.example/tasks/")
    assert links()["Issues"] == "https://code.example/tasks/issues"
    assert dist.REPOSITORY == urls.REPOSITORY


def test_the_description_leads_to_the_repository_or_nowhere(wheel: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"!\[[^\]]+\]\(docs/pictures/", readme)
    relative = re.compile(r"\]\((?!https?://|#)")

    published = urls.description(readme, "https://code.example/tasks")
    assert not relative.search(published)
    assert "](https://code.example/tasks/raw/main/docs/pictures/" in published
    assert "[docs/tasks.md](https://code.example/tasks/blob/main/docs/tasks.md)" in published

    elsewhere = urls.description(readme, "")
    assert not relative.search(elsewhere)
    assert "![" not in elsewhere
    assert "docs/tasks.md" in elsewhere

    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_string(archive.read(name).decode())
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == urls.description(readme, os.environ.get(urls.REPOSITORY, ""))


def test_code_in_the_description_stays_as_it_is() -> None:
    readme = "a [b](c.md)\n\n![d](e.png)\n\nf\n\n    [g](h)\n\n```\n![i](j)\n```\n[k](https://l.example/) [m](#n)\n"
    assert urls.description(readme, "") == (
        "a b\n\nf\n\n    [g](h)\n\n```\n![i](j)\n```\n[k](https://l.example/) [m](#n)\n"
    )
    assert urls.description(readme, "https://code.example") == (
        "a [b](https://code.example/blob/main/c.md)\n\n![d](https://code.example/raw/main/e.png)\n\nf\n\n"
        "    [g](h)\n\n```\n![i](j)\n```\n[k](https://l.example/) [m](#n)\n"
    )


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extra_brings_what_it_is_for(uv: str, wheel: Path, tmp_path: Path, extra: str) -> None:
    commands = release.installed(tmp_path, f"{wheel}[{extra}]")
    release.run(commands / "python", "-I", "-c", f"{TASK}\n{EXTRAS[extra]}", cwd=tmp_path)


def test_the_sdist_installs_what_the_wheel_has(uv: str, sdist: Path, wheel: Path, tmp_path: Path) -> None:
    commands = release.installed(tmp_path, f"{sdist}[django]")
    (record,) = (commands.parent / "lib").glob("*/site-packages/serverless_tasks-*.dist-info/RECORD")
    installed = {row.split(",")[0] for row in record.read_text().splitlines()}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} - installed == set()
    release.run(commands / "python", "-I", "-c", TASK, cwd=tmp_path)


def test_the_quick_start(uv: str, wheel: Path, package: Path, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    (extras,) = re.findall(r"pip install 'serverless-tasks(\[.+?\]) @ file:", readme)
    commands = release.installed(tmp_path, f"serverless-tasks{extras} @ file://{wheel}")
    project = release.quick_start(tmp_path, commands)
    said = release.run(commands / "serverless-tasks", "init", cwd=project, environment=environment(commands))
    assert "template.yaml" in said
    with site(project, commands) as address:
        record = call(f"{address}/tasks/", {"task": "sum", "inputs": {"numbers": [1, 2]}})
        until(lambda: call(f"{address}/tasks/{record['uuid']}/")["status"] == "succeeded", 60)
        ended = call(f"{address}/tasks/{record['uuid']}/")
        assert (ended["outputs"], ended["progress"], ended["target"]) == ({"sum": 3}, 2, 2)
        page = urllib.request.urlopen(f"{address}/tasks/{record['uuid']}/view/").read().decode()
        assert record["uuid"] in page
        run_in_node(package, tmp_path, address)


def run_in_node(package: Path, folder: Path, address: str) -> None:
    """The npm package, installed in a project of its own, runs the same task."""
    client = folder / "client"
    client.mkdir()
    (client / "package.json").write_text('{"private": true, "type": "module"}')
    (client / "page.mjs").write_text(SCRIPT)
    options = ("--no-audit", "--no-fund", "--offline", "--loglevel=error")
    release.run("npm", "install", *options, package, cwd=client)
    required = "if (typeof require('serverless-tasks-client').run !== 'function') process.exit(1)"
    release.run("node", "--input-type=commonjs", "--eval", required, cwd=client)
    told = json.loads(release.run("node", "page.mjs", f"{address}/tasks/", cwd=client))
    assert told["outputs"] == {"sum": 42}
    assert told["seen"]


def environment(commands: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "SERVERLESS_", "DJANGO_"))
    }
    return {**kept, "PATH": f"{commands}{os.pathsep}{kept['PATH']}"}


@contextmanager
def site(project: Path, commands: Path) -> Iterator[str]:
    """`serverless-tasks dev --django`, until the test is over."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    words = [
        commands / "serverless-tasks",
        "dev",
        "--django",
        "--address",
        f"127.0.0.1:{port}",
        "--no-reload",
        "--port",
        "0",
    ]
    log = project.parent / "dev.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            words, cwd=project, env=environment(commands), stdout=output, stderr=output
        )
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: process.poll() is not None or answers(address), 60)
        assert process.poll() is None, log.read_text()
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def answers(address: str) -> bool:
    try:
        call(f"{address}/tasks/openapi.json")
    except OSError:
        return False
    return True


def call(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)


def test_the_workflow_tests_what_is_supported() -> None:
    workflow = yaml.safe_load((WORKFLOWS / "test.yml").read_text())
    tested = workflow["jobs"]["matrix"]["strategy"]["matrix"]
    assert tuple(tested["python"]) == matrix.PYTHONS
    assert tuple(tested["django"]) == matrix.DJANGOS
    for django in matrix.DJANGOS:
        pins = (ROOT / f"requirements/django-{django}.txt").read_text()
        assert f"\ndjango=={django}." in pins


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_a_workflow_has_no_right_that_it_does_not_name_and_runs_targets_that_exist(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    assert all(job["permissions"] and job["timeout-minutes"] for job in workflow["jobs"].values())
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = set(re.findall(r"\bmake ([a-z-]+)", path.read_text()))
    assert called <= targets


def test_publishing_keeps_no_token() -> None:
    text = (WORKFLOWS / "publish.yml").read_text()
    assert "secrets." not in text
    jobs = yaml.safe_load(text)["jobs"]
    assert {name for name, job in jobs.items() if "id-token" in job["permissions"]} == {"pypi", "npm"}

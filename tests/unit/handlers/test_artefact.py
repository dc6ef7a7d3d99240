"""What the build says of itself: its processor, and plain variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_handlers.artefact import BUILD, MANIFEST, WrongArchitecture, use_artefact

HERE = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
ELSEWHERE = {"arm64": "x86_64", "x86_64": "arm64"}[HERE]
ROOT = Path(__file__).parents[3]


def built(directory: Path, architecture: str = HERE, **environment: str) -> None:
    manifest = {"architecture": architecture, "environment": environment}
    (directory / MANIFEST).write_text(json.dumps(manifest))


def test_its_variables_are_set_and_those_of_the_function_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_HOST", "of the function")
    monkeypatch.delenv("TESTS_PORT", raising=False)
    built(tmp_path, TESTS_HOST="of the build", TESTS_PORT="25")
    use_artefact(tmp_path)
    assert (os.environ["TESTS_HOST"], os.environ["TESTS_PORT"]) == ("of the function", "25")
    del os.environ["TESTS_PORT"]


def test_a_checkout_has_none(tmp_path: Path) -> None:
    use_artefact(tmp_path)
    assert not (ROOT / MANIFEST).exists()


def test_code_for_another_processor_is_refused_before_anything_of_it_is_imported(tmp_path: Path) -> None:
    built(tmp_path, ELSEWHERE)
    with pytest.raises(WrongArchitecture, match=f"built for {ELSEWHERE}, and this function runs on {HERE}"):
        use_artefact(tmp_path)
    for package in ("serverless_tasks", "pydantic"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise ImportError('of another processor')")
    copied = tmp_path / "copy"
    (copied / "lambda_handlers").mkdir(parents=True)
    for source in (ROOT / "lambda_handlers").glob("*.py"):
        (copied / "lambda_handlers" / source.name).write_bytes(source.read_bytes())
    built(copied, ELSEWHERE)
    for handler in ("worker", "invoke", "status", "dead_letter"):
        done = subprocess.run(
            [sys.executable, "-c", f"import lambda_handlers.{handler}"],
            cwd=copied,
            env={**os.environ, "PYTHONPATH": f"{copied}:{tmp_path}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"WrongArchitecture: The code is built for {ELSEWHERE}" in done.stderr.splitlines()[-1], (
            handler
        )


def test_variables_are_there_before_the_settings_of_the_tasks(tmp_path: Path) -> None:
    (tmp_path / "lambda_handlers").mkdir()
    for source in (ROOT / "lambda_handlers").glob("*.py"):
        (tmp_path / "lambda_handlers" / source.name).write_bytes(source.read_bytes())
    (tmp_path / "shop_tasks.py").write_text(
        "import os\nfrom serverless_tasks import Task\n"
        "class Send(Task):\n    name = os.environ['TESTS_NAME']\n    inputs = outputs = {}\n    def run(self): ...\n"
    )
    built(tmp_path, TESTS_NAME="send-mail")
    script = (
        "import lambda_handlers.worker as worker; print(*[task.name for task in worker.ready().registry])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path}:{ROOT}",
            "AWS_REGION": "us-east-1",
            "SERVERLESS_TASKS_TABLE": "jobs",
            "SERVERLESS_TASKS_MODULES": "shop_tasks",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["send-mail"], done.stderr


def test_the_build_is_set_unless_the_function_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = {"architecture": HERE, "environment": {}, "build": "0123456789ab"}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    monkeypatch.setenv(BUILD, "of the function")
    use_artefact(tmp_path)
    assert os.environ[BUILD] == "of the function"
    monkeypatch.delenv(BUILD)
    use_artefact(tmp_path)
    assert os.environ.pop(BUILD) == "0123456789ab"


def test_an_artefact_of_the_version_before_has_no_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(BUILD, raising=False)
    built(tmp_path)
    use_artefact(tmp_path)
    assert BUILD not in os.environ

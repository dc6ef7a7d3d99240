"""A deployment's secrets on a laptop, and in a container's worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from serverless_tasks import TaskClient
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import configure, reset
from serverless_tasks.local.aws.client import local_client
from serverless_tasks.local.in_process import local_stack
from serverless_tasks.local.processes.code import code_environment
from serverless_tasks.poller import run_worker
from tests.support.template import EVERY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.local.aws.stack import LocalStack

ROOT = Path(__file__).parents[3]
PATIENCE = 60
ABSENT = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:real-AbCdEf"

SETTINGS_AND_TASKS = """
import os
from serverless_tasks import Task
from serverless_tasks.params import StringParameter

URL = os.environ["TESTS_URL"]

class Tell(Task):
    name = "tell"
    inputs = {}
    outputs = {"url": StringParameter()}

    def run(self):
        return URL
"""


def deployed(secrets: str) -> dict[str, str]:
    return {"SecretReferences": secrets, "SecretArns": "arn:aws:ssm:us-east-1:123456789012:parameter/*"}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    (tmp_path / "secret_tasks.py").write_text(SETTINGS_AND_TASKS)
    monkeypatch.delenv("TESTS_URL", raising=False)
    parameters = deployed(f"TESTS_URL=/shop/url,HERE={ABSENT}:key,ELSEWHERE={ABSENT}")
    with local_stack(ROOT / "template.yaml", modules=["secret_tasks"], parameters=parameters) as made:
        configure()
        yield made
    reset()


def test_a_stack_with_every_parameter_is_made_locally() -> None:
    with local_stack(ROOT / "template.yaml", parameters=EVERY) as stack:
        assert set(stack.queue_urls) == {"high", "default", "low", "long"}
        assert stack.environment["SERVERLESS_TASKS_SECRETS"] == EVERY["SecretReferences"]


def test_dev_takes_the_developers_own_value_else_the_stand_ins_and_never_asks_aws(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_client("ssm", stack.endpoint).put_parameter(Name="/shop/url", Value="sqlite:", Type="SecureString")
    monkeypatch.setenv("HERE", "mine")
    told: list[str] = []
    environment = code_environment(stack, None, told.append)
    assert environment["SERVERLESS_TASKS_SECRETS"] == "TESTS_URL=/shop/url"
    assert environment["HERE"] == "mine"
    assert "SERVERLESS_TASKS_SECRETS_MAX_AGE" not in environment
    assert told == [
        "The secret ELSEWHERE is not known here, and AWS is not asked: set the variable ELSEWHERE."
    ]


def test_where_none_is_left_handlers_have_nothing_to_read(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TESTS_URL", "HERE", "ELSEWHERE"):
        monkeypatch.setenv(name, "mine")
    environment = code_environment(stack, None, pytest.fail)
    assert not [name for name in environment if name.startswith("SERVERLESS_TASKS_SECRET")]


def test_a_container_reads_them_before_its_tasks(stack: LocalStack, tmp_path: Path) -> None:
    local_client("ssm", stack.endpoint).put_parameter(Name="/shop/url", Value="first", Type="SecureString")
    configure(replace(Config.from_environ(), modules=()))
    handle = TaskClient().submit("tell")
    worker = subprocess.Popen(
        [sys.executable, "-m", "serverless_tasks.cli", "worker", "default", "--json"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{tmp_path}",
            "SERVERLESS_TASKS_SECRETS": "TESTS_URL=/shop/url",
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        handle.wait(PATIENCE)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0
    finally:
        worker.kill()
        worker.wait()
    assert handle.outputs == {"url": "first"}


def test_a_container_ends_when_they_are_old(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its orchestrator starts it again."""
    monkeypatch.setattr("serverless_tasks.poller.worker.seconds_left", lambda: 0.0)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "worker")
    with caplog.at_level("INFO"):
        assert run_worker(["default"], handler="json.dumps", config=Config.from_environ()) == 0
    assert "The secrets are as old as they may be" in caplog.text


def test_a_container_whose_secrets_cannot_be_read_does_not_start(stack: LocalStack, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
        "SERVERLESS_TASKS_SECRETS": f"TESTS_URL={ABSENT}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "serverless_tasks.cli", "worker", "default"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert f"The secret for the variable TESTS_URL cannot be read: {ABSENT}" in " ".join(done.stderr.split())

"""`serverless-tasks dev`: code in child processes that come and go, state in a parent that stays."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from serverless_tasks.local.environment import local_environment
from serverless_tasks.local.server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PATIENCE = 60

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 360}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: dev_work.handler
      Runtime: python3.13
      CodeUri: .
      Timeout: 60
      Events: {Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 1}}}
  Invoke:
    Type: AWS::Serverless::Function
    Properties: {Handler: dev_work.version, Runtime: python3.13, CodeUri: .}
Outputs:
  QueueUrls: {Value: !Sub '{"default": "${Jobs}"}'}
  InvokeFunctionName: {Value: !Ref Invoke}
"""

HANDLERS = """
import os, threading

VERSION = 1

def handler(event, context):
    for record in event["Records"]:
        print("handled", record["body"], "by version", VERSION, "in", os.getpid(), flush=True)
        if record["body"] == "die":
            os._exit(9)
        if record["body"] == "hang":
            threading.Event().wait()

def version(event, context):
    return VERSION
"""

MANAGE = """
import os, sys, threading
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "somewhere.settings")
print("site", *sys.argv[1:], "at", os.environ["AWS_ENDPOINT_URL"], "in", os.getpid(), flush=True)
threading.Event().wait()
"""

RUN = """
from serverless_tasks.local.dev import run_dev
run_dev(port={port}, django={django}, address={address!r}, grace=0.2, parameters={parameters})
"""


class Dev:
    """A running `dev`, its output and its queue."""

    def __init__(
        self,
        directory: Path,
        *,
        django: bool = False,
        address: str | None = None,
        parameters: dict[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.address = address or f"127.0.0.1:{free_port()}"
        run = RUN.format(port=self.port, django=django, address=self.address, parameters=parameters)
        self.process = subprocess.Popen(
            [sys.executable, "-c", run],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), "AWS_PROFILE": "no-such-profile"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, text: str, seconds: float = PATIENCE) -> str:
        """Wait for a line of output with a text."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                line = self._queue.get(timeout=left)
            except Empty:
                break
            if line is None:
                break
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} never came; the output was:\n{''.join(self.lines)}")

    def save(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=f"http://127.0.0.1:{self.port}")

    @property
    def outputs(self) -> dict[str, str]:
        stack = self.client("cloudformation").describe_stacks(StackName="local")["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def send(self, body: str) -> None:
        url = json.loads(self.outputs["QueueUrls"])["default"]
        self.client("sqs").send_message(QueueUrl=url, MessageBody=body)

    def invoke(self) -> Any:
        answer = self.client("lambda").invoke(FunctionName=self.outputs["InvokeFunctionName"])
        return json.loads(answer["Payload"].read())

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "dev_work.py").write_text(HANDLERS)
    (tmp_path / "manage.py").write_text(MANAGE)
    return tmp_path


@pytest.fixture
def aws() -> Iterator[None]:
    with local_environment({}):
        yield


def pid(line: str) -> int:
    return int(line.rsplit(" ", 1)[-1])


def gone(process: int) -> bool:
    """Whether a process that is no child of ours has ended, waiting for it a little."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        status = Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.usefixtures("aws")
def test_workers_that_a_task_has_killed_are_started_anew(project: Path) -> None:
    dev = Dev(project)
    try:
        dev.until("Ready.")
        dev.send("die")
        dev.until("The process of the workers ended with code 9")
        dev.until("Restarting the workers.")
        dev.until("Ready.")
        for _ in range(6):  # a poll that the killed workers had open may take some messages with it
            dev.send("two")
            with suppress(AssertionError):
                dev.until("handled two by version 1", seconds=10)
                break
        else:
            raise AssertionError("".join(dev.lines))
    finally:
        dev.end()


@pytest.mark.usefixtures("aws")
def test_saving_a_file_starts_the_code_anew_and_the_state_stays(project: Path) -> None:
    dev = Dev(project)
    try:
        dev.until("Ready.")
        dev.send("one")
        first = pid(dev.until("handled one by version 1"))
        assert dev.invoke() == 1

        dev.save("dev_work.py", "this is no Python")
        dev.until("dev_work.py changed")
        dev.until("The process of the workers ended with code 1")
        dev.send("two")

        dev.save("dev_work.py", HANDLERS.replace("VERSION = 1", "VERSION = 2"))
        second = pid(dev.until("handled two by version 2"))
        assert dev.invoke() == 2

        assert second != first
        assert gone(first)
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(PATIENCE) == 0
        assert gone(second)
    finally:
        dev.end()


@pytest.mark.usefixtures("aws")
def test_ctrl_c_gives_back_what_is_in_flight_and_ends_the_site_too(project: Path) -> None:
    dev = Dev(project, django=True)
    try:
        line = dev.until(f"site runserver --noreload {dev.address}")
        assert f"at http://127.0.0.1:{dev.port} " in line
        dev.send("hang")
        worker = pid(dev.until("handled hang"))
        dev.process.send_signal(signal.SIGINT)
        dev.until("1 messages were returned")

        assert dev.process.wait(PATIENCE) == 0
        assert gone(worker)
        assert gone(pid(line))
    finally:
        dev.end()


@pytest.mark.usefixtures("aws")
def test_the_line_for_another_terminal_names_the_sites_settings(project: Path) -> None:
    dev = Dev(project, django=True)
    try:
        line = dev.until("export")
        assert "export DJANGO_SETTINGS_MODULE=somewhere.settings SERVERLESS_TASKS_OF_A_STACK=true " in line
    finally:
        dev.end()


DEPLOYED = """
Parameters:
  TaskModules: {Type: String, Default: ""}
  DjangoSettingsModule: {Type: String, Default: ""}
Globals:
  Function:
    Environment:
      Variables: {SERVERLESS_TASKS_MODULES: !Ref TaskModules, DJANGO_SETTINGS_MODULE: !Ref DjangoSettingsModule}
"""
SAMCONFIG = """
[default.global.parameters]
parameter_overrides = ["TaskModules=shop.background,shop.tasks", "DjangoSettingsModule=somewhere.deployed", "Other=1"]
"""


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("environment", "exported"),
    [
        (
            {},
            "SERVERLESS_TASKS_MODULES=shop.background,shop.tasks DJANGO_SETTINGS_MODULE=somewhere.settings ",
        ),
        (
            {"SERVERLESS_TASKS_MODULES": "mine", "DJANGO_SETTINGS_MODULE": "somewhere.tests"},
            "SERVERLESS_TASKS_MODULES=mine DJANGO_SETTINGS_MODULE=somewhere.tests ",
        ),
    ],
    ids=["deployed", "said here"],
)
@pytest.mark.parametrize("django", [False, True])
def test_the_tasks_are_those_of_the_deployment_unless_the_environment_says_others(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    django: bool,
    environment: dict[str, str],
    exported: str,
) -> None:
    (project / "template.yaml").write_text(DEPLOYED + TEMPLATE)
    (project / "samconfig.toml").write_text(SAMCONFIG)
    for name in ("SERVERLESS_TASKS_MODULES", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    dev = Dev(project, django=django)
    try:
        assert f"export {exported}" in dev.until("export")
    finally:
        dev.end()


def test_our_own_handlers_do_not_start_without_tasks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVERLESS_TASKS_MODULES", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)
    (project / "template.yaml").write_text(
        TEMPLATE.replace("dev_work.handler", "lambda_handlers.worker.handler")
    )
    dev = Dev(project)
    try:
        dev.until("ConfigurationError: Nobody says which tasks there are")
        assert dev.process.wait(PATIENCE) == 1
    finally:
        dev.end()


def test_a_port_that_is_taken_is_named(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        dev = Dev(project, port=other.getsockname()[1])
        try:
            dev.until(f"ConfigurationError: Another server listens on port {dev.port}")
        finally:
            dev.end()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"address": "localhost"}, "Address 'localhost' has no port"),
        ({"address": "127.0.0.1:80808"}, "Address '127.0.0.1:80808' has no port"),
        ({"parameters": {"Timeout": "61"}}, "Parameter Timeout is '61'; expected one of 60, 120."),
        ({"parameters": {"Size": "1"}}, "The template has no parameter 'Size'; it has Timeout."),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_runs(
    project: Path, given: dict[str, Any], said: str
) -> None:
    (project / "template.yaml").write_text(
        "Parameters: {Timeout: {Type: Number, Default: 60, AllowedValues: [60, 120]}}\n" + TEMPLATE
    )
    dev = Dev(project, django=True, **given)
    try:
        dev.until(f"ConfigurationError: {said}")
        assert dev.process.wait(PATIENCE) == 1
    finally:
        dev.end()


def test_a_site_does_not_start_where_another_listens(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        dev = Dev(project, django=True, address=address)
        try:
            dev.until(f"ConfigurationError: Another server listens on {address}")
        finally:
            dev.end()


@pytest.mark.usefixtures("aws")
def test_no_process_outlives_a_killed_parent(project: Path) -> None:
    dev = Dev(project, django=True)
    try:
        site = pid(dev.until("site runserver"))
        dev.send("hang")
        worker = pid(dev.until("handled hang"))
        dev.process.kill()

        assert gone(site)
        assert gone(worker)
    finally:
        dev.end()


def test_a_module_that_cannot_be_imported_is_named_and_the_tasks_of_the_others_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    (project / "good.py").write_text(
        "from serverless_tasks import Task\n\nclass Good(Task):\n    name = 'good'\n\n"
        "    def run(self):\n        return None\n"
    )
    (project / "broken.py").write_text("import celery_of_another_project\n")
    monkeypatch.setenv("SERVERLESS_TASKS_MODULES", "broken,good")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    dev = Dev(project)
    try:
        dev.until(
            "SERVERLESS_TASKS_MODULES names 'broken', which cannot be imported: ModuleNotFoundError:"
            " No module named 'celery_of_another_project'."
        )
        dev.until("1 tasks: good")
        dev.until("Ready.")
    finally:
        dev.end()

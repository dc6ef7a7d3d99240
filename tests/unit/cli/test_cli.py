"""The command line: what people and programs get from it, and its exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import UUID4, Base64Bytes, BaseModel, ConfigDict
from typer.testing import CliRunner

import serverless_tasks
from serverless_tasks import Task, TaskError
from serverless_tasks.cli.app import app
from serverless_tasks.cli.commands import logs as log_commands
from serverless_tasks.cli.output import Output
from serverless_tasks.client.operations.story.logs import LogLine
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.schedule import cron, rate
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import WORKER_LOST, EndedAttempt, Failure, Record, no_such_task
from serverless_tasks.engine.services import Services, reset
from serverless_tasks.errors import AwsError, InvokeFailed, SubmitFailed, SubmitUncertain
from serverless_tasks.params import ListParameter, NumberParameter, StringParameter
from tests.support.clock import FakeClock

UUID = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"


class SumNumbers(Task):
    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers):
        self.add_message("[bold]adding[/bold] \x1b[2J")
        return sum(numbers)


class Greet(Task):
    name = "greet"
    inputs = {"who": StringParameter(), "greeting": StringParameter(required=False)}
    outputs = {"text": StringParameter()}
    queue = "low"
    retries = 2

    def run(self, who, greeting="hello"):
        return f"{greeting} {who}"


class PictureParams(BaseModel):
    picture: Base64Bytes
    width: int = 1


class Weigh(Task[PictureParams]):
    name = "weigh"

    def run(self) -> int:
        return len(self.params.picture) * self.params.width


class StampParams(BaseModel):
    model_config = ConfigDict(strict=True, ser_json_bytes="base64", val_json_bytes="base64")
    number: UUID4
    at: datetime
    picture: bytes


class Stamp(Task[StampParams]):
    name = "stamp"

    def run(self) -> tuple[str, int, int]:
        return str(self.params.number), self.params.at.year, len(self.params.picture)


class Refuse(Task):
    name = "refuse"

    def run(self):
        raise TaskError("The month has no such day.")


class Crash(Task):
    name = "crash"

    def run(self):
        raise KeyError("secret")


class ScriptedClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_772_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class ScriptedStore:
    """Gives one record after the other, the last one for good."""

    def __init__(self, *records: Record) -> None:
        self.records = list(records)

    def read(self, uuid: str, *, whole: bool = True) -> Record | None:
        return self.records.pop(0) if len(self.records) > 1 else self.records[0]

    def job(self, uuid: str) -> Message | None:
        return None


class RefusingBackend(Backend):
    def __init__(self, error: serverless_tasks.ServerlessTasksError) -> None:
        self.error = error

    def publish(self, messages):
        return [self.error for _ in messages]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Services that run jobs at once and keep them in memory, with the tasks of this file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    yield configured(backend="immediate")
    reset()


def configured(**overrides: Any) -> Services:
    services = serverless_tasks.configure(Config(), **overrides)
    for task in (SumNumbers, Greet, Weigh, Stamp, Refuse, Crash):
        services.registry.add(task)
    return services


def call(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "160", "NO_COLOR": "1"})
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def document(*words: str, code: int = 0) -> Any:
    return json.loads(call(*words, "--json", code=code).stdout)


def submitted(*words: str) -> str:
    return document("submit", *words)["uuid"]


class TestSubmit:
    def test_prints_the_id_alone(self, project: Services) -> None:
        uuid = call("submit", "sum", "numbers=[1, 2]").stdout.strip()
        assert project.store.read(uuid).outputs == {"sum": 3}

    def test_gives_a_program_the_record(self, project: Services) -> None:
        record = document("submit", "sum", "numbers=[1]")
        assert record["task"] == "sum"
        assert (record["status"], record["outputs"]) == ("succeeded", {"sum": 1})

    def test_takes_inputs_as_json_and_words_on_top(self, project: Services) -> None:
        uuid = submitted("greet", "--inputs", '{"who": "you", "greeting": "hi"}', "who=Ada")
        assert project.store.read(uuid).outputs == {"text": "hi Ada"}

    def test_reads_inputs_from_a_file(self, project: Services, tmp_path: Path) -> None:
        (tmp_path / "inputs.json").write_text('{"numbers": [4, 5]}')
        assert project.store.read(submitted("sum", "--inputs", "@inputs.json")).outputs == {"sum": 9}

    def test_takes_a_text_as_it_stands_where_the_task_wants_text(self, project: Services) -> None:
        assert project.store.read(submitted("greet", "who=007")).outputs == {"text": "hello 007"}

    def test_reads_text_and_binary_files_as_the_input_wants_them(
        self, project: Services, tmp_path: Path
    ) -> None:
        (tmp_path / "name.txt").write_text("Grace=Hopper")
        (tmp_path / "picture.png").write_bytes(bytes(range(256)))
        assert project.store.read(submitted("greet", "who=@name.txt")).outputs == {
            "text": "hello Grace=Hopper"
        }
        weighed = submitted("weigh", "picture=@picture.png", "width=2")
        assert project.store.read(weighed).outputs == {"result": 512}

    def test_reads_inputs_as_json_for_a_strict_model(self, project: Services, tmp_path: Path) -> None:
        (tmp_path / "picture.png").write_bytes(bytes(range(256)))
        words = [f"number={UUID}", "at=2026-01-02T03:04:05Z", "picture=@picture.png"]

        assert project.store.read(submitted("stamp", *words)).outputs == {"result": [UUID, 2026, 256]}

    def test_a_key_gives_the_first_job_s_id_again(self, project: Services) -> None:
        keyed = ("sum", "numbers=[1]", "--idempotency-key", "k")

        assert submitted(*keyed) == submitted(*keyed)
        refused = call("submit", "sum", "numbers=[2]", "--idempotency-key", "k", code=2)
        assert "'k' was used for a job of task 'sum' with other inputs" in refused.stderr

    def test_a_unique_job_is_one_while_it_lives(
        self, project: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def keep(messages: list[Any]) -> list[None]:
            project.store.put_jobs(messages)
            return [None] * len(messages)

        monkeypatch.setattr(project.backend, "publish", keep)
        first = submitted("sum", "numbers=[1]", "--unique")

        assert submitted("sum", "numbers=[1]", "--unique") == first
        assert submitted("sum", "numbers=[1]", "--not-unique") != first

    def test_untracked_it_is_followed_by_what_was_sent(
        self, project: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[Message] = []
        monkeypatch.setattr(project.backend, "publish", lambda messages: sent.extend(messages) or [None])
        clock = project.clock
        monkeypatch.setattr(clock, "sleep", lambda _: project.runner.execute(sent[0]))

        told = call("submit", "sum", "numbers=[1, 2]", "--no-track", "--watch", "--json").stdout.splitlines()

        assert [json.loads(line)["status"] for line in told] == ["pending", "succeeded"]
        assert project.store.job(sent[0].uuid) is None

    def test_follows_the_job_when_asked(self, project: Services) -> None:
        result = call("submit", "sum", "numbers=[1, 2]", "--watch")
        assert '"sum": 3' in result.stdout
        call("submit", "refuse", "--watch", code=1)

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (["sum", "numbers=many"], "numbers: String is not a number"),
            (["sum"], "numbers: Field required"),
            (["sum", "numbers"], "pass inputs as name=value"),
            (["sum", "--inputs", "[1]"], "must be a JSON object, not a list"),
            (["sum", "--inputs", "{"], "--inputs is not JSON"),
            (["sum", "--inputs", "@none.json"], "'none.json' cannot be read: No such file"),
            (["greet", "who=@bytes"], "bytes is not UTF-8 text"),
            (["summ", "numbers=[1]"], "No task is named 'summ'"),
            (["sum", "numbers=[1]", "--delay", "-1"], "Option delay is -1"),
            (["sum", "numbers=[1]", "--at", "tomorrow"], "--at is 'tomorrow'; expected a time in ISO 8601"),
            (["sum", "numbers=[1]", "--at", "2030-01-31T08:00:00"], "with an offset or Z, such as"),
            (["sum", "numbers=[1]", "--at", "2030-01-31T08:00:00Z", "--delay", "1"], "say the same thing"),
        ],
    )
    def test_refuses_in_one_sentence(
        self, project: Services, tmp_path: Path, words: list[str], reason: str
    ) -> None:
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        result = call("submit", *words, code=2)
        assert reason in result.stderr
        assert "Traceback" not in result.output
        assert result.stdout == ""

    def test_tells_a_program_which_field_was_refused(self, project: Services) -> None:
        error = document("submit", "sum", "numbers=many", code=2)["error"]
        assert error["type"] == "InvalidInputs"
        assert [each["field"] for each in error["fields"]] == ["numbers"]

    def test_tells_certain_from_uncertain(self, project: Services) -> None:
        configured(backend=RefusingBackend(SubmitFailed("the queue is gone")))
        call("submit", "sum", "numbers=[1]", code=5)
        configured(backend=RefusingBackend(SubmitUncertain(UUID, "timeout")))
        assert document("submit", "sum", "numbers=[1]", code=6)["error"]["uuid"] == UUID


class TestRetry:
    def test_prints_the_new_id(self, project: Services) -> None:
        first = submitted("sum", "numbers=[1, 2]")

        again = call("retry", first).stdout.strip()

        assert again != first
        assert project.store.read(again).outputs == {"sum": 3}
        assert project.store.job(again).retry_of == first

    def test_follows_the_new_job_when_asked(self, project: Services) -> None:
        assert '"sum": 3' in call("retry", submitted("sum", "numbers=[1, 2]"), "--watch").stdout

    def test_takes_the_id_of_a_retry_that_may_have_been_sent(self, project: Services) -> None:
        assert document("retry", submitted("sum", "numbers=[1]"), "--uuid", UUID)["uuid"] == UUID

    def test_does_not_repeat_a_job_that_was_retried_before_unless_told_to(self, project: Services) -> None:
        first = submitted("sum", "numbers=[1, 2]")
        second = call("retry", first).stdout.strip()

        refused = call("retry", first, code=4)

        assert f"was retried already, as {second}" in refused.stderr
        assert "add --again" in refused.stderr
        assert document("retry", first, code=4)["error"]["type"] == "AlreadyRetried"
        third = call("retry", first, "--again").stdout.strip()
        assert project.store.read(first).retried_as == (second, third)
        assert second in call("status", first).stdout
        assert first in call("status", second).stdout

    @pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 4)])
    def test_asks_a_person_whether_to_repeat_it(
        self, project: Services, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
    ) -> None:
        first = submitted("sum", "numbers=[1, 2]")
        second = call("retry", first).stdout.strip()
        monkeypatch.setattr(Output, "interactive", True)

        result = CliRunner().invoke(app, ["retry", first], input=answer)

        assert result.exit_code == code
        assert f"was retried already, as {second} (succeeded)." in result.stderr
        assert len(project.store.read(first).retried_as) == (2 if code == 0 else 1)

    def test_a_job_that_is_not_known_or_has_not_ended_has_its_own_code(
        self, project: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "No job has the id" in call("retry", UUID, code=3).stderr
        monkeypatch.setattr(project.store, "read", ScriptedStore(Record(uuid=UUID, task="sum")).read)
        assert f"Job {UUID} is pending; cancel it" in call("retry", UUID, code=4).stderr


class TestLogs:
    def test_says_what_to_set_where_no_log_group_is_known(self, project: Services) -> None:
        shown = call("logs", submitted("sum", "numbers=[1]"), code=2)
        assert "SERVERLESS_TASKS_LOG_GROUP is not set" in shown.stderr
        assert "standard output" in shown.stderr

    @pytest.mark.parametrize("how", [(), ("--follow",)])
    def test_prints_the_lines_of_the_log(
        self, project: Services, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
    ) -> None:
        line = LogLine(
            at=1_500,
            level="ERROR",
            message="it\x1b broke",
            exception="Traceback: here",
            fields={"seconds": 2},
        )
        for name in ("job_log", "follow_log"):
            monkeypatch.setattr(log_commands, name, lambda *_: [line])
        uuid = submitted("sum", "numbers=[1]")
        assert call("logs", uuid, *how).stdout == (
            "1970-01-01 00:00:01.500 UTC ERROR    it\\x1b broke seconds=2\nTraceback: here\n"
        )
        assert document("logs", uuid, *how) == {
            "at": "1970-01-01T00:00:01.500Z",
            "level": "ERROR",
            "message": "it\x1b broke",
            "exception": "Traceback: here",
            "attempt": None,
            "request_id": None,
            "fields": {"seconds": 2},
        }

    def test_says_that_there_are_none_yet(self, project: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(log_commands, "job_log", lambda *_: [])
        shown = call("logs", submitted("sum", "numbers=[1]"))
        assert shown.stdout == ""
        assert "No lines (yet)" in shown.stderr

    def test_of_no_job_are_not_found(self, project: Services) -> None:
        call("logs", UUID, code=3)


class TestDelete:
    def test_deletes_ended_jobs(self, project: Services) -> None:
        uuids = [submitted("sum", "numbers=[1]") for _ in range(2)]

        deleted = call("delete", *uuids, uuids[0])
        assert (deleted.stdout, deleted.stderr) == ("Deleted 2 jobs.\n", "")

        call("status", uuids[0], code=3)

    def test_says_which_ones_it_could_not_delete(
        self, project: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuid = submitted("sum", "numbers=[1]")
        told = document("delete", UUID, uuid, code=3)
        assert told == {
            "deleted": [uuid],
            "refused": [
                {"uuid": UUID, "type": "TaskNotFound", "message": f"No job has the id {UUID}."},
            ],
        }
        monkeypatch.setattr(project.store, "read", ScriptedStore(Record(uuid=UUID, task="sum")).read)
        result = call("delete", UUID, code=4)
        assert "is pending; cancel it" in result.stderr
        assert result.stdout == "Deleted 0 jobs.\n"

    def test_a_dry_run_does_nothing(self, project: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        uuid = submitted("sum", "numbers=[1]", "--owner", "7")
        assert call("delete", uuid, "--dry-run").stdout == "Would delete 1 job.\n"
        assert document("delete", uuid, "--dry-run")["would_delete"] == [uuid]
        assert call("delete", "--owner", "7", "--dry-run").stdout == "Would delete 1 job of 7.\n"
        assert document("delete", "--owner", "7", "--dry-run") == {"owner": "7", "would_delete": 1}
        call("status", uuid)
        monkeypatch.setattr(project.store, "read", ScriptedStore(Record(uuid=UUID, task="sum")).read)
        call("delete", uuid, "--dry-run", code=4)

    def test_deletes_all_of_an_owner(self, project: Services) -> None:
        uuids = [submitted("sum", "numbers=[1]", "--owner", "7") for _ in range(3)]
        assert document("delete", "--owner", "7") == {"owner": "7", "deleted": 3, "live": []}
        for uuid in uuids:
            call("status", uuid, code=3)
        assert call("delete", "--owner", "7").stdout == "Deleted 0 jobs of 7.\n"

    def test_names_what_still_runs(self, project: Services) -> None:
        message = Message(uuid=UUID, task="sum", owner="7", created=2**40, expires=2**45)
        project.store.put_jobs([message])
        project.store.claim(message, token="a", lease=2**45, request_id="")
        result = call("delete", "--owner", "7", "--wait", "0", code=4)
        assert "1 job is still running after being asked to stop" in result.stderr
        assert document("delete", "--owner", "7", "--wait", "0", code=4)["live"] == [UUID]

    def test_wants_either_ids_or_an_owner(self, project: Services) -> None:
        said = call("delete", code=2).stderr
        assert "Give the ids of jobs, or --owner, or --finished-before." in said
        call("delete", UUID, "--owner", "7", code=2)
        call("delete", UUID, "--finished-before", "1d", code=2)
        assert "go with --finished-before" in call("delete", UUID, "--status", "failed", code=2).stderr

    @pytest.fixture
    def aged(self, project: Services) -> list[str]:
        """A job of each end, three days ago."""
        clock = FakeClock(1_772_000_000.0)
        configured(backend="immediate", clock=clock)
        uuids = [submitted("sum", "numbers=[1]"), submitted("refuse")]
        clock.move(3 * 86_400)
        return uuids

    def test_deletes_what_ended_before_a_time(self, aged: list[str]) -> None:
        assert call("delete", "--finished-before", "4d").stdout == "Deleted 0 jobs.\n"
        assert call("delete", "--finished-before", "2d", "--dry-run").stdout == "Would delete 2 jobs.\n"
        failed = document("delete", "--finished-before", "71h", "--status", "failed")
        assert (failed["deleted"], failed["live"]) == ([aged[1]], [])
        named = document("delete", "--finished-before", "2026-03-01", "--task", "sum", "--dry-run")
        assert named == {"before": "2026-03-01T00:00:00+00:00", "would_delete": [aged[0]], "live": []}
        assert call("delete", "--finished-before", "2026-03-01T00:00:00+01:00").stdout == "Deleted 1 job.\n"
        call("status", aged[0], code=3)

    @pytest.mark.parametrize("words", [["soon"], ["14"], ["2d", "--status", "running"]])
    def test_a_time_or_status_that_is_none_is_refused(self, aged: list[str], words: list[str]) -> None:
        assert words[-1] in call("delete", "--finished-before", *words, code=2).stderr
        call("status", aged[0])


class TestRun:
    @pytest.fixture
    def invoked(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """What the function was called with; it answers as the invoke handler does."""
        calls: list[Any] = []

        def invoke(function: str, payload: dict[str, Any]) -> dict[str, Any]:
            calls.append((function, payload))
            if payload["task"] == "refuse":
                return {"uuid": UUID, "status": "failed", "error": {"type": "TaskError", "message": "No."}}
            if payload["task"] == "crash":
                raise AwsError("lambda.Invoke", "AccessDenied", "no", applied=False)
            if payload["task"] == "greet":
                return {"error": {"type": "InvalidInputs", "message": "who: bad"}}
            return {"uuid": UUID, "status": "succeeded", "outputs": {"sum": 3}, "error": None}

        monkeypatch.setattr("serverless_tasks.engine.aws.functions.invoke", invoke)
        services = serverless_tasks.configure(Config(invoke_function="invoke"))
        for task in (SumNumbers, Stamp, Refuse, Crash, Greet):
            services.registry.add(task)
        return calls

    def test_prints_the_outputs(self, project: Services, invoked: list[Any]) -> None:
        assert '"sum": 3' in call("run", "sum", "numbers=[1, 2]").stdout
        ((function, payload),) = invoked
        assert function == "invoke"
        assert payload["inputs"] == {"numbers": [1, 2]}
        assert document("run", "sum", "numbers=[1]") == {
            "task": "sum",
            "status": "succeeded",
            "outputs": {"sum": 3},
        }

    def test_reads_inputs_as_json_for_a_strict_model(self, project: Services, invoked: list[Any]) -> None:
        call("run", "stamp", f"number={UUID}", "at=2026-01-02T03:04:05Z", "picture=cG5n")

        ((_, payload),) = invoked
        assert payload["inputs"] == {"number": UUID, "at": "2026-01-02T03:04:05Z", "picture": "cG5n"}

    def test_failure_has_its_reason_and_code(self, project: Services, invoked: list[Any]) -> None:
        assert "TaskError: No." in call("run", "refuse", code=1).stderr
        failed = document("run", "refuse", code=1)
        assert failed == {"uuid": UUID, "status": "failed", "error": {"type": "TaskError", "message": "No."}}

    def test_refusals_of_aws_and_of_the_function_differ(self, project: Services, invoked: list[Any]) -> None:
        call("run", "crash", code=5)
        call("run", "greet", "who=x", code=2)

    def test_a_missing_setting_is_named(self, project: Services) -> None:
        assert (
            "SERVERLESS_TASKS_INVOKE_FUNCTION is not set" in call("run", "sum", "numbers=[1]", code=2).stderr
        )

    def test_a_broken_function_is_no_usage_error(self) -> None:
        from serverless_tasks.cli.exit_codes import exit_code

        assert exit_code(InvokeFailed("Runtime.ImportModuleError", "no module")) == 5


class TestStatus:
    def test_shows_the_record(self, project: Services) -> None:
        uuid = submitted("sum", "numbers=[1, 2]")
        shown = call("status", uuid).stdout
        assert uuid in shown
        assert "succeeded" in shown
        assert document("status", uuid)["outputs"] == {"sum": 3}

    def test_says_that_no_worker_has_the_task(self, project: Services) -> None:
        record = Record(uuid=UUID, task="sum", created=1, returned=no_such_task("sum"))
        configured(store=ScriptedStore(record))
        said = "UnknownTask: The deployed worker has no task named 'sum'"
        assert said in call("status", UUID).stdout
        assert said in call("explain", UUID).stdout
        last = document("explain", UUID)["timeline"][-1]
        assert (last["event"], last["at"], last["type"]) == ("pending", None, "UnknownTask")
        assert document("status", UUID)["returned"]["type"] == "UnknownTask"

    def test_shows_an_operator_the_whole_error(self, project: Services) -> None:
        uuid = submitted("crash")
        assert document("status", uuid)["error"] == {"type": "KeyError", "message": "'secret'"}

    def test_messages_cannot_steer_the_terminal(self, project: Services) -> None:
        shown = call("status", submitted("sum", "numbers=[1]")).stdout
        assert "[bold]adding[/bold] \\x1b[2J" in shown
        assert "\x1b[2J" not in shown

    def test_an_unknown_id_is_not_found(self, project: Services) -> None:
        for command in ("status", "watch", "cancel", "explain"):
            assert UUID in call(command, UUID, code=3).stderr
        assert document("status", UUID, code=3)["error"]["type"] == "TaskNotFound"

    def test_an_ended_job_cannot_be_cancelled(self, project: Services) -> None:
        uuid = submitted("sum", "numbers=[1]")
        assert "already ended: succeeded" in call("cancel", uuid, code=4).stderr

    def test_a_waiting_job_is_cancelled(self, project: Services) -> None:
        project.backend.publish = lambda messages: (project.store.put_jobs(messages), [None])[1]
        uuid = submitted("sum", "numbers=[1]")
        assert document("cancel", uuid)["status"] == "cancelled"
        call("watch", uuid, code=1)


class TestWatch:
    RUNNING = Record(uuid=UUID, task="sum", status="running", attempt=1, created=1, started=2, target=4)

    def test_says_at_once_that_no_worker_has_the_task(self, project: Services) -> None:
        waits = Record(uuid=UUID, task="sum", created=1, returned=no_such_task("sum"))
        clock = self.follow(waits, replace(waits, returned=None, status="succeeded", finished=2))
        assert (
            "No worker takes the job: The deployed worker has no task named 'sum'"
            in call("watch", UUID).stderr
        )
        assert sum(clock.slept) < 5

    def follow(self, *records: Record) -> ScriptedClock:
        clock = ScriptedClock()
        configured(store=ScriptedStore(*records), clock=clock)
        return clock

    def test_writes_a_line_of_json_for_each_change(self, project: Services) -> None:
        done = replace(self.RUNNING, status="succeeded", progress=4, finished=9, outputs={"sum": 0})
        half = replace(self.RUNNING, progress=2, messages=("half way",))
        clock = self.follow(self.RUNNING, self.RUNNING, half, done)
        lines = [json.loads(line) for line in call("watch", UUID, "--json").stdout.splitlines()]
        assert [(line["status"], line["progress"]) for line in lines] == [
            ("running", 0),
            ("running", 2),
            ("succeeded", 4),
        ]
        assert clock.slept == [1.0, 1.0, 1.0]

    def test_draws_progress_and_messages_and_ends_with_the_outputs(self, project: Services) -> None:
        half = replace(self.RUNNING, progress=2, messages=("half way",))
        self.follow(half, replace(half, status="succeeded", progress=4, outputs={"sum": 0}, finished=9))
        result = call("watch", UUID)
        assert "half way" in result.stderr
        assert "4 of 4" in result.stderr
        assert '"sum": 0' in result.stdout

    def test_a_failed_task_is_exit_1_with_its_reason(self, project: Services) -> None:
        failure = Failure(type="TaskError", message="The month has no such day.")
        self.follow(replace(self.RUNNING, status="failed", failure=failure, finished=9))
        assert "The month has no such day." in call("watch", UUID, code=1).stdout

    def test_tells_a_program_an_error_in_a_line_too(self, project: Services) -> None:
        self.follow(self.RUNNING)
        *records, error = call("watch", UUID, "--json", "--timeout", "5", code=6).stdout.splitlines()
        assert [json.loads(record)["status"] for record in records] == ["running"]
        assert json.loads(error)["error"]["type"] == "WaitTimeout"

    PENDING = Record(uuid=UUID, task="sum", created=1)

    @pytest.mark.parametrize("as_json", [[], ["--json"]])
    def test_says_once_after_half_a_minute_that_nothing_takes_the_job(
        self, project: Services, as_json: list[str]
    ) -> None:
        done = replace(self.RUNNING, status="succeeded", outputs={"sum": 0}, finished=9)
        self.follow(*[self.PENDING] * 100, done)
        result = call("watch", UUID, *as_json)
        said = " ".join(result.stderr.split())
        assert said.count("No worker has taken the job in 30 seconds. See that one runs") == 1
        assert "No worker" not in result.stdout

    @pytest.mark.parametrize(
        "record",
        [
            replace(PENDING, run_at=1_772_000_090_000),
            replace(PENDING, attempt=1),
            replace(RUNNING, attempt=1),
        ],
        ids=["not due", "a retry", "running"],
    )
    def test_not_of_one_that_waits_for_its_time_or_runs(self, project: Services, record: Record) -> None:
        self.follow(record)
        assert "No worker" not in call("watch", UUID, "--timeout", "60", code=6).stderr

    def test_stops_looking_in_time(self, project: Services) -> None:
        clock = self.follow(self.RUNNING)
        assert "is still running after 5 seconds" in call("watch", UUID, "--timeout", "5", code=6).stderr
        assert sum(clock.slept) == 5


class TestExplain:
    def test_tells_each_attempt(self, project: Services) -> None:
        failed = EndedAttempt(
            number=1,
            started=1_000,
            ended=3_500,
            failure=Failure(type="OSError", message="no disk", public=False, traceback="Traceback: here"),
            request_id="req-1",
        )
        lost = EndedAttempt(number=3, started=5_000, ended=6_000, failure=WORKER_LOST, request_id="req-3")
        record = Record(
            uuid=UUID,
            task="sum",
            owner="7",
            status="succeeded",
            attempt=4,
            created=500,
            started=1_000,
            finished=9_000,
            request_id="req-4",
            history=(failed, lost),
        )
        configured(store=ScriptedStore(record))
        told = document("explain", UUID)
        created, first, second, third, fourth, last = told["timeline"]
        assert created == {"event": "created", "at": "1970-01-01T00:00:00.500Z"}
        assert (first["outcome"], first["type"], first["reason"]) == ("failed", "OSError", "no disk")
        assert (first["request_id"], first["traceback"]) == ("req-1", "Traceback: here")
        assert second == {"event": "attempt", "at": None, "attempt": 2, "outcome": "lost"}
        assert (third["outcome"], third["type"], third["request_id"]) == ("lost", "WorkerLost", "req-3")
        assert (fourth["outcome"], fourth["request_id"]) == ("succeeded", "req-4")
        assert last == {"event": "succeeded", "at": "1970-01-01T00:00:09.000Z"}
        assert [(span["span"], span["seconds"]) for span in told["spans"]][:3] == [
            ("queue", 0.5),
            ("attempt", 2.5),
            ("pause", 1.5),
        ]
        shown = call("explain", UUID).stdout
        for part in (
            "attempt 1 failed after 2.500 s",
            "OSError: no disk",
            "req-1",
            "attempt 2 lost",
            "Traceback: here",
        ):
            assert part in shown

    def test_draws_a_picture_and_gives_the_messages_their_times(self, project: Services) -> None:
        uuid = submitted("sum", "numbers=[1]")

        shown, told = call("explain", uuid).stdout, document("explain", uuid)

        assert "attempt 1 succeeded  " in shown
        assert "█" in shown
        [message] = told["messages"]
        assert (message["attempt"], message["message"]) == (1, "[bold]adding[/bold] \x1b[2J")
        assert message["at"].replace("T", " ").replace("Z", " UTC") in shown
        assert (told["retry_of"], told["retried_as"]) == (None, [])

    def test_of_a_real_failure_has_the_traceback(self, project: Services) -> None:
        uuid = submitted("crash")
        told = document("explain", uuid)
        assert [event["event"] for event in told["timeline"]] == ["created", "attempt", "failed"]
        assert "raise KeyError" in told["timeline"][1]["traceback"]

    def test_each_attempt_says_why_and_its_traceback_is_not_broken_into_lines(
        self, project: Services
    ) -> None:
        path = f'File "/{"long/" * 40}task.py", line 1'
        busy = [
            EndedAttempt(
                number=number,
                started=number,
                ended=number,
                failure=Failure(type="OSError", message="busy", traceback=path),
            )
            for number in (1, 2)
        ]
        failed = Failure(type="OSError", message="busy", traceback=path)
        configured(
            store=ScriptedStore(
                Record(uuid=UUID, task="sum", status="failed", attempt=2, history=tuple(busy), failure=failed)
            )
        )
        shown = call("explain", UUID).stdout
        assert shown.count("OSError: busy") == 2
        assert shown.count(path) == 2

    def test_of_a_worker_that_is_gone_it_names_the_request(self, project: Services) -> None:
        lost = Record(
            uuid=UUID,
            task="sum",
            status="failed",
            attempt=1,
            created=1,
            attempted=1_000,
            finished=9_000,
            request_id="req-1",
            failure=WORKER_LOST,
        )
        configured(store=ScriptedStore(lost))
        assert document("explain", UUID)["timeline"][1] == {
            "event": "attempt",
            "at": "1970-01-01T00:00:01.000Z",
            "attempt": 1,
            "outcome": "lost",
            "request_id": "req-1",
        }

    def test_of_a_job_that_waits(self, project: Services) -> None:
        configured(store=ScriptedStore(Record(uuid=UUID, task="sum", created=1)))
        assert [event["event"] for event in document("explain", UUID)["timeline"]] == ["created", "pending"]

    @pytest.mark.parametrize("command", ["status", "explain"])
    def test_of_one_that_has_a_time_it_says_when_it_is_due(self, project: Services, command: str) -> None:
        waiting = Record(uuid=UUID, task="sum", created=1, run_at=60_000)
        configured(store=ScriptedStore(waiting))
        assert "due" in call(command, UUID).stdout
        assert "00:01:00.000" in call(command, UUID).stdout
        configured(store=ScriptedStore(replace(waiting, status="cancelled")))
        assert "due" not in call(command, UUID).stdout


class TestList:
    def test_describes_every_task(self, project: Services) -> None:
        tasks = {task["name"]: task for task in document("list")}
        assert list(tasks) == ["crash", "greet", "refuse", "stamp", "sum", "weigh"]
        greet = tasks["greet"]
        assert (greet["queue"], greet["retries"], greet["timeout"]) == ("low", 2, 60)
        assert greet["inputs"]["required"] == ["who"]
        shown = call("list").stdout
        assert "who: string, greeting?: string" in shown
        assert "numbers: array of number" in shown
        assert "schedule" not in shown

    def test_shows_schedules_with_the_zone_of_a_cron(self, project: Services) -> None:
        class Nightly(Task):
            name = "nightly"
            schedule = cron("0 8 * * ? *", zone="Europe/Vienna")

            def run(self):
                return None

        class Often(Nightly):
            name = "often"
            schedule = rate(hours=1)

        for task in (Nightly, Often):
            project.registry.add(task)
        schedules = {task["name"]: task["schedule"] for task in document("list")}
        assert schedules["nightly"] == "cron(0 8 * * ? *) Europe/Vienna"
        assert (schedules["often"], schedules["sum"]) == ("rate(1 hour)", None)
        assert "cron(0 8 * * ? *) Europe/Vienna" in call("list").stdout

    def test_tells_of_a_task_whose_attribute_takes_the_place_of_one_of_ours(self, project: Services) -> None:
        project.registry.add(type("Poem", (Task,), {"name": "poem", "group": "x", "run": lambda self: None}))
        assert "'poem' has an attribute group of its own, in the place of Task.group" in call("list").stderr

    def test_loads_modules_of_the_working_directory(self, project: Services, tmp_path: Path) -> None:
        (tmp_path / "my_cli_jobs.py").write_text(
            "from serverless_tasks import Task\nclass Mine(Task):\n    name = 'mine'\n    def run(self): return 1\n"
        )
        assert "mine" in {task["name"] for task in document("list", "--modules", "my_cli_jobs")}

    def test_without_tasks_says_where_to_name_them(self, project: Services) -> None:
        serverless_tasks.configure(Config())
        assert "SERVERLESS_TASKS_MODULES" in call("list", code=2).stderr

    def test_an_unimportable_settings_module_is_named(self) -> None:
        """In a process of its own: Django is set up once in each, and by whatever test comes first."""
        done = subprocess.run(
            [sys.executable, "-m", "serverless_tasks.cli", "list"],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "no_such_site.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "DJANGO_SETTINGS_MODULE is 'no_such_site.settings'" in done.stderr


class TestProject:
    def test_init_tells_what_became_of_each_file(self, project: Services, tmp_path: Path) -> None:
        assert "no manage.py" in call("init", code=2).stderr
        (tmp_path / "manage.py").write_text("")
        files = {
            file["path"]: file["action"] for file in document("init", "--requirement", "serverless-tasks")
        }
        assert files["template.yaml"] == "created"
        assert "unchanged" in call("init", "--requirement", "serverless-tasks").stdout

    def test_worker_hands_on_what_it_was_given(
        self, project: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: list[Any] = []
        monkeypatch.setattr(
            "serverless_tasks.poller.run_worker", lambda *args, **kwargs: given.append((args, kwargs)) or 3
        )
        assert document("worker", "high", "low", "-c", "high=2", "-c", "low=1", "--dead-letter") == {
            "given_back": 3
        }
        ((args, kwargs),) = given
        assert args == (["high", "low"], {"high": 2, "low": 1})
        assert kwargs == {"grace": 25.0, "dead_letter": True, "config": Config()}
        document("worker", "-c", "4")
        assert given[1][0] == ((), 4)
        assert "--concurrency 'many'" in call("worker", "-c", "many", code=2).stderr

    def test_code_that_cannot_be_loaded_is_shown_and_nothing_done(
        self, project: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
    ) -> None:
        reset()
        (tmp_path / "broken_tasks.py").write_text("value = 1 / 0\n")
        monkeypatch.setenv("SERVERLESS_TASKS_MODULES", "broken_tasks")

        result = call("submit", "sum", "--json", code=2)

        assert (
            "names 'broken_tasks', which cannot be imported: ZeroDivisionError: division by zero"
            in result.stderr
        )
        assert 'broken_tasks.py", line 1' in result.stderr
        assert json.loads(result.stdout)["error"]["type"] == "ConfigurationError"

    def test_worker_does_not_start_without_tasks(
        self, project: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        serverless_tasks.configure(Config(), backend="immediate")
        monkeypatch.setattr("serverless_tasks.poller.run_worker", pytest.fail)
        assert "SERVERLESS_TASKS_MODULES" in call("worker", "high", code=2).stderr

    def test_dev_hands_on_what_it_was_given(self, project: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        given: list[Any] = []
        monkeypatch.setattr(
            "serverless_tasks.local.dev.run_dev", lambda *args, **kwargs: given.append((args, kwargs))
        )
        call("dev", "--modules", "a.b, c", "--django", "--no-reload", "--parameter", "WorkerTimeout=60")
        ((args, kwargs),) = given
        assert args == (Path("template.yaml"), ["a.b", "c"])
        assert kwargs["django"] is True
        assert kwargs["reload"] is False
        assert kwargs["parameters"] == {"WorkerTimeout": "60"}
        assert "expected NAME=VALUE" in call("dev", "--parameter", "WorkerTimeout", code=2).stderr


class TestStack:
    def test_configures_from_its_outputs(self, project: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def outputs(stack: str) -> dict[str, str]:
            asked.append(stack)
            return {"Something": "else"}

        monkeypatch.setattr("serverless_tasks.engine.aws.stacks.stack_outputs", outputs)
        assert "has no output TableName" in call("status", UUID, "--stack", "shop", code=2).stderr
        assert asked == ["shop"]


def test_help_loads_neither_boto3_nor_moto_nor_django() -> None:
    script = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from serverless_tasks.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print([name for name in ('boto3', 'moto', 'django') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_a_missing_extra_is_one_sentence(package: str) -> None:
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "sys.argv[1:] = ['list']\n"
        "from serverless_tasks.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"The command line needs the package {package}: install it with `pip install 'serverless-tasks[cli]'`.\n"
    )

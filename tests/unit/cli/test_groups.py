"""Groups on the command line: submitted from lines, followed, explained, retried and cancelled."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel
from rich.console import Console
from typer.testing import CliRunner

import serverless_tasks
from serverless_tasks import Task
from serverless_tasks.cli.app import app
from serverless_tasks.cli.progress import sending
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, reset
from serverless_tasks.errors import SubmitFailed
from serverless_tasks.params import ListParameter, NumberParameter, Parameter, StringParameter
from serverless_tasks.testing import RecordedTasks, recorded
from serverless_tasks.workflow import group

LINES = '{"number": 1}\n{"number": 2}\n\n{"number": 3}\n'
BROKEN: set[float] = set()


class Double(Task):
    name = "double"
    inputs = {"number": NumberParameter(), "times": NumberParameter(required=False)}
    outputs = {"doubled": NumberParameter()}

    def run(self, number: float, times: float = 2) -> float:
        if number in BROKEN:
            raise ValueError(f"{number} is broken")
        return number * times


class Report(Task):
    name = "report"
    inputs = {"title": StringParameter(), "numbers": ListParameter(Parameter())}
    outputs = {"text": StringParameter()}

    def run(self, title: str, numbers: list[float | None]) -> str:
        return f"{title}: {numbers}"


class StrictParams(BaseModel, strict=True):
    id: UUID
    number: float


class Strict(Task[StrictParams]):
    name = "strict"

    def run(self) -> float:
        return self.params.number


class Failing(Backend):
    """Sends nothing, or no member."""

    def __init__(self, *, sends_deadlines: bool) -> None:
        self.sends_deadlines = sends_deadlines

    def publish(self, messages):
        return [
            None if self.sends_deadlines and message.member is None else SubmitFailed("the queue is gone")
            for message in messages
        ]


TASKS = (Double, Report, Strict)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Services that run jobs at once and keep them in memory, with the tasks of this file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    BROKEN.clear()
    yield configured(backend="immediate")
    reset()


def configured(**overrides: Any) -> Services:
    services = serverless_tasks.configure(Config(), **overrides)
    for task in TASKS:
        services.registry.add(task)
    return services


@pytest.fixture
def waiting() -> Iterator[RecordedTasks]:
    """Jobs that run when the test says so."""
    with recorded(*TASKS) as jobs:
        yield jobs


def call(*words: str, code: int = 0, stdin: str | None = None) -> Any:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "160", "NO_COLOR": "1"}, input=stdin)
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def document(*words: str, code: int = 0, stdin: str | None = None) -> Any:
    return json.loads(call(*words, "--json", code=code, stdin=stdin).stdout)


def submitted(*words: str, stdin: str = LINES) -> str:
    return call("submit", "double", "--each", "-", *words, stdin=stdin).stdout.strip()


def outputs(services: Services, uuid: str) -> list[Any]:
    return [member.outputs for member in serverless_tasks.TaskClient(services=services).members(uuid)]


class TestSubmitEach:
    def test_a_member_a_line(self, project: Services, tmp_path: Path) -> None:
        (tmp_path / "inputs.jsonl").write_text(LINES)

        uuid = call("submit", "double", "--each", "@inputs.jsonl").stdout.strip()

        assert outputs(project, uuid) == [{"doubled": 2}, {"doubled": 4}, {"doubled": 6}]
        assert project.store.read(uuid).task == "group"

    def test_inputs_that_are_given_once_are_those_of_all_but_a_line_s_own(self, project: Services) -> None:
        uuid = submitted("times=5", stdin='{"number": 1}\n{"number": 1, "times": 7}\n')
        assert outputs(project, uuid) == [{"doubled": 5}, {"doubled": 7}]

    def test_gives_a_program_the_record(self) -> None:
        record = document("submit", "double", "--each", "-", "--name", "doubles", stdin=LINES)
        assert (record["task"], record["status"], record["target"]) == ("doubles", "succeeded", 3)
        assert record["members"] == {"total": 3, "ended": 3, "succeeded": 3, "failed": 0, "cancelled": 0}

    def test_options_are_the_group_s_or_the_members(self, waiting: RecordedTasks) -> None:
        words = ["--owner", "7", "--queue", "low", "--tenant", "acme", "--deadline", "60", "--uuid"]
        uuid = submitted(*words, given := str(uuid4()))

        assert uuid == given
        members = [message for message in waiting.submitted if message.member is not None]
        assert [(each.owner, each.queue, each.options.tenant) for each in members] == [
            ("7", "low", "acme")
        ] * 3
        found = waiting.services.store.groups.get(uuid)
        assert found is not None
        assert (found.owner, found.deadline) == ("7", members[0].created + 60_000)

    def test_a_strict_model_reads_lines_as_json(self, project: Services) -> None:
        line = json.dumps({"id": str(uuid4()), "number": 4})
        uuid = call("submit", "strict", "--each", "-", stdin=line).stdout.strip()
        assert outputs(project, uuid) == [{"result": 4}]

    def test_the_same_key_is_the_same_group_and_other_members_are_refused(self) -> None:
        keyed = ("--idempotency-key", "k")
        assert submitted(*keyed) == submitted(*keyed)
        call("submit", "double", "--each", "-", *keyed, stdin='{"number": 9}\n', code=2)

    def test_no_lines_are_an_empty_group(self) -> None:
        record = document("submit", "double", "--each", "-", stdin="\n")
        assert (record["status"], record["members"]["total"]) == ("succeeded", 0)

    def test_what_follows_takes_results(self, project: Services) -> None:
        then = '{"title": "June", "numbers": {"$results": "doubled"}}'
        record = document(
            "submit", "double", "--each", "-", "--then", "report", "--then-inputs", then, stdin=LINES
        )
        following = project.store.read(record["outputs"]["continuation"])
        assert following.outputs == {"text": "June: [2, 4, 6]"}

    @pytest.mark.parametrize(("on", "text"), [([], None), (["--on", "end"], "June: [2, None, 6]")])
    def test_on_end_follows_in_any_case(self, project: Services, on: list[str], text: str | None) -> None:
        BROKEN.add(2)
        then = '{"title": "June", "numbers": {"$results": ["doubled"]}}'
        uuid = submitted("--then", "report", "--then-inputs", then, *on)
        following = project.store.read(uuid).outputs.get("continuation")
        assert (following and project.store.read(following).outputs["text"]) == text

    def test_follows_the_group_when_asked(self) -> None:
        BROKEN.add(2)
        result = call("submit", "double", "--each", "-", "--watch", stdin=LINES, code=1)
        assert "3 of 3, 1 failed" in result.stderr
        assert "3 of 3 ended, 2 succeeded, 1 failed" in result.stdout

    @pytest.mark.parametrize(
        ("lines", "reason"),
        [
            ('{"number": 1}\n\nmany\n', "line 3: is not JSON: Expecting value"),
            ("[1]\n{\n", "line 1: must be a JSON object, not a list; line 2: is not JSON"),
            ('{"number": "x"}\n{"number": 1}\n{}\n', "line 1, number: String is not a number"),
            ('{"number": "x"}\n{"number": 1}\n{}\n', "line 3, number: Field required"),
            ("{}\n" * 25, "line 20, number: Field required; further lines: 5 more are refused"),
        ],
    )
    def test_names_bad_lines_and_sends_nothing(self, waiting: RecordedTasks, lines: str, reason: str) -> None:
        result = call("submit", "double", "--each", "-", stdin=lines, code=2)
        assert reason in result.stderr
        assert result.stdout == ""
        waiting.assert_nothing_submitted()

    def test_tells_a_program_which_line_was_refused(self) -> None:
        error = document("submit", "double", "--each", "-", stdin="{}\n", code=2)["error"]
        assert [each["field"] for each in error["fields"]] == ["line 1, number"]

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (["number=1", "--name", "x"], "--name goes with --each"),
            (["number=1", "--then-inputs", "{}"], "--then-inputs goes with --each"),
            (["--each", "inputs.jsonl"], "--each is 'inputs.jsonl'; expected @FILE, or - for standard input"),
            (["--each", "@none.jsonl"], "'none.jsonl' cannot be read: No such file"),
            (["--each", "-", "--on", "end"], "--then-inputs and --on go with --then"),
            (["--each", "-", "--then", "reprot"], "No task is named 'reprot'"),
            (["--each", "-", "--then", "report"], "title: Field required"),
            (["--each", "-", "--deadline", "0"], "from 1 second to 55 days"),
            (["--each", "-", "--at", "2030-01-31T08:00:00Z"], "no option run_at"),
            (["--each", "-", "--no-track"], "is tracked"),
            (
                ["--each", "-", "--then", "report", "--then-inputs", '{"numbers": {"$results": "sum"}}'],
                "task 'double' has no such output; it has 'doubled'",
            ),
            (
                ["--each", "-", "--then", "report", "--then-inputs", '{"numbers": {"$results": 0}}'],
                "Input 'numbers' is {\"$results\": 0}; expected the name of an output",
            ),
        ],
    )
    def test_refuses_in_one_sentence(self, waiting: RecordedTasks, words: list[str], reason: str) -> None:
        result = call("submit", "double", *words, stdin=LINES, code=2)
        assert reason in result.stderr
        assert "Traceback" not in result.output
        waiting.assert_nothing_submitted()

    def test_more_lines_than_a_group_has_members_are_refused(
        self, waiting: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serverless_tasks.engine.submit.each.LARGEST_GROUP", 2)
        said = call("submit", "double", "--each", "-", stdin=LINES, code=2).stderr
        assert "at most 2 members, and there are 3 lines" in said
        waiting.assert_nothing_submitted()

    def test_tells_certain_from_uncertain_by_the_group_s_id(self, project: Services) -> None:
        uuid = str(uuid4())
        words = ("submit", "double", "--each", "-", "--uuid", uuid)
        kept = {"store": project.store, "registry": project.registry}
        configured(backend=Failing(sends_deadlines=False), **kept)
        call(*words, stdin=LINES, code=5)
        configured(backend=Failing(sends_deadlines=True), **kept)
        assert document(*words, stdin=LINES, code=6)["error"]["uuid"] == uuid

    def test_a_bar_counts_what_was_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        written = io.StringIO()
        monkeypatch.setattr(
            "rich.console.Console", lambda **_: Console(file=written, force_terminal=True, width=80)
        )
        with sending(2000, silent=False) as sent:
            sent(1000)
            assert written.getvalue() == "" or "2000" in written.getvalue()
            sent(1000)
        assert "2000/2000" in written.getvalue()

    def test_the_bar_is_told_of_every_thousand(self, project: Services) -> None:
        told: list[int] = []
        from serverless_tasks.engine.submit.each import submit_each
        from serverless_tasks.engine.submit.options import Options

        lines = [(number, {"number": number}) for number in range(2001)]
        submit_each(project, Double, lines, Options(), empty=group(), sent=told.append)
        assert told == [1000, 1000, 1]


class TestFollowing:
    def test_status_counts(self) -> None:
        BROKEN.add(2)
        shown = call("status", uuid := submitted()).stdout
        assert "3 of 3 ended, 2 succeeded, 1 failed" in shown
        assert document("status", uuid)["members"]["failed"] == 1

    def test_status_of_a_member_names_its_group(self, project: Services) -> None:
        uuid = submitted()
        member = next(serverless_tasks.TaskClient(services=project).members(uuid))
        assert uuid in call("status", member.uuid).stdout
        assert document("status", member.uuid)["group"] == uuid

    def test_watch_goes_on_until_all_have_ended(
        self, waiting: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuid = submitted()
        members = [message for message in waiting.submitted if message.member is not None]
        runner = waiting.services.runner
        monkeypatch.setattr(waiting.clock, "sleep", lambda _: runner.execute(members.pop(0)))

        lines = [json.loads(line) for line in call("watch", uuid, "--json").stdout.splitlines()]

        assert [(line["status"], line["progress"], line["target"]) for line in lines] == [
            ("running", 0, 3),
            ("running", 1, 3),
            ("running", 2, 3),
            ("succeeded", 3, 3),
        ]

    def test_cancel_asks_at_once(self, waiting: RecordedTasks) -> None:
        uuid = submitted()
        assert document("cancel", uuid)["cancel_requested"] is True
        waiting.run_due()
        record = document("status", uuid)
        assert (record["status"], record["members"]["cancelled"]) == ("cancelled", 3)
        call("cancel", uuid, code=4)


class TestExplain:
    def test_a_group_says_who_failed_and_what_follows(self) -> None:
        BROKEN.update({1, 3})
        then = '{"title": "June", "numbers": {"$results": "doubled"}}'
        uuid = submitted("--then", "report", "--then-inputs", then, "--on", "end")

        told = document("explain", uuid)["timeline"]

        assert [event["event"] for event in told] == [
            "created",
            "members",
            "member",
            "member",
            "continuation",
            "failed",
        ]
        assert told[1]["reason"] == "3 of 3 have ended: 1 succeeded, 2 failed"
        assert [(each["index"], each["type"], each["reason"]) for each in told[2:4]] == [
            (0, "ValueError", "1 is broken"),
            (2, "ValueError", "3 is broken"),
        ]
        assert told[4]["outcome"] == "succeeded"
        shown = call("explain", uuid).stdout
        for part in ("member 2 failed", "ValueError: 3 is broken", told[4]["uuid"], told[2]["uuid"]):
            assert part in shown

    def test_of_many_failures_it_names_twenty(self) -> None:
        BROKEN.update(range(30))
        uuid = submitted(stdin="".join(f'{{"number": {number}}}\n' for number in range(30)))
        told = document("explain", uuid)["timeline"]
        assert [event["index"] for event in told if event["event"] == "member"] == list(range(20))

    def test_a_group_that_runs_says_how_far_it_is(self, waiting: RecordedTasks) -> None:
        uuid = submitted()
        waiting.services.runner.execute(next(each for each in waiting.submitted if each.member is not None))
        told = document("explain", uuid)["timeline"]
        assert [event["event"] for event in told] == ["created", "members", "running"]
        assert told[1]["reason"] == "1 of 3 have ended: 1 succeeded"

    def test_a_member_says_where_it_stands(self, project: Services) -> None:
        uuid = submitted()
        member = list(serverless_tasks.TaskClient(services=project).members(uuid))[1]
        told = document("explain", member.uuid)["timeline"]
        assert [event["event"] for event in told] == ["created", "member of", "attempt", "succeeded"]
        assert (told[1]["uuid"], told[1]["index"], told[1]["reason"]) == (uuid, 1, "member 1 of 3")
        assert uuid in call("explain", member.uuid).stdout

    def test_a_continuation_says_what_it_came_after(self, project: Services) -> None:
        then = '{"title": "June", "numbers": {"$results": "doubled"}}'
        uuid = submitted("--then", "report", "--then-inputs", then)
        following = project.store.read(uuid).outputs["continuation"]
        told = document("explain", following)["timeline"]
        assert [event["event"] for event in told] == ["created", "after", "attempt", "succeeded"]
        assert told[1]["uuid"] == uuid

    def test_one_that_has_the_end_of_another_names_it(self, waiting: RecordedTasks) -> None:
        unique = Double.options(unique=True)
        holder = unique.submit(number=1)
        handle = group(unique.signature(number=1)).submit()
        waiting.drain()
        member = next(serverless_tasks.TaskClient().members(handle.uuid))
        told = document("explain", member.uuid)["timeline"]
        assert [event["uuid"] for event in told if event["event"] == "follows"] == [holder.uuid]


class TestRetry:
    def test_failed_members_alone_in_a_new_group(self, project: Services) -> None:
        BROKEN.add(2)
        uuid = submitted()
        BROKEN.clear()

        again = call("retry", uuid, "--failed").stdout.strip()

        assert again != uuid
        assert outputs(project, again) == [{"doubled": 2}, {"doubled": 4}, {"doubled": 6}]
        assert project.store.job(again).retry_of == uuid

    def test_it_is_followed_when_asked(self) -> None:
        BROKEN.add(2)
        uuid = submitted()
        BROKEN.clear()
        assert "3 of 3 ended, 3 succeeded" in call("retry", uuid, "--failed", "--watch").stdout

    def test_the_id_of_a_retry_that_may_have_been_sent_makes_one_group(self, project: Services) -> None:
        BROKEN.add(2)
        uuid = submitted()
        given = str(uuid4())
        for _ in range(2):
            assert document("retry", uuid, "--failed", "--uuid", given)["uuid"] == given
        assert (
            f"{uuid!r}, which is the old one's"
            in call("retry", uuid, "--failed", "--uuid", uuid, code=2).stderr
        )

    def test_a_group_needs_to_be_told_what(self) -> None:
        BROKEN.add(2)
        uuid = submitted()
        assert f"`serverless-tasks retry {uuid} --failed`" in call("retry", uuid, code=2).stderr

    def test_failed_is_of_groups_that_have_ended_and_have_failed(self, waiting: RecordedTasks) -> None:
        uuid = submitted()
        call("retry", uuid, "--failed", code=4)
        waiting.drain()
        assert "there is nothing to retry" in call("retry", uuid, "--failed", code=2).stderr
        call("retry", str(uuid4()), "--failed", code=3)
        member = next(serverless_tasks.TaskClient().members(uuid)).uuid
        assert (
            "is no group and no chain: retry it by itself" in call("retry", member, "--failed", code=2).stderr
        )

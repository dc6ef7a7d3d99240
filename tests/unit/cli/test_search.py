"""`serverless-tasks jobs`: the filters as options, a table for people, and JSON for programs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serverless_tasks import configure
from serverless_tasks.cli.app import app
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services, reset
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.workflow import group
from tests.support.clock import FakeClock
from tests.support.jobs import a_message
from tests.support.tasks import Double

BROKEN = Failure(type="KeyError", message="'x'\nand more", public=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_790_000_000.0)  # 2026-09-21 14:13:20 UTC


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture(autouse=True)
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock, store: MemoryStore
) -> Iterator[Services]:
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setenv("TZ", "UTC")
        patch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
        time.tzset()
        services = configure(Config(), backend="immediate", clock=clock, store=store)
        services.registry.add(Double)
        yield services
        reset()
    time.tzset()


def call(*words: str, code: int = 0, columns: int = 80) -> Any:
    result = CliRunner().invoke(app, ["jobs", *words], env={"COLUMNS": str(columns), "NO_COLOR": "1"})
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def found(*words: str) -> list[str]:
    return [job["uuid"] for job in json.loads(call(*words, "--json").stdout)["jobs"]]


def a_job(store: MemoryStore, clock: FakeClock, *, failure: Failure | None = None, **given: Any) -> str:
    """A job that waits for 2 s and runs for 3."""
    message = a_message(clock, **{"task": "double", **given})
    store.put_jobs([message])
    clock.move(2)
    claim = store.claim(message, token="a", lease=clock.ms + 60_000, request_id="r")
    clock.move(3)
    if failure is None:
        store.succeed(message.uuid, claim, Snapshot(1), {"number": 1})
    else:
        store.fail(message.uuid, claim, Snapshot(1), failure)
    return message.uuid


def test_the_table_shows_what_failed_and_why_within_80_columns(store: MemoryStore, clock: FakeClock) -> None:
    long = "shop.orders.background.tasks.RecalculateEverything"
    uuid = a_job(store, clock, failure=BROKEN, tenant="acme", task=long)
    a_job(store, clock)

    lines = call("--status", "failed").stdout.splitlines()

    assert lines[1].startswith("failed  …")
    assert "RecalculateEverything      1    2.0s  3.0s  09-21 14:13:25" in lines[1]
    # The whole id, as the other commands take it.
    assert lines[2:] == [f"  {uuid}  tenant acme; KeyError: 'x' and more", "1 job."]
    assert max(map(len, lines)) <= 80


def test_each_filter_is_an_option(store: MemoryStore, clock: FakeClock) -> None:
    failed = a_job(store, clock, failure=BROKEN, owner="7", tenant="acme", queue="low")
    clock.move(3600)
    fine = a_job(store, clock, owner="8")
    other = a_job(store, clock, task="chain")

    assert found() == [other, fine, failed]
    assert found("--status", "succeeded") == [other, fine]
    assert found("--task", "double") == [fine, failed]
    assert found("--task", "double", "--task", "chain") == [other, fine, failed]
    assert found("--error", "KeyError") == [failed]
    assert found("--fingerprint", "none") == []
    assert found("--owner", "7") == [failed]
    assert found("--tenant", "acme") == [failed]
    assert found("--queue", "low") == [failed]
    assert found("--id", failed[:8]) == [failed]
    assert found("--id", failed) == [failed]
    assert found("--longer-than", "2.9") == [other, fine, failed]
    assert found("--longer-than", "3") == []
    assert found("--since", "30m") == [other, fine]
    assert found("--until", "30m") == [failed]
    assert found("--since", "14:00", "--until", "2026-09-21T14:13:30+00:00") == [failed]
    assert found("--time", "finished", "--since", "2026-09-21 14:13:25", "--until", "15:00:00") == [failed]


def test_the_members_of_a_group_are_found(project: Services) -> None:
    uuid = group(Double.signature(number=number) for number in range(3)).submit().uuid
    Double.submit(number=5)
    assert len(found()) == 5
    assert len(found("--group", uuid)) == 3
    assert uuid in found("--task", "group")


def test_json_has_what_the_table_shows_and_more(store: MemoryStore, clock: FakeClock) -> None:
    uuid = a_job(store, clock, failure=BROKEN, owner="7", tenant="acme")
    a_job(store, clock)

    page = json.loads(call("--limit", "1", "--json").stdout)
    assert {name: page[name] for name in ("looked_at", "looked_back_to")} == {
        "looked_at": 1,
        "looked_back_to": "2026-09-21T14:13:25.000Z",
    }
    rest = json.loads(call("--limit", "1", "--cursor", page["cursor"], "--json").stdout)
    (job,) = rest["jobs"]
    assert (rest["cursor"], rest["looked_at"], rest["looked_back_to"]) == (None, 1, None)
    assert {name: job[name] for name in ("uuid", "task", "owner", "tenant", "queue", "error")} == {
        "uuid": uuid,
        "task": "double",
        "owner": "7",
        "tenant": "acme",
        "queue": "default",
        "error": {"type": "KeyError", "message": "'x'\nand more"},
    }
    assert (job["duration"], job["queue_wait"], job["attempt"], job["fingerprint"]) == (3.0, 2.0, 1, None)


def test_a_page_says_how_far_it_has_looked_and_how_to_go_on(store: MemoryStore, clock: FakeClock) -> None:
    uuid = a_job(store, clock, tenant="acme")
    for _ in range(600):
        store.put_jobs([a_message(clock, task="double")])
        clock.move(1)

    first = call("--tenant", "acme")

    assert first.stdout.splitlines() == [
        "No jobs among the 500 looked at, back to 2026-09-21 14:15:05 UTC.",
    ]
    cursor = first.stderr.strip().split(" ")[-1]
    assert first.stderr == f"There may be more: repeat the command with --cursor {cursor}\n"
    assert found("--tenant", "acme", "--cursor", cursor) == [uuid]
    assert call("--tenant", "acme", "--cursor", cursor).stderr == ""


def test_a_pending_job_has_no_empty_line_and_a_waiting_one_says_why(
    store: MemoryStore, clock: FakeClock
) -> None:
    message = a_message(clock, task="double")
    store.put_jobs([message])
    assert call().stdout.splitlines()[1:] == [
        "pending  double                             09-21 14:13:20",
        f"  {message.uuid}",
        "1 job.",
    ]
    store.returned(message, BROKEN)
    assert f"  {message.uuid}  KeyError: 'x' and more" in call("--status", "waiting").stdout.splitlines()


def test_a_task_cannot_steer_the_terminal(store: MemoryStore, clock: FakeClock) -> None:
    a_job(store, clock, failure=Failure(type="E", message="\x1b[2J[bold]x"))
    shown = call().stdout
    assert "\\x1b[2J[bold]x" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--status", "done"], "'done' is not one of"),
        (["--time", "created"], "'created' is not one of"),
        (["--since", "whenever"], "--since 'whenever': give a time of the day"),
        (["--id", "xyz"], "'xyz' is no beginning of a job's id"),
        (["--group", "abc"], "'abc' is not a UUID"),
        (["--cursor", "nonsense"], "The cursor 'nonsense' was not returned"),
        (["--limit", "0"], "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], reason: str) -> None:
    result = call(*words, code=2, columns=200)
    assert reason in result.stderr


def test_a_group_that_is_not_there_is_not_found() -> None:
    call("--group", "0b0c3f0a-6a8e-4c59-8f64-0b7d2d5f3a51", code=3)


def test_nothing_found_is_no_error() -> None:
    assert call("--status", "failed").stdout == "No jobs.\n"

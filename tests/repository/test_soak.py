"""That the soak benchmark would say so if something were lost, and that its faults are what AWS would answer."""

import os
from pathlib import Path
from unittest import mock

import pytest

from benchmarks.soak import diary
from benchmarks.soak.diary import FINISHED, RECORDED, STARTED, THROTTLED, Event, Reader, note
from benchmarks.soak.network import disturb
from benchmarks.soak.plan import Plan
from benchmarks.soak.verdict import Seen, Verdict, judge, seen
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.record import Record
from serverless_tasks.errors import AwsError
from tests.support.aws import ENVIRONMENT

GOOD = [Event(STARTED, "a", 1, 7), Event(FINISHED, "a", 1, 7), Event(RECORDED, "a", 1, 7)]
ENDED = Record(uuid="a", task="soak", status="succeeded", attempt=1)
FINE = Verdict(lost=0, run_twice=0, left_open=0, messages_left=0)


def counts(record: Record | None, events: list[Event], messages_left: int = 0) -> dict[str, int]:
    """The counts that are not zero."""
    verdict = judge(["a"], {"a": record} if record else {}, events, messages_left)
    found = {
        "lost": verdict.lost,
        "run_twice": verdict.run_twice,
        "left_open": verdict.left_open,
        "messages_left": verdict.messages_left,
    }
    assert verdict.holds == (verdict == FINE)
    return {name: count for name, count in found.items() if count}


def test_a_job_that_ended_well_counts_nowhere() -> None:
    assert counts(ENDED, GOOD) == {}


def test_a_job_of_which_the_table_knows_nothing_is_lost() -> None:
    assert counts(None, GOOD) == {"lost": 1}


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_ended_without_its_work_is_lost(status: str) -> None:
    assert counts(Record(uuid="a", task="soak", status=status, attempt=1), GOOD) == {"lost": 1}


def test_a_success_without_the_effect_of_its_attempt_is_lost() -> None:
    assert counts(Record(uuid="a", task="soak", status="succeeded", attempt=2), GOOD) == {"lost": 1}


def test_an_attempt_after_the_recorded_end_is_one_too_many() -> None:
    again = [Event(STARTED, "a", 2, 8), Event(FINISHED, "a", 2, 8)]
    assert counts(ENDED, [*GOOD, *again]) == {"run_twice": 1}


def test_an_attempt_after_a_killed_one_is_as_it_should_be() -> None:
    killed = [Event(STARTED, "a", 1, 7), Event(FINISHED, "a", 1, 7)]
    second = [Event(what, "a", 2, 8) for what in (STARTED, FINISHED, RECORDED)]
    assert counts(Record(uuid="a", task="soak", status="succeeded", attempt=2), killed + second) == {}
    assert seen(killed + second) == Seen(attempts=2, attempts_lost=1, throttles=0)


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_job_that_has_not_ended_is_left_open(status: str) -> None:
    assert counts(Record(uuid="a", task="soak", status=status), []) == {"left_open": 1}


def test_a_message_in_a_queue_is_left() -> None:
    assert counts(ENDED, GOOD, messages_left=3) == {"messages_left": 3}


def test_a_plan_dooms_and_doubles_its_shares_among_the_first_jobs() -> None:
    plan = Plan(jobs=1000, kills=0.02, duplicates=0.05)
    assert (len(plan.doomed), len(plan.doubled)) == (20, 50)
    assert max(plan.doomed | plan.doubled) < 500
    assert plan.doomed == Plan(jobs=1000).doomed != Plan(jobs=1000, seed=2).doomed
    assert len(Plan(jobs=10, kills=1.0).doomed) == 10


def test_a_reader_gives_whole_lines_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(diary.VARIABLE, str(tmp_path / "diary"))
    reader = Reader(tmp_path / "diary")
    note(STARTED, "a", 1)
    started = Event(STARTED, "a", 1, os.getpid())
    assert reader.news() == [started]
    with (tmp_path / "diary").open("ab") as file:
        file.write(b"finished a 1")
        file.flush()
        assert reader.news() == []
        file.write(b" 7\n")
    assert reader.news() == [Event(FINISHED, "a", 1, 7)]
    assert len(reader.events) == 2


@pytest.mark.parametrize(
    ("service", "method", "parameters", "code"),
    [
        ("sqs", "list_queues", {}, "RequestThrottled"),
        ("dynamodb", "list_tables", {}, "ProvisionedThroughputExceededException"),
    ],
)
def test_a_throttled_call_is_tried_again_by_botocore_and_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str, method: str, parameters: dict, code: str
) -> None:
    monkeypatch.setenv(diary.VARIABLE, str(tmp_path / "diary"))
    reader = Reader(tmp_path / "diary")
    # Port 9 is nobody's: what is throttled never gets there.
    local = {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with mock.patch.dict(os.environ, local), mock.patch("time.sleep"):
        session.reset()
        disturb(1.0, "any")
        with pytest.raises(AwsError) as caught:
            session.call(getattr(session.client(service, attempts=3), method), **parameters)
    session.reset()
    assert caught.value.code == code
    assert not caught.value.applied
    assert [event.what for event in reader.news()] == [THROTTLED] * 3


def test_a_run_in_which_no_end_was_seen_proves_nothing() -> None:
    verdict = judge(["a"], {"a": ENDED}, [event for event in GOOD if event.what != RECORDED], 0)
    assert (verdict.unseen, verdict.holds) == (1, False)
    assert judge(["a"], {"a": ENDED}, GOOD, 0).unseen == 0

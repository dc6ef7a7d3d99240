"""That the soak benchmark would say so if something were lost, and that its faults are what AWS would answer."""

import os
from pathlib import Path
from unittest import mock

import pytest

from benchmarks.soak import diary
from benchmarks.soak.diary import FINISHED, RECORDED, STARTED, THROTTLED, WAITING, Event, Reader, note
from benchmarks.soak.network import disturb, doom
from benchmarks.soak.plan import Plan
from benchmarks.soak.submission import Submitted
from benchmarks.soak.verdict import Seen, Verdict, judge, seen
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.job.record import Members, Record
from serverless_tasks.errors import AwsError
from tests.support.aws import ENVIRONMENT

GOOD = [Event(STARTED, "a", 1, 7), Event(FINISHED, "a", 1, 7), Event(RECORDED, "a", 1, 7)]
ENDED = Record(uuid="a", task="soak", status="succeeded", attempt=1)
ALONE = Submitted(["a"], [], 0)
FINE = Verdict(lost=0, run_twice=0, left_open=0, messages_left=0)


def counts(record: Record | None, events: list[Event], messages_left: int = 0) -> dict[str, int]:
    """The counts that are not zero."""
    verdict = judge(ALONE, {"a": record} if record else {}, events, messages_left)
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
    assert seen(ALONE, killed + second) == Seen(attempts=2, attempts_lost=1, throttles=0)


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_job_that_has_not_ended_is_left_open(status: str) -> None:
    assert counts(Record(uuid="a", task="soak", status=status), []) == {"left_open": 1}


def test_a_message_in_a_queue_is_left() -> None:
    assert counts(ENDED, GOOD, messages_left=3) == {"messages_left": 3}


def test_a_plan_dooms_and_doubles_its_shares_among_the_first_jobs() -> None:
    plan = Plan(jobs=1000, kills=0.02, duplicates=0.05)
    alone = [{number for number in numbers if number < 1000} for numbers in (plan.doomed, plan.doubled)]
    assert list(map(len, alone)) == [20, 50]
    assert max(alone[0] | alone[1]) < 500
    assert plan.doomed == Plan(jobs=1000).doomed != Plan(jobs=1000, seed=2).doomed
    assert len(Plan(jobs=10, groups=0, kills=1.0).doomed) == 10


def test_a_plan_dooms_and_doubles_its_shares_of_the_members_too() -> None:
    plan = Plan(jobs=100, groups=5, members=200, kills=0.02, duplicates=0.05)
    members = {number for group in range(5) for number in plan.numbers(group)}
    assert members == set(range(100, 1100))
    assert (len(plan.doomed & members), len(plan.doubled & members)) == (20, 50)


def test_a_plan_spreads_its_groups_over_the_first_jobs() -> None:
    plan = Plan(jobs=1000, groups=10)
    submitted = [plan.submitted_before(number) for number in range(1000)]
    assert submitted == sorted(submitted)
    assert (submitted[0], submitted[250], submitted[500]) == (1, 6, 10)


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
    verdict = judge(ALONE, {"a": ENDED}, [event for event in GOOD if event.what != RECORDED], 0)
    assert (verdict.unseen, verdict.holds) == (1, False)
    assert judge(ALONE, {"a": ENDED}, GOOD, 0).unseen == 0


GROUP = "2b1c4f5e-0d4f-4a3c-9a57-0f6a3d2c1b00"
ONE, TWO, AFTER = member_id(GROUP, 0), member_id(GROUP, 1), continuation_id(GROUP)
SENT = Submitted([], [GROUP], 2)
RUNS = [Event(what, uuid, 1, 7) for uuid in (ONE, TWO, AFTER) for what in (STARTED, FINISHED, RECORDED)]


def a_run_with_a_group(**changes: Record | None) -> dict[str, Record]:
    """The records of a run in which all went well, but for what is changed."""
    both = Members(total=2, succeeded=2)
    records: dict[str, Record | None] = {
        "group": Record(uuid=GROUP, task="group", status="succeeded", members=both),
        "one": Record(uuid=ONE, task="soak", status="succeeded", attempt=1, finished=10),
        "two": Record(uuid=TWO, task="soak", status="succeeded", attempt=1, finished=20),
        "after": after(),
    }
    return {record.uuid: record for record in (records | changes).values() if record is not None}


def after(created: int = 20, count: int = 2) -> Record:
    """The record of what follows the group."""
    outputs = {"first": 0, "count": count}
    return Record(uuid=AFTER, task="after", status="succeeded", attempt=1, created=created, outputs=outputs)


def not_zero(records: dict[str, Record], events: list[Event]) -> dict[str, int]:
    """The counts of groups that are not zero."""
    verdict = judge(SENT, records, events, 0)
    names = ("members_open", "groups_open", "continuations_early", "continuations_lost")
    found = {name: getattr(verdict, name) for name in names if getattr(verdict, name)}
    assert verdict.holds == (not found)
    return found


def test_a_group_whose_continuation_ran_after_all_members_counts_nowhere() -> None:
    assert not_zero(a_run_with_a_group(), RUNS) == {}
    assert seen(SENT, RUNS).continuations == 1


def test_a_continuation_that_is_begun_before_the_work_of_a_member_is_done_is_early() -> None:
    early = [*RUNS[:3], *RUNS[6:], *RUNS[3:6]]
    assert not_zero(a_run_with_a_group(), early) == {"continuations_early": 1}


def test_a_continuation_that_is_sent_before_the_end_of_a_member_is_early() -> None:
    assert not_zero(a_run_with_a_group(after=after(created=19)), RUNS) == {"continuations_early": 1}


def test_a_continuation_that_never_ran_is_lost() -> None:
    assert not_zero(a_run_with_a_group(after=None), RUNS[:6])["continuations_lost"] == 1
    assert seen(SENT, RUNS[:6]).continuations == 0


def test_a_continuation_without_the_results_of_all_members_is_lost() -> None:
    assert not_zero(a_run_with_a_group(after=after(count=1)), RUNS) == {"continuations_lost": 1}


def test_members_without_an_end_are_counted() -> None:
    running = Record(uuid=TWO, task="soak", status="running", attempt=1)
    for two in (running, None):
        found = not_zero(a_run_with_a_group(two=two), RUNS)
        assert (found["members_open"], found["continuations_early"]) == (1, 1)


def test_a_group_that_has_not_ended_or_has_not_counted_all_is_open() -> None:
    for status, succeeded in (("running", 2), ("failed", 2), ("succeeded", 1)):
        members = Members(total=2, succeeded=succeeded)
        group = Record(uuid=GROUP, task="group", status=status, members=members)
        assert not_zero(a_run_with_a_group(group=group), RUNS) == {"groups_open": 1}


@pytest.mark.parametrize(
    ("counting", "closing", "sk", "value"),
    [(1.0, 0.0, "g#shard", ":unite_ended"), (0.0, 1.0, "s#state", ":unite_full")],
)
def test_a_worker_is_killed_at_the_writes_that_count_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counting: float, closing: float, sk: str, value: str
) -> None:
    monkeypatch.setenv(diary.VARIABLE, str(tmp_path / "diary"))
    reader = Reader(tmp_path / "diary")
    local = {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    update = {
        "TableName": "jobs",
        "Key": {"pk": {"S": GROUP}, "sk": {"S": sk}},
        "ExpressionAttributeValues": {value: {"NS": ["1"]}},
        "UpdateExpression": f"ADD a {value}",
    }
    with mock.patch.dict(os.environ, local), mock.patch("time.sleep"):
        session.reset()
        disturb(1.0, "any")
        doom(counting, closing, "any")
        client = session.client("dynamodb", attempts=1)
        with pytest.raises(RuntimeError, match="Nobody killed"):
            client.update_item(**update)
        waits = [event.id for event in reader.news() if event.what == WAITING]
        with pytest.raises(AwsError):
            session.call(
                client.update_item,
                **update
                | {
                    "ExpressionAttributeValues": {":a": {"N": "1"}},
                    "Key": {"pk": {"S": GROUP}, "sk": {"S": "s#state"}},
                },
            )
    session.reset()
    assert waits == [GROUP]
    assert WAITING not in [event.what for event in reader.news()]

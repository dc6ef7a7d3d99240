"""The spans of a job's timeline, and the geometry of their picture."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks import Task
from serverless_tasks.client.operations.story.picture import FIRST_ROWS, LEAST, MOST_ROWS, Picture, picture_of
from serverless_tasks.client.operations.story.spans import ENDS, NAMED, Span, spans, spans_of
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import WORKER_LOST, EndedAttempt, Failure, Record
from serverless_tasks.params import NumberParameter
from serverless_tasks.testing import RecordedTasks, recorded
from serverless_tasks.workflow import chain, group

BROKEN = Failure(type="ValueError", message="it broke", public=False)
CREATED = 1_000_000


def an_attempt(number: int, started: int, ended: int, **given: Any) -> EndedAttempt:
    failure = given.pop("failure", BROKEN)
    return EndedAttempt(
        number=number, started=CREATED + started, ended=CREATED + ended, failure=failure, **given
    )


def a_record(**given: Any) -> Record:
    times = {name: CREATED + given.pop(name) for name in ("attempted", "finished", "run_at") if name in given}
    return Record(uuid="u", task="sum", created=CREATED, **times, **given)


def told(found: list[Span]) -> list[tuple[Any, ...]]:
    """Kind, begin and end since the submission, and outcome."""
    return [
        (span.kind, span.start - CREATED, None if span.end is None else span.end - CREATED, span.outcome)
        for span in found
    ]


def test_a_job_that_waits_is_in_its_queue() -> None:
    assert told(spans(a_record(), None)) == [("queue", 0, None, None)]


def test_a_job_that_succeeded_waited_and_ran() -> None:
    record = a_record(status="succeeded", attempt=1, attempted=250, finished=1250)
    assert told(spans(record, None)) == [("queue", 0, 250, None), ("attempt", 250, 1250, "succeeded")]


def test_a_job_that_runs_has_not_ended() -> None:
    record = a_record(status="running", attempt=1, attempted=250)
    assert told(spans(record, None)) == [("queue", 0, 250, None), ("attempt", 250, None, "running")]


def test_a_retry_pauses_until_it_is_due_and_waits_for_a_worker() -> None:
    record = a_record(
        status="failed",
        attempt=2,
        attempted=6000,
        finished=6500,
        failure=BROKEN,
        history=(an_attempt(1, 100, 300, due=CREATED + 5300), an_attempt(2, 6000, 6500)),
    )
    assert told(spans(record, None)) == [
        ("queue", 0, 100, None),
        ("attempt", 100, 300, "failed"),
        ("pause", 300, 5300, None),
        ("queue", 5300, 6000, None),
        ("attempt", 6000, 6500, "failed"),
    ]


def test_before_it_was_recorded_when_a_retry_was_due_all_is_pause() -> None:
    record = a_record(
        status="succeeded", attempt=2, attempted=6000, finished=6500, history=(an_attempt(1, 100, 300),)
    )
    assert told(spans(record, None))[2:] == [("pause", 300, 6000, None), ("attempt", 6000, 6500, "succeeded")]


def test_a_retry_that_is_not_due_yet_pauses() -> None:
    record = a_record(
        attempt=1, attempted=100, run_at=5300, history=(an_attempt(1, 100, 300, due=CREATED + 5300),)
    )
    assert told(spans(record, None))[2:] == [("pause", 300, 5300, None), ("queue", 5300, None, None)]


def test_a_job_that_was_cancelled_in_its_pause_waited_until_then() -> None:
    record = a_record(
        status="cancelled",
        attempt=1,
        attempted=100,
        finished=1000,
        history=(an_attempt(1, 100, 300, due=CREATED + 5300),),
    )
    assert told(spans(record, None))[2:] == [("pause", 300, 1000, None)]


def test_a_lost_attempt_is_followed_by_the_queue() -> None:
    record = a_record(
        status="running", attempt=2, attempted=9000, history=(an_attempt(1, 100, 8000, failure=WORKER_LOST),)
    )
    assert told(spans(record, None)) == [
        ("queue", 0, 100, None),
        ("attempt", 100, 8000, "lost"),
        ("queue", 8000, 9000, None),
        ("attempt", 9000, None, "running"),
    ]


class Half(Task):
    name = "half"
    inputs = {"number": NumberParameter()}
    outputs = {"half": NumberParameter()}

    def run(self, number: float) -> float:
        if number < 0:
            raise ValueError(f"{number} is negative")
        return number / 2


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(Half) as jobs:
        yield jobs


def found(jobs: RecordedTasks, uuid: str) -> list[Span]:
    store = jobs.services.store
    record = store.read(uuid)
    assert record is not None
    return spans_of(jobs.services, record, store.job(uuid))


def test_a_job_with_a_delay_is_held_back_until_it_is_due(jobs: RecordedTasks) -> None:
    handle = Half.options(delay=60).submit(number=2)
    assert [(span.kind, span.lasted(0)) for span in found(jobs, handle.uuid)][:1] == [("delay", 60_000)]
    jobs.clock.move(75)
    jobs.drain()

    assert [(span.kind, span.lasted(0)) for span in found(jobs, handle.uuid)][:2] == [
        ("delay", 60_000),
        ("queue", 15_000),
    ]


def test_a_group_tells_of_what_failed_and_of_the_first_and_last_members(jobs: RecordedTasks) -> None:
    numbers = [-1.0 if index in (40, 41) else 1.0 for index in range(100)]
    handle = group(Half.signature(number=number) for number in numbers).submit()
    jobs.drain()

    first, *members = found(jobs, handle.uuid)

    assert (first.kind, first.outcome) == ("group", "failed")
    assert [(span.index, span.outcome) for span in members] == [
        *((index, "succeeded") for index in range(2 * ENDS)),
        (40, "failed"),
        (41, "failed"),
        *((index, "succeeded") for index in range(100 - ENDS, 100)),
    ]
    assert members[6].uuid == member_id(handle.uuid, 40)


def test_a_group_of_many_failures_is_bounded(jobs: RecordedTasks) -> None:
    handle = group(Half.signature(number=-1) for _ in range(60)).submit()
    jobs.drain()
    assert len(found(jobs, handle.uuid)) == 1 + NAMED + ENDS


def test_a_page_tells_of_the_members_alone_that_it_may(jobs: RecordedTasks) -> None:
    handle = group(Half.signature(number=number) for number in range(3)).submit()
    jobs.drain()
    record = jobs.services.store.read(handle.uuid)
    assert record is not None
    seen = spans_of(jobs.services, record, None, sees=lambda member: member.uuid != member_id(handle.uuid, 1))
    assert [span.index for span in seen[1:]] == [0, 2]


def test_a_chain_tells_of_the_steps_that_were_sent(jobs: RecordedTasks) -> None:
    handle = chain(Half.signature(number=4), Half.signature(number=1)).submit()
    jobs.drain()
    assert [span.index for span in found(jobs, handle.uuid)[1:]] == [0, 1]


def test_a_span_is_json(jobs: RecordedTasks) -> None:
    span = Span(kind="attempt", start=0, end=1500, outcome="failed", attempt=2)
    assert span.to_json(9000) == {
        "span": "attempt",
        "from": "1970-01-01T00:00:00.000Z",
        "until": "1970-01-01T00:00:01.500Z",
        "seconds": 1.5,
        "outcome": "failed",
        "attempt": 2,
    }
    assert replace(span, end=None).to_json(9000)["seconds"] == 9.0
    assert to_ms(9) == 9000


class TestPicture:
    """The geometry."""

    def drawn(self, *found: Span, now: int = 10_000) -> Picture:
        picture = picture_of(found, now)
        assert picture is not None
        return picture

    def test_nothing_makes_no_picture(self) -> None:
        assert picture_of([], 0) is None

    def test_bars_stand_where_their_times_are(self) -> None:
        picture = self.drawn(
            Span(kind="queue", start=0, end=2500),
            Span(kind="attempt", start=2500, end=None, outcome="running"),
        )
        bars = [(bar.tone, bar.left, bar.right, bar.lasts) for row in picture.rows for bar in row.bars]
        assert bars == [("waiting", 0.0, 0.25, False), ("running", 0.25, 1.0, True)]
        assert (picture.start, picture.end, picture.lasted) == (0, 10_000, 10_000)

    def test_what_took_no_time_can_be_seen(self) -> None:
        picture = self.drawn(
            Span(kind="queue", start=0, end=3_600_000),
            Span(kind="attempt", start=3_600_000, end=3_600_001, outcome="succeeded"),
        )
        [bar] = picture.rows[1].bars
        assert bar.width == pytest.approx(LEAST)
        assert bar.right == 1.0

    def test_all_at_once_is_a_picture_as_well(self) -> None:
        picture = self.drawn(Span(kind="queue", start=5, end=5), now=5)
        assert picture.rows[0].bars[0].width == pytest.approx(LEAST)
        assert [mark.since for mark in picture.marks] == [0]

    def test_a_member_waits_and_runs_in_one_row(self) -> None:
        picture = self.drawn(
            Span(kind="member", start=0, end=10_000, began=4_000, outcome="succeeded", index=0)
        )
        assert [(bar.tone, bar.left, bar.right) for bar in picture.rows[0].bars] == [
            ("waiting", 0.0, 0.4),
            ("succeeded", 0.4, 1.0),
        ]

    @pytest.mark.parametrize(
        ("lasted", "marks"),
        [
            (7, [0, 2, 4, 6]),
            (1234, [0, 500, 1000]),
            (60_000, [0, 15_000, 30_000, 45_000, 60_000]),
            (7_200_000, [0, 1_800_000, 3_600_000, 5_400_000, 7_200_000]),
            (150 * 86_400_000, [day * 86_400_000 for day in range(0, 151, 30)]),
        ],
    )
    def test_the_axis_has_round_marks(self, lasted: int, marks: list[int]) -> None:
        picture = self.drawn(Span(kind="queue", start=0, end=lasted))
        assert [mark.since for mark in picture.marks] == marks

    def test_of_many_attempts_the_first_and_the_last_are_drawn(self) -> None:
        every = [Span(kind="attempt", start=n, end=n + 1, attempt=n, outcome="failed") for n in range(100)]
        picture = self.drawn(*every)
        assert [row.span.attempt for row in picture.rows] == [
            *range(FIRST_ROWS),
            *range(100 - MOST_ROWS + FIRST_ROWS, 100),
        ]
        assert (picture.left_out, picture.left_out_at) == (60, FIRST_ROWS)

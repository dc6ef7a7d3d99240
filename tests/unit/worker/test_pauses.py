"""The pauses of queues and tasks: what a process knows of them, and how often it looks."""

from collections.abc import Mapping

import pytest

from serverless_tasks.engine.worker.pauses import QUEUE, TASK, Pause, Pauses
from serverless_tasks.errors import AwsError
from tests.support.clock import FakeClock


class Kept:
    """A store in a dictionary that counts its reads."""

    def __init__(self) -> None:
        self.items: dict[str, str] = {}
        self.reads = 0
        self.renewals = 0
        self.broken = False

    def read(self) -> Mapping[str, str]:
        self.reads += 1
        if self.broken:
            raise AwsError("dynamodb.GetItem", "Throttled", "too fast", applied=False)
        return dict(self.items)

    def put(self, key: str, text: str) -> None:
        self.items[key] = text

    def remove(self, key: str) -> None:
        self.items.pop(key, None)

    def renew(self) -> None:
        self.renewals += 1
        if self.broken:
            raise AwsError("dynamodb.UpdateItem", "AccessDeniedException", "not allowed", applied=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def pauses(kept: Kept, clock: FakeClock) -> Pauses:
    return Pauses(kept, clock)


def paused(clock: FakeClock, name: str = "reports.nightly", **given: object) -> Pause:
    return Pause(**{"kind": TASK, "name": name, "since": clock.ms, "by": "ada", **given})  # type: ignore[arg-type]


def test_a_pause_says_who_paused_what_since_when_and_why(clock: FakeClock) -> None:
    pause = paused(clock, why="The printer burns.", until=clock.ms + 3_600_000)
    assert pause.sentence == (
        "The task reports.nightly is paused by ada since 2026-01-01 00:00:00 UTC, until 2026-01-01 01:00:00 UTC:"
        " The printer burns."
    )
    assert (pause.failure.type, pause.failure.public) == ("TaskPaused", False)
    assert Pause.decode(pause.encode()) == pause


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"kind": "task"}',
        '{"kind": "tenant", "name": "a", "since": 1}',
        '{"kind": ["task"], "name": "a", "since": 1}',
        '{"kind": "task", "name": "a", "since": Infinity}',
    ],
)
def test_a_pause_that_newer_code_has_written_is_left_out(text: str, kept: Kept, pauses: Pauses) -> None:
    kept.items["task_new"] = text
    assert pauses.all() == []


def test_members_that_newer_code_adds_to_a_pause_do_no_harm(clock: FakeClock) -> None:
    text = paused(clock).encode().replace("{", '{"severity":"high",', 1)
    assert Pause.decode(text) == paused(clock)


def test_a_process_looks_once_in_ten_seconds(kept: Kept, pauses: Pauses, clock: FakeClock) -> None:
    for _ in range(100):
        assert pauses.of(TASK, "reports.nightly") is None
        clock.move(0.1)
    assert kept.reads == 1
    clock.move(1)
    Pauses(kept, clock).put(paused(clock))
    kept.reads = 0
    assert pauses.of(TASK, "reports.nightly") == paused(clock)
    assert pauses.of(QUEUE, "reports.nightly") is None
    assert kept.reads == 1


def test_without_an_answer_what_was_last_read_stands(kept: Kept, pauses: Pauses, clock: FakeClock) -> None:
    pauses.put(paused(clock))
    kept.broken = True
    clock.move(60)
    assert pauses.of(TASK, "reports.nightly") is not None
    with pytest.raises(AwsError):
        pauses.all(fresh=True)


def test_a_pause_ends_by_itself_and_the_next_change_removes_it(
    kept: Kept, pauses: Pauses, clock: FakeClock
) -> None:
    pauses.put(paused(clock, until=clock.ms + 5_000))
    assert len(pauses.all()) == 1
    clock.move(5)
    assert pauses.all() == []
    assert pauses.of(TASK, "reports.nightly") is None
    assert len(kept.items) == 1
    pauses.put(paused(clock, "other"))
    assert [Pause.decode(text) for text in kept.items.values()] == [paused(clock, "other")]


def test_two_operators_do_not_undo_each_others_pauses(kept: Kept, clock: FakeClock) -> None:
    one, other = Pauses(kept, clock), Pauses(kept, clock)
    assert one.all() == other.all() == []
    one.put(paused(clock, "a"))
    other.put(paused(clock, "b"))
    one.remove(TASK, "a")
    assert [pause.name for pause in other.all(fresh=True)] == ["b"]


def test_a_pause_that_holds_is_kept_for_longer_and_once_an_hour_is_enough(
    clock: FakeClock, kept: Kept, pauses: Pauses
) -> None:
    pauses.all()
    assert kept.renewals == 0  # nothing is paused
    kept.put("task_a", paused(clock, until=clock.ms + 7_200_000).encode())
    for _ in range(3):
        clock.move(60)
        pauses.all()
    assert kept.renewals == 1
    clock.move(3600)
    pauses.all()
    assert kept.renewals == 2
    clock.move(3600)  # it has ended
    pauses.all()
    assert kept.renewals == 2


def test_who_may_not_keep_a_pause_for_longer_sees_it_all_the_same(
    clock: FakeClock, kept: Kept, pauses: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    kept.put("task_reports", paused(clock).encode())
    kept.read = lambda: dict(kept.items)  # type: ignore[method-assign]
    kept.broken = True
    assert [pause.name for pause in pauses.all()] == ["reports.nightly"]
    assert "could not be kept for longer" in caplog.text

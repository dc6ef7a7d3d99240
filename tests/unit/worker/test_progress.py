"""Progress: counted at once, written about once a second."""

import threading
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from serverless_tasks import TaskCancelled
from serverless_tasks.engine.job.progress import Progress, Snapshot
from serverless_tasks.engine.worker.progress_writer import ProgressWriter
from serverless_tasks.errors import LeaseLost
from tests.support.clock import FakeClock, until


class Store:
    """Keeps what is written; the answers can be scripted."""

    def __init__(self) -> None:
        self.written: list[Snapshot] = []
        self.cancelled = False
        self.failures: list[Exception] = []

    def write(self, snapshot: Snapshot) -> bool:
        if self.failures:
            raise self.failures.pop(0)
        self.written.append(snapshot)
        return self.cancelled


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def progress() -> Progress:
    return Progress()


@pytest.fixture
def writer(progress: Progress, store: Store, clock: FakeClock) -> ProgressWriter:
    return ProgressWriter(progress, store.write, clock)


def test_the_first_change_is_written_at_once(
    progress: Progress, store: Store, writer: ProgressWriter
) -> None:
    progress.set_progress(5)

    until(lambda: store.written)
    writer.close()
    assert store.written[0].progress == 5


def test_a_task_that_reports_nothing_starts_no_thread_and_writes_nothing(
    store: Store, writer: ProgressWriter
) -> None:
    threads = threading.active_count()

    last = writer.close()

    assert (store.written, last.progress, threading.active_count()) == ([], 0, threads)


def test_a_million_calls_within_a_second_are_one_write(
    progress: Progress, store: Store, writer: ProgressWriter
) -> None:
    progress.inc_progress()
    until(lambda: store.written)
    for _ in range(1_000_000):
        progress.inc_progress()

    last = writer.close()

    assert len(store.written) == 1
    assert last.progress == 1_000_001


def test_at_most_one_write_a_second(
    progress: Progress, store: Store, writer: ProgressWriter, clock: FakeClock
) -> None:
    progress.inc_progress()
    until(lambda: store.written)
    for second in range(1, 6):
        for _ in range(1000):
            progress.inc_progress()
        until(lambda: clock.now() + 1 in clock.waiting)
        clock.move(0.75)
        assert len(store.written) == second
        clock.pass_wait(0.25)
        until(lambda second=second: len(store.written) == second + 1)

    writer.close()
    assert [snapshot.progress for snapshot in store.written] == [1, 1001, 2001, 3001, 4001, 5001]


def test_the_last_value_is_handed_over_at_the_end(
    progress: Progress, store: Store, writer: ProgressWriter
) -> None:
    progress.set_target(10)
    until(lambda: store.written)
    progress.set_progress(10)
    progress.add_message("done")

    last = writer.close()

    assert (last.progress, last.target, last.messages) == (10, 10, ("done",))
    assert last.seq > store.written[-1].seq


def test_writes_are_numbered_upwards(
    progress: Progress, store: Store, writer: ProgressWriter, clock: FakeClock
) -> None:
    for number in range(1, 4):
        progress.set_progress(number)
        until(lambda number=number: len(store.written) == number)
        clock.pass_wait(1)
    last = writer.close()

    assert [snapshot.seq for snapshot in store.written] == [1, 2, 3]
    assert last.seq == 4


def test_a_message_is_written_once_and_in_order(
    progress: Progress, store: Store, writer: ProgressWriter, clock: FakeClock
) -> None:
    progress.add_message("one")
    until(lambda: store.written)
    progress.add_message("two")
    progress.add_message("three")
    last = writer.close()

    assert [snapshot.messages for snapshot in [*store.written, last]] == [("one",), ("two", "three")]
    assert (last.first, last.message_count) == (1, 3)


def test_concurrent_messages_are_all_kept(progress: Progress, store: Store, writer: ProgressWriter) -> None:
    def report(name: int) -> None:
        for number in range(500):
            progress.add_message(f"{name}-{number}")
            progress.inc_progress()

    threads = [threading.Thread(target=report, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = writer.close()

    messages = [text for snapshot in [*store.written, last] for text in snapshot.messages]
    assert sorted(messages) == sorted(f"{name}-{number}" for name in range(8) for number in range(500))
    assert last.progress == 4000
    for name in range(8):
        own = [text for text in messages if text.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(500)]


def test_a_write_that_failed_is_made_again_a_second_later(
    progress: Progress, store: Store, writer: ProgressWriter, clock: FakeClock
) -> None:
    store.failures.append(OSError("the network is down"))
    progress.add_message("one")
    progress.set_progress(5)
    until(lambda: not store.failures)
    progress.add_message("two")
    clock.pass_wait(1)

    until(lambda: store.written)
    writer.close()
    assert store.written[0].messages == ("one", "two")
    assert store.written[0].progress == 5


def test_messages_of_a_write_that_failed_are_handed_over_at_the_end(
    progress: Progress, store: Store, writer: ProgressWriter
) -> None:
    store.failures.append(OSError("the network is down"))
    progress.add_message("one")
    until(lambda: not store.failures)

    last = writer.close()

    assert (last.messages, last.first) == (("one",), 0)


def test_the_answer_to_a_write_stops_the_task(
    progress: Progress, store: Store, writer: ProgressWriter
) -> None:
    store.cancelled = True

    with pytest.raises(TaskCancelled):
        until(progress.inc_progress)
    writer.close()


def test_a_lost_lease_stops_the_task(progress: Progress, store: Store, writer: ProgressWriter) -> None:
    store.failures.append(LeaseLost("taken over"))

    with pytest.raises(LeaseLost):
        until(lambda: progress.set_progress(2))
    writer.close()


def test_a_lease_is_renewed_without_any_change(progress: Progress, store: Store, clock: FakeClock) -> None:
    writer = ProgressWriter(progress, store.write, clock, renew=20)
    for _ in range(3):
        clock.pass_wait(20)
        clock.pass_wait(1)
    writer.close()

    assert len(store.written) == 3


def test_a_renewal_that_failed_is_made_again(progress: Progress, store: Store, clock: FakeClock) -> None:
    writer = ProgressWriter(progress, store.write, clock, renew=20)
    store.failures.append(OSError("the network is down"))
    clock.pass_wait(20)
    clock.pass_wait(1)

    until(lambda: store.written)
    writer.close()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e31, -(10**40), "a lot", None, 1j])
def test_a_progress_that_is_no_number_is_refused(progress: Progress, value: Any) -> None:
    with pytest.raises(ValueError, match="must be numbers"):
        progress.set_progress(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**40, 1j])
def test_a_step_that_is_no_number_does_not_spoil_the_count(
    progress: Progress, store: Store, writer: ProgressWriter, value: Any
) -> None:
    progress.set_progress(5)
    until(lambda: store.written)
    progress.inc_progress(value)

    assert writer.close().progress == 5


class NumpyFloat(float):
    """What numpy's numbers are: floats whose repr is another."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)})"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, 1), (Decimal("1.5"), 1.5), (Fraction(1, 4), 0.25), (NumpyFloat(2.5), 2.5), (1e-200, 0)],
    ids=["bool", "decimal", "fraction", "numpy", "tiny"],
)
def test_numbers_of_any_kind_are_stored_as_plain_ones(
    progress: Progress, writer: ProgressWriter, value: Any, expected: float
) -> None:
    progress.inc_progress(value)
    progress.set_target(value)
    last = writer.close()

    assert (last.progress, last.target) == (expected, expected)
    assert {type(last.progress), type(last.target)} <= {int, float}


def test_a_message_is_text_of_bounded_length(progress: Progress) -> None:
    progress.add_message(5)  # type: ignore[arg-type]
    progress.add_message("x" * 1_000_000)
    last = progress.take()

    assert last is not None
    assert [len(text) for text in last.messages] == [1, 10_000]


def test_a_message_without_utf8_is_kept_as_far_as_it_has_some(progress: Progress) -> None:
    progress.add_message("half a pair: \ud800")

    snapshot = progress.take()
    assert snapshot is not None
    assert snapshot.messages == ("half a pair: ?",)


def test_asking_whether_to_stop(progress: Progress) -> None:
    answers = iter([False, True])
    progress.ask = lambda: next(answers)

    progress.check_cancelled()
    with pytest.raises(TaskCancelled):
        progress.check_cancelled()

"""Counting in a worker process: what is written when, what it costs under load, and what a fault does."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.statistics.counts import Counts
from serverless_tasks.engine.statistics.errors import NewError, Occurrences
from serverless_tasks.engine.statistics.gatherer import Gatherer
from serverless_tasks.engine.statistics.items import hour_of, hours_key
from serverless_tasks.engine.statistics.memory import MemoryStatistics
from serverless_tasks.engine.statistics.run import JobRun
from serverless_tasks.errors import AwsError
from tests.support.clock import FakeClock

KB = 1024


class Sized(MemoryStatistics):
    """Statistics in memory, which bill each write by the size of the item as DynamoDB does.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[float, str, str]] = []
        self.error_writes: list[Occurrences] = []
        self.units = 0.0
        self.fails: Exception | None = None
        self.refuses = ""
        self.slow: Callable[[], None] = lambda: None
        self.tries = 0
        self._sizes: dict[tuple[str, str, int], dict[str, float]] = {}

    def add(self, task: str, hour: str, shard: int, counts: Mapping[str, float]) -> float:
        self.tries += 1
        self.slow()
        if self.fails is not None and self.refuses in ("", task):
            raise self.fails
        super().add(task, hour, shard, counts)
        item = self._sizes.setdefault((task, hour, shard), {})
        for name, by in counts.items():
            item[name] = round(item.get(name, 0) + by, 6)
        size = (
            100
            + len(hours_key(task))
            + len(hour)
            + sum(len(name) + 2 + len(repr(by)) // 2 for name, by in item.items())
        )
        units = float(math.ceil(size / KB))
        self.units += units
        self.writes.append((units, task, hour))
        return units

    def add_errors(self, occurrences: Occurrences) -> tuple[float, bool]:
        self.tries += 1
        self.slow()
        if self.fails is not None and not self.refuses:
            raise self.fails
        self.error_writes.append(occurrences)
        return super().add_errors(occurrences)


@dataclass
class Process:
    """One warm process of a worker, on a clock that all share."""

    store: Sized
    clock: FakeClock
    memory: int = 512
    new: list[NewError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gatherer = Gatherer(
            self.store, self.clock, name=uuid4().hex, memory=self.memory, on_new=[self.new.append]
        )

    def batch(self, *runs: JobRun, seconds: float = 0.0) -> None:
        with self.gatherer.batch() as counts:
            for run in runs:
                counts.expect(run.uuid, run.task)
                counts.begin(run.task)
                self.gatherer.count_call(run.uuid, "wu", 2)
                self.clock.move(run.duration or 0.0)
                counts.note(run)
            self.clock.move(seconds)
            counts.end()

    def fail(self, *messages: str, task: str = "sum") -> None:
        runs = []
        for text in messages:
            failure = self.gatherer.mark(task, Failure(type="ValueError", message=text))
            runs.append(self.run(task, status="failed", failure=failure, duration=0.0))
        self.batch(*runs)

    def run(self, task: str = "sum", **given: Any) -> JobRun:
        known: dict[str, Any] = {
            "uuid": str(uuid4()),
            "created": self.clock.ms,
            "status": "succeeded",
            "first": True,
        }
        return JobRun(task=task, **{"queue_wait": 0.01, "duration": 0.1, **known, **given})

    def counted(self, task: str = "sum") -> Counts:
        total = Counts()
        for counts in self.store.hours(task, "2000", "2100").values():
            total += counts
        return total


@pytest.fixture
def process(clock: FakeClock) -> Process:
    return Process(Sized(), clock)


class TestLittleTraffic:
    def test_a_job_after_a_quiet_time_is_written_with_its_own_batch(self, process: Process) -> None:
        for number in range(1, 6):
            process.batch(process.run())
            assert process.counted().succeeded == number
            process.clock.move(10)

    def test_one_that_comes_sooner_is_written_with_the_next(self, process: Process) -> None:
        process.batch(process.run())
        process.clock.move(3)
        process.batch(process.run())
        assert process.counted().succeeded == 1
        process.clock.move(600)
        process.batch(process.run())
        assert process.counted().succeeded == 3

    def test_everything_that_is_counted(self, process: Process) -> None:
        process.batch(
            process.run(duration=1.0, queue_wait=2.0),
            process.run(status="pending", duration=0.5, first=False, queue_wait=None),
            process.run(status="cancelled", duration=None, queue_wait=None, first=False, lost=2),
            seconds=0.25,
        )
        counts = process.counted()
        assert (counts.submitted, counts.succeeded, counts.retried, counts.cancelled) == (1, 1, 1, 1)
        assert (counts.lost, counts.failed) == (2, 0)
        assert counts.seconds == 1.5
        assert counts.duration.count == 2
        assert counts.queue_wait.percentile(50) == pytest.approx(2.0, rel=0.2)
        assert counts.gb_seconds == pytest.approx(1.75 * 0.5)
        calls = {"dynamodb_write_units": 6.0, "sqs_requests": 2.0, "lambda_requests": 1.0}
        assert {name: round(count, 3) for name, count in counts.calls.items()} == calls

    def test_a_batch_s_time_is_shared_by_durations_and_the_rest_equally(self, process: Process) -> None:
        process.batch(process.run("long", duration=3.0), process.run("short", duration=1.0), seconds=2.0)
        assert process.counted("long").gb_seconds == pytest.approx(4.0 / 2)
        assert process.counted("short").gb_seconds == pytest.approx(2.0 / 2)

    def test_outside_lambda_there_are_no_gb_seconds(self, clock: FakeClock) -> None:
        process = Process(Sized(), clock, memory=0)
        process.batch(process.run())
        assert process.counted().gb_seconds == 0
        assert "lambda_requests" not in process.counted().calls

    def test_a_job_counts_as_submitted_in_the_hour_of_its_submission(self, process: Process) -> None:
        created = process.clock.ms - 5 * 3_600_000
        process.batch(process.run(created=created))
        hours = process.store.hours("sum", "2000", "2100")
        assert (hours[hour_of(created)].submitted, hours[hour_of(created)].succeeded) == (1, 0)
        assert (hours[hour_of(process.clock.ms)].submitted, hours[hour_of(process.clock.ms)].succeeded) == (
            0,
            1,
        )


class TestCost:
    @pytest.mark.parametrize("tasks", [1, 12])
    @pytest.mark.parametrize(("processes", "seconds"), [(10, 0.1), (100, 1.0)])
    def test_100_jobs_a_second_cost_at_most_0_15_write_units_each(
        self, clock: FakeClock, tasks: int, processes: int, seconds: float
    ) -> None:
        store = Sized()
        names = [f"shop.background.tasks.Task{number}" for number in range(tasks)]
        chosen = random.Random(17)
        jobs = 0
        for process in [Process(store, FakeClock(clock.now())) for _ in range(processes)]:
            process.clock.move(chosen.random() * seconds)
            for _ in range(round(200 / seconds)):
                long = chosen.lognormvariate(math.log(seconds), 0.2)
                wait = chosen.lognormvariate(-3, 2)
                process.batch(process.run(chosen.choice(names), duration=long, queue_wait=wait))
                jobs += 1
        assert jobs == 20_000
        assert store.units / jobs <= 0.15
        counted = sum(
            counts.succeeded for name in names for counts in store.hours(name, "2000", "2100").values()
        )
        assert jobs - counted <= processes * max(
            100, 12 / seconds
        )  # what they would lose if all were killed now

    def test_a_task_is_written_once_in_ten_seconds(self, process: Process) -> None:
        for _ in range(400):
            process.batch(process.run(duration=0.1))
        assert len(process.store.writes) == 4  # at the first batch, and after 10, 20 and 30 seconds

    def test_a_steady_process_does_not_hold_a_count_for_long(self, process: Process) -> None:
        names = [f"task-{number}" for number in range(12)]
        held = 0.0
        for number in range(3_000):
            process.batch(process.run(names[number % 12], duration=1.0))
            counted = sum(process.counted(name).succeeded for name in names)
            held = max(held, number + 1 - counted)
        assert held <= 150

    def test_an_item_stays_within_a_write_unit_with_times_of_four_decades(self, clock: FakeClock) -> None:
        process = Process(Sized(), clock)
        chosen = random.Random(17)
        for _ in range(5_000):
            wait, long = 10 ** chosen.uniform(-2, 2), 10 ** chosen.uniform(-2, 2)
            process.batch(process.run("shop.background.tasks.Resize", duration=long, queue_wait=wait))
            process.clock.move(-long)
        process.gatherer.flush(last=True)
        assert {units for units, _, _ in process.store.writes} == {1.0}


class TestErrors:
    def test_a_storm_of_one_kind_costs_a_write_in_ten_seconds(self, process: Process) -> None:
        for number in range(10_000):
            process.fail(f"no {number}")
            process.clock.move(0.01)  # 100 a second
        process.clock.move(10)
        process.fail("no 10000")
        [fingerprint] = {each.kind.fingerprint for each in process.store.error_writes}
        assert len(process.store.error_writes) <= 12
        [day] = process.store.error(fingerprint, [hour_of(process.clock.ms)[:10]])
        assert day.count >= 10_000
        assert process.counted().failed >= 10_000

    def test_a_storm_of_many_kinds_costs_20_in_ten_seconds_and_a_hundred_an_hour(
        self, process: Process
    ) -> None:
        for number in range(10_000):
            process.fail("never the same: " + "".join(chr(97 + int(digit)) for digit in str(number)))
            process.clock.move(0.01)
        process.clock.move(10)
        process.fail("at last")
        kinds = {each.kind.fingerprint for each in process.store.error_writes}
        assert len(kinds) <= 101
        assert len(process.store.error_writes) <= 100 + 12
        assert sum(each.count for each in process.store.error_writes) >= 10_000
        [other] = {each.kind.type for each in process.store.error_writes} - {"ValueError"}
        assert other == "Other"

    def test_at_most_20_kinds_are_told_apart_in_ten_seconds(self, process: Process) -> None:
        process.fail(*(f"kind {chr(97 + number)}" for number in range(26)))
        assert len({each.kind.fingerprint for each in process.store.error_writes}) == 21
        process.clock.move(10)
        process.fail("kind z")
        assert len({each.kind.fingerprint for each in process.store.error_writes}) == 22

    def test_the_first_is_written_with_its_batch_and_announced_once(self, process: Process) -> None:
        process.batch(process.run())
        process.clock.move(1)
        process.fail("no 7 of 'these'")
        [written] = process.store.error_writes
        assert (written.count, written.text) == (1, "no 7 of 'these'")
        [new] = process.new
        assert (new.task, new.type, new.message) == ("sum", "ValueError", "no 7 of 'these'")
        assert (new.pattern, new.fingerprint) == ("no <n> of <text>", written.kind.fingerprint)
        process.fail("no 8 of 'those'")
        assert len(process.new) == 1

    def test_a_process_gives_three_examples_a_day(self, process: Process) -> None:
        for _ in range(6):
            process.fail("no")
            process.clock.move(10)
        given = [bool(each.text) for each in process.store.error_writes]
        assert given == [True, True, True, False, False, False]
        assert {each.slot for each in process.store.error_writes[:3]} == {0, 1, 2}
        process.clock.move(86_400)
        process.fail("no")
        assert process.store.error_writes[-1].text == "no"

    def test_another_process_does_not_announce_it_again(self, clock: FakeClock) -> None:
        store = Sized()
        one, two = Process(store, clock), Process(store, clock)
        one.fail("no")
        two.fail("no")
        assert (len(one.new), len(two.new)) == (1, 0)

    def test_an_announcement_that_fails_is_logged(
        self, clock: FakeClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(error: NewError) -> None:
            raise RuntimeError("no network")

        told: list[NewError] = []
        gatherer = Gatherer(Sized(), clock, name="a", on_new=[broken, told.append])
        failure = gatherer.mark("sum", Failure(type="ValueError", message="no"))
        with gatherer.batch() as counts:
            counts.note(
                JobRun(task="sum", uuid=str(uuid4()), created=clock.ms, status="failed", failure=failure)
            )
            counts.end()
        assert len(told) == 1
        assert "could not be announced" in caplog.text

    def test_a_retried_attempt_is_no_error(self, process: Process) -> None:
        failure = Failure(type="ValueError", message="no")
        process.batch(process.run(status="pending", failure=failure))
        assert process.store.error_writes == []


class TestFaults:
    def refused(self, *, applied: bool) -> AwsError:
        return AwsError("dynamodb.update_item", "ThrottlingException", "slow down", applied=applied)

    def test_counts_that_were_refused_are_written_later(
        self, process: Process, caplog: pytest.LogCaptureFixture
    ) -> None:
        process.store.fails = self.refused(applied=False)
        for _ in range(5):
            process.batch(process.run())
            process.clock.move(20)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]  # once
        process.store.fails = None
        process.clock.move(60)
        process.batch(process.run())
        assert process.counted().succeeded == 6

    def test_counts_that_may_have_been_added_are_not_added_again(self, process: Process) -> None:
        process.store.fails = self.refused(applied=True)
        process.batch(process.run())
        process.store.fails = None
        process.clock.move(60)
        process.batch(process.run())
        assert process.counted().succeeded == 1

    def test_a_store_that_fails_is_left_alone_for_a_minute(self, process: Process) -> None:
        process.store.fails = self.refused(applied=False)
        process.batch(process.run())
        process.store.fails = None
        process.clock.move(30)
        process.batch(process.run())
        assert process.store.writes == []

    def test_memory_is_bounded_while_the_table_refuses(self, process: Process) -> None:
        process.store.fails = self.refused(applied=False)
        for number in range(2_000):
            process.batch(process.run(f"task-{number}"))
            process.clock.move(61)
        process.store.fails = None
        process.clock.move(61)
        process.gatherer.flush(last=True)
        assert len(process.store.writes) <= 501

    def test_a_store_that_fails_is_tried_once_however_many_kinds_of_failures_wait(
        self, process: Process
    ) -> None:
        process.store.fails = self.refused(applied=True)
        process.fail(*("abcdefgh"))
        assert process.store.tries == 1
        process.store.fails = None
        process.clock.move(61)
        process.fail("i")
        assert {each.text for each in process.store.error_writes} == set("abcdefghi")

    def test_of_failures_in_doubt_one_kind_alone_is_lost(self, process: Process) -> None:
        process.store.add = lambda *_: 1.0  # type: ignore[method-assign]
        process.store.fails = self.refused(applied=True)
        process.fail(*("abc"))
        process.store.fails = None
        process.clock.move(61)
        process.fail("d")
        assert {each.text for each in process.store.error_writes} == set("bcd")

    def test_failures_that_were_refused_are_written_later(self, process: Process) -> None:
        process.store.add = lambda *_: 1.0  # type: ignore[method-assign]
        process.store.fails = self.refused(applied=False)
        process.fail("a", "a")
        process.store.fails = None
        process.clock.move(61)
        process.fail("a")
        assert sum(each.count for each in process.store.error_writes) == 3

    def test_a_slow_store_does_not_keep_a_batch(self, process: Process) -> None:
        process.store.slow = lambda: process.clock.move(0.9)
        failures = [process.gatherer.mark("sum", Failure(type="E", message=text)) for text in "abcdefghij"]
        runs = [process.run(f"task-{number}", duration=0.0) for number in range(20)]
        runs += [process.run(status="failed", failure=failure, duration=0.0) for failure in failures]
        began = process.clock.now()
        process.batch(*runs)
        assert process.clock.now() - began < 6
        process.store.slow = lambda: None
        process.gatherer.flush(last=True)
        assert sum(process.counted(f"task-{number}").succeeded for number in range(20)) == 20
        assert len(process.store.error_writes) == 10

    def test_a_task_whose_counts_are_never_taken_keeps_no_other_out(self, process: Process) -> None:
        process.store.fails, process.store.refuses = self.refused(applied=False), "endless"
        process.batch(process.run("endless"))
        for _ in range(6):
            process.clock.move(61)
            process.batch(process.run("sum"))
        assert process.counted("sum").succeeded >= 5

    def test_an_error_without_a_fingerprint_ends_all_the_same(
        self, process: Process, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serverless_tasks.engine.statistics.gatherer.kind_of", _raise)
        failure = Failure(type="ValueError", message="no")
        assert process.gatherer.mark("sum", failure, ValueError("no")) == failure
        process.batch(process.run(status="failed", failure=failure))
        assert (process.counted().failed, process.store.error_writes) == (1, [])


class TestContainer:
    def test_an_idle_process_writes_what_it_holds(self, process: Process) -> None:
        process.batch(process.run())
        process.clock.move(3)
        process.batch(process.run())
        process.gatherer.flush()
        assert process.counted().succeeded == 1
        process.clock.move(10)
        process.gatherer.flush()
        assert process.counted().succeeded == 2

    def test_a_process_that_ends_writes_everything(self, process: Process) -> None:
        for name in ("a", "b", "c", "a"):
            process.batch(process.run(name))
        for _ in range(3):
            process.fail("no")
        process.gatherer.flush(last=True)
        assert [process.counted(name).succeeded for name in ("a", "b", "c")] == [2, 1, 1]
        assert sum(each.count for each in process.store.error_writes) == 3

    def test_batches_side_by_side_are_no_quiet_time(self, process: Process) -> None:
        process.batch(process.run())
        with process.gatherer.batch():
            process.clock.move(60)
            before = len(process.store.writes)
            with process.gatherer.batch() as counts:
                for name in ("a", "b", "c"):
                    counts.note(process.run(name))
                counts.end()
            assert len(process.store.writes) - before <= 1  # what its units allow, not all three


def _raise(*_: object, **__: object) -> None:
    raise RuntimeError("broken")

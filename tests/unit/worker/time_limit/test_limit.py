"""A task that runs longer than it may is stopped, on any thread, and nothing is raised once it has ended."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from serverless_tasks.engine.job.progress import Progress
from serverless_tasks.engine.worker.time_limit import enforce
from serverless_tasks.engine.worker.time_limit import limit as limits
from serverless_tasks.engine.worker.time_limit.coroutine import finish
from serverless_tasks.engine.worker.time_limit.enforce import within
from serverless_tasks.engine.worker.time_limit.limit import Limit
from serverless_tasks.engine.worker.time_limit.watchdog import Watch, Watchdog
from serverless_tasks.errors import TaskStopped, TaskTimeout
from tests.support.clock import until

SHORT = 0.02
FOR_EVER = 60.0


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STOP_GRACE", SHORT)
    monkeypatch.setattr(limits, "REPEAT", SHORT)


def busy() -> Iterator[None]:
    """Work that would go on for a while, in case nothing stops it."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        yield
    pytest.fail("it should have been stopped")


def here(work: Callable[[], Any]) -> Any:
    return work()


def on_a_thread(work: Callable[[], Any]) -> Any:
    """Run it on a thread of its own; returns or raises what it does."""
    ends: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            ends.append(work())
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    if errors:
        raise errors[0]
    return ends[0]


type Place = Callable[[Callable[[], Any]], Any]


@pytest.fixture(params=[here, on_a_thread])
def place(request: pytest.FixtureRequest) -> Place:
    chosen: Place = request.param
    return chosen


def test_what_ends_in_time_returns_its_value(place: Place) -> None:
    assert place(lambda: within(Limit(FOR_EVER, Progress()), lambda: 5)) == 5


def test_what_runs_too_long_is_told_so(place: Place) -> None:
    def work() -> None:
        for _ in busy():
            pass

    with pytest.raises(TaskTimeout, match=r"The task exceeded its timeout of 0.02 seconds\."):
        place(lambda: within(Limit(SHORT, Progress()), work))


def test_it_may_catch_that_to_clean_up(place: Place) -> None:
    def work() -> str:
        try:
            for _ in busy():
                pass
        except TaskTimeout as timeout:
            return str(timeout)
        return ""

    assert "The task exceeded its timeout" in place(lambda: within(Limit(SHORT, Progress()), work))


def test_a_loop_that_catches_exceptions_is_stopped(place: Place) -> None:
    caught: list[Exception] = []

    def work() -> None:
        for _ in busy():
            try:
                for _ in busy():
                    pass
            except Exception as error:  # noqa: BLE001 - what the test is about
                caught.append(error)

    with pytest.raises(TaskTimeout, match=r"0\.02 seconds") as raised:
        place(lambda: within(Limit(SHORT, Progress()), work))

    assert [type(error) for error in caught] == [TaskTimeout]
    assert isinstance(raised.value.__cause__, TaskStopped)


def test_one_that_catches_everything_is_told_again_and_again(place: Place) -> None:
    caught: list[BaseException] = []

    def work() -> None:
        while len(caught) < 4:
            try:
                for _ in busy():
                    pass
            except BaseException as error:  # noqa: BLE001 - what the test is about
                caught.append(error)

    place(lambda: within(Limit(SHORT, Progress()), work))

    assert [type(error) for error in caught] == [TaskTimeout, TaskStopped, TaskStopped, TaskStopped]


def test_progress_calls_raise_once_it_was_to_be_stopped(place: Place) -> None:
    progress = Progress()

    def work() -> None:
        for _ in busy():
            try:
                for _ in busy():
                    pass
            except BaseException as error:  # noqa: BLE001
                if isinstance(error, TaskStopped):
                    break
        progress.inc_progress()

    with pytest.raises(TaskTimeout):
        place(lambda: within(Limit(SHORT, progress), work))


def test_a_blocking_call_on_the_main_thread_is_ended() -> None:
    began = time.monotonic()

    with pytest.raises(TaskTimeout):
        within(Limit(SHORT, Progress()), lambda: threading.Event().wait(30))

    assert time.monotonic() - began < 10


def test_the_grace_ends_early_enough_for_the_end_to_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STOP_GRACE", 5.0)
    early, late = Limit(60, Progress(), latest=61), Limit(60, Progress(), latest=900)

    early.expire()
    late.expire()

    assert (early.pause, late.pause) == (1, 5)


def test_nothing_is_raised_inside_a_progress_call() -> None:
    progress = Progress()
    limit = Limit(60, progress)
    progress.ask = lambda: bool(seen.append(limit.expire()))
    seen: list[Any] = []

    progress.check_cancelled()

    assert (seen, limit.told, limit.pause) == ([None], 0, limits.SHORTLY)
    assert limit.expire() is TaskTimeout


def test_nothing_is_raised_inside_the_call_that_wakes_the_writer() -> None:
    progress = Progress()
    limit = Limit(60, progress)
    seen: list[Any] = []

    class Watched(threading.Event):
        def set(self) -> None:
            seen.append(limit.expire())

    for report in (
        progress.inc_progress,
        lambda: progress.set_progress(5),
        lambda: progress.add_message("x"),
    ):
        progress.changed = Watched()
        report()
        progress.take()

    assert seen == [None, None, None]


@pytest.mark.parametrize("runs", [400])
def test_nothing_is_raised_once_it_has_ended(place: Place, runs: int) -> None:
    """The work takes about as long as it may, so that the two meet in every order."""

    def work() -> int:
        return sum(range(20_000))

    def many() -> set[str]:
        ends = set()
        began = time.monotonic()
        work()
        usual = time.monotonic() - began
        for number in range(runs):
            try:
                within(Limit(usual * (0.5 + number / runs), Progress()), work)
                end = "returned"
            except TaskTimeout:
                end = "told"
            # A late exception would be raised here, and end the test.
            sum(value for value in range(200))
            ends.add(end)
        return ends

    assert "returned" in place(many)


def test_a_signal_that_comes_when_it_has_just_ended_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    setitimer = signal.setitimer
    came: list[float] = []

    def late(which: int, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        if seconds == 0:
            signal.raise_signal(signal.SIGALRM)
            came.append(seconds)
        return setitimer(which, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", late)

    assert within(Limit(FOR_EVER, Progress()), lambda: 5) == 5
    assert came == [0]


def test_what_was_left_with_a_thread_can_be_taken_back() -> None:
    blocked = threading.Lock()
    blocked.acquire()
    ends: list[str] = []

    def run() -> None:
        blocked.acquire()
        ends.append("ended")

    thread = threading.Thread(target=run)
    thread.start()
    assert thread.ident is not None
    watch = Watch(Limit(FOR_EVER, Progress()), thread.ident)

    watch.fire()
    watch.settle()
    blocked.release()
    thread.join(20)

    assert (ends, watch.limit.told) == (["ended"], 1)


def test_a_limit_inside_another_leaves_that_one_in_force(place: Place) -> None:
    def work() -> None:
        assert within(Limit(FOR_EVER, Progress()), lambda: 5) == 5
        for _ in busy():
            pass

    with pytest.raises(TaskTimeout, match=r"timeout of 0\.02 seconds"):
        place(lambda: within(Limit(SHORT, Progress()), work))


def test_a_timer_and_its_handler_are_taken_back() -> None:
    before = signal.getsignal(signal.SIGALRM)

    within(Limit(FOR_EVER, Progress()), lambda: None)

    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_alarm_that_comes_while_the_limit_is_taken_back_sets_no_timer() -> None:
    alarm = enforce._Alarm(Limit(FOR_EVER, Progress()))
    alarm.set()
    restore = alarm._signal

    def late(number: int, handler: Any) -> Any:
        alarm._expire(
            signal.SIGALRM, None
        )  # it came before the timer was cleared, and its handler runs only now
        return restore(number, handler)

    alarm._signal = late  # type: ignore[assignment]
    alarm.reset()

    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def take_by_handler() -> None:
    signal.signal(signal.SIGALRM, lambda signum, frame: None)


def take_by_alarm() -> None:
    before = signal.signal(signal.SIGALRM, lambda signum, frame: None)
    signal.alarm(30)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def take_by_timer() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)


def take_by_mask() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})


@pytest.fixture
def mask() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.usefixtures("mask")
@pytest.mark.parametrize("take", [take_by_handler, take_by_alarm, take_by_timer, take_by_mask])
class TestATaskThatTakesTheAlarm:
    def test_keeps_its_limit(self, take: Callable[[], None]) -> None:
        def work() -> None:
            take()
            for _ in busy():
                pass

        with pytest.raises(TaskTimeout, match=r"of 0\.02 seconds"):
            within(Limit(SHORT, Progress()), work)

    def test_is_told_again_if_it_goes_on(self, take: Callable[[], None]) -> None:
        told: list[type[BaseException]] = []

        def work() -> None:
            take()
            while len(told) < 3:
                try:
                    for _ in busy():
                        pass
                except (TaskTimeout, TaskStopped) as error:
                    told.append(type(error))
                    take()

        within(Limit(SHORT, Progress()), work)
        assert told == [TaskTimeout, TaskStopped, TaskStopped]

    def test_and_ends_in_time_returns_its_value(self, take: Callable[[], None]) -> None:
        before = signal.getsignal(signal.SIGALRM), signal.alarm, signal.setitimer, signal.signal

        def work() -> int:
            take()
            return 5

        assert within(Limit(FOR_EVER, Progress()), work) == 5
        assert (signal.getsignal(signal.SIGALRM), signal.alarm, signal.setitimer, signal.signal) == before

    def test_leaves_an_outer_limit_in_force(self, take: Callable[[], None]) -> None:
        def work() -> None:
            within(Limit(FOR_EVER, Progress()), take)
            for _ in busy():
                pass

        with pytest.raises(TaskTimeout, match=r"of 0\.02 seconds"):
            within(Limit(SHORT, Progress()), work)


def test_an_alarm_that_a_task_sets_is_its_own() -> None:
    rung: list[int] = []

    def work() -> None:
        signal.signal(signal.SIGALRM, lambda signum, frame: rung.append(signum))
        signal.setitimer(signal.ITIMER_REAL, SHORT)
        for _ in busy():
            if rung:
                return

    within(Limit(FOR_EVER, Progress()), work)
    assert rung == [signal.SIGALRM]


def test_other_signals_are_nothing_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enforce, "_watchdog", lambda: pytest.fail("the signal keeps it"))
    before = signal.getsignal(signal.SIGUSR1)

    def work() -> int:
        signal.signal(signal.SIGUSR1, before)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return within(Limit(FOR_EVER, Progress()), lambda: 5)

    assert within(Limit(FOR_EVER, Progress()), work) == 5


# -- coroutines --------------------------------------------------------------------------------------------------


class Patient(Limit):
    """A limit that is over once the task has come so far: how long it takes to begin is the machine's affair.

    Args:
        seconds: how long the task may run.
        progress: its counters.
        far: says, of how often the task has been told, whether it may be told once more.
    """

    def __init__(self, seconds: float, progress: Progress, far: Callable[[int], bool]) -> None:
        super().__init__(seconds, progress)
        self._far = far

    def expire(self) -> type[BaseException] | None:
        if self._far(self.told):
            return super().expire()
        self.pause = limits.SHORTLY
        return None


def limited(
    seconds: float,
    run: Callable[[Progress], Coroutine[Any, Any, Any]],
    far: Callable[[int], bool] = lambda told: True,
) -> Callable[[], Any]:
    progress = Progress()
    limit = Patient(seconds, progress, far)
    return lambda: within(limit, lambda: finish(run(progress), limit))


def test_a_coroutine_is_cancelled_and_cleans_up(place: Place) -> None:
    begun: list[str] = []
    cleaned: list[str] = []

    async def child() -> None:
        begun.append("child")
        try:
            await asyncio.sleep(30)
        finally:
            cleaned.append("child")

    async def run(progress: Progress) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            cleaned.append("run")
            raise

    with pytest.raises(TaskTimeout, match=r"0\.02 seconds"):
        place(limited(SHORT, run, lambda told: bool(begun) and not told))

    assert cleaned == ["child", "run"]


def test_a_coroutine_that_goes_on_is_stopped(place: Place) -> None:
    begun: list[str] = []
    cancelled: list[str] = []

    async def run(progress: Progress) -> None:
        begun.append("run")
        for _ in busy():
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.append("run")

    with pytest.raises(TaskTimeout, match=r"0\.02 seconds"):
        place(limited(SHORT, run, lambda told: bool(cancelled if told else begun)))

    assert cancelled


def test_a_coroutine_that_never_waits_learns_of_it_by_its_progress(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STOP_GRACE", FOR_EVER)

    async def run(progress: Progress) -> None:
        for _ in busy():
            progress.inc_progress()

    with pytest.raises(TaskTimeout, match=r"0\.02 seconds"):
        place(limited(SHORT, run))


def test_a_coroutine_that_never_waits_and_tells_nothing_is_stopped(place: Place) -> None:
    async def run(progress: Progress) -> None:
        for _ in busy():
            pass

    with pytest.raises(TaskTimeout, match=r"0\.02 seconds"):
        place(limited(SHORT, run))


def test_a_coroutine_that_ends_in_time_returns_its_value(place: Place) -> None:
    async def run(progress: Progress) -> int:
        await asyncio.sleep(0)
        return 5

    assert place(limited(FOR_EVER, run)) == 5


# -- the watchdog ------------------------------------------------------------------------------------------------


class Told(Limit):
    """A limit that raises nothing, and counts."""

    def expire(self) -> None:
        self.told += 1
        self.pause = 3


def test_the_watchdog_sleeps_until_the_next_is_due() -> None:
    now = 100.0
    watchdog = Watchdog(lambda: now)
    first, second = Told(10, Progress()), Told(4, Progress())
    for watch in (Watch(first, 0), Watch(second, 0)):
        watch.due = now + watch.limit.pause
        pause = watchdog.check(watch)

    assert pause == 4
    now += 4
    assert watchdog.check() == 3
    assert (first.told, second.told) == (0, 1)
    now += 6
    assert watchdog.check() == 3
    assert (first.told, second.told) == (1, 2)


def test_the_watchdog_forgets_what_has_ended() -> None:
    watchdog = Watchdog(lambda: 100.0)
    limit = Told(0.5, Progress())
    watch = Watch(limit, 0)
    watch.due = 100.0
    limit.closing = True

    assert watchdog.check(watch) == 3600
    watch.fire()
    assert limit.told == 0


def test_one_watchdog_watches_all_threads() -> None:
    before = {thread.ident for thread in threading.enumerate() if thread.name == "watchdog"}
    go = threading.Event()
    threads = [
        threading.Thread(target=lambda: within(Limit(FOR_EVER, Progress()), lambda: go.wait(20)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    until(lambda: any(thread.name == "watchdog" for thread in threading.enumerate()))

    watchdogs = [thread for thread in threading.enumerate() if thread.name == "watchdog"]
    go.set()
    for thread in threads:
        thread.join()

    assert len(watchdogs) == max(1, len(before))

"""Who may run a job, and whose writes count: over every store."""

import pytest

from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.store.base import Claim, Store
from serverless_tasks.errors import LeaseLost
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

BROKEN = Failure(type="ValueError", message="it broke", public=False)
LAST = Snapshot(seq=99)


def claim(store: Store, clock: FakeClock, message: Message, token: str, lease: float = 60) -> Claim:
    return store.claim(
        message, token=token, lease=clock.ms + int(lease * 1000), request_id=f"request-{token}"
    )


def test_a_job_that_nobody_began_is_claimed(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.put_jobs([message])

    claimed = claim(store, clock, message, "a")

    assert (claimed.answer, claimed.token, claimed.attempt, claimed.failures) == ("claimed", "a", 1, 0)
    record = store.read(message.uuid)
    assert record is not None
    assert (record.status, record.attempt, record.started) == ("running", 1, clock.ms)


def test_a_message_is_the_whole_job(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, owner="7")

    claim(store, clock, message, "a")

    record = store.read(message.uuid)
    assert record is not None
    assert (record.task, record.owner, record.created) == ("sum", "7", message.created)


def test_a_duplicate_under_a_live_lease_is_busy_until_the_lease_ends(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim(store, clock, message, "a", lease=60)
    clock.move(60)

    duplicate = claim(store, clock, message, "b")

    assert (duplicate.answer, duplicate.until) == ("busy", clock.ms)


def test_an_expired_lease_is_taken_over_as_the_next_attempt(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim(store, clock, message, "a", lease=60)
    clock.move(60.001)

    taken = claim(store, clock, message, "b")

    assert (taken.answer, taken.attempt, taken.failures, taken.lost) == ("claimed", 2, 0, 1)


def test_the_attempt_that_was_taken_over_is_told_in_the_history(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    began = clock.ms
    claim(store, clock, message, "a", lease=60)
    clock.move(61)

    claim(store, clock, message, "b")

    record = store.read(message.uuid)
    assert record is not None
    (attempt,) = record.history
    assert (attempt.number, attempt.started, attempt.failure.type) == (1, began, "WorkerLost")
    assert attempt.request_id == "request-a"


def test_progress_starts_anew_with_an_attempt(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim(store, clock, message, "a")
    store.write_progress(message.uuid, "a", Snapshot(5, 40, 80, ("old",)), lease=None)
    clock.move(61)

    claim(store, clock, message, "b")

    record = store.read(message.uuid)
    assert record is not None
    assert (record.progress, record.target, record.messages) == (0, None, ())


@pytest.mark.parametrize("ending", ["succeeded", "failed", "cancelled"])
def test_a_message_of_an_ended_job_is_told_so(store: Store, clock: FakeClock, ending: str) -> None:
    message = a_message(clock)
    claimed = claim(store, clock, message, "a")
    if ending == "succeeded":
        store.succeed(message.uuid, claimed, LAST, {})
    else:
        store.fail(message.uuid, claimed, LAST, BROKEN, status=ending)

    again = claim(store, clock, message, "b")

    assert (again.answer, again.status) == ("ended", ending)


def test_a_retry_waits_until_it_is_due(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claimed = claim(store, clock, message, "a")
    store.retry(message, claimed, LAST, BROKEN, not_before=clock.ms + 5000)

    early = claim(store, clock, message, "b")
    clock.move(5)
    due = claim(store, clock, message, "c")

    assert (early.answer, early.until) == ("waiting", clock.ms)
    assert (due.answer, due.attempt, due.failures, due.lost) == ("claimed", 2, 1, 0)


def test_a_released_job_counts_as_not_begun(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim(store, clock, message, "a")

    store.release(message.uuid, "a")
    record = store.read(message.uuid)
    again = claim(store, clock, message, "b")

    assert record is not None
    assert record.status == "pending"
    assert (again.answer, again.attempt, again.lost) == ("claimed", 1, 0)


def test_a_retry_says_whether_the_job_was_to_stop(store: Store, clock: FakeClock) -> None:
    asked, unasked = a_message(clock), a_message(clock)
    claims = {message.uuid: claim(store, clock, message, "a") for message in (asked, unasked)}
    store.cancel(asked.uuid)

    answers = [
        store.retry(message, claims[message.uuid], LAST, BROKEN, not_before=clock.ms)
        for message in (asked, unasked)
    ]

    assert answers == [True, False]
    ended = store.cancel(asked.uuid)
    assert (ended.status, ended.cancel_requested) == ("cancelled", False)


def test_a_cancelled_retry_is_not_begun(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.retry(message, claim(store, clock, message, "a"), LAST, BROKEN, not_before=clock.ms + 5000)
    store.cancel(message.uuid)
    clock.move(6)

    assert claim(store, clock, message, "b").answer == "ended"


def test_a_job_that_no_queue_holds_reads_as_lost_once_its_lease_is_over(
    store: Store, clock: FakeClock
) -> None:
    message = a_message(clock, expires=clock.ms)
    claim(store, clock, message, "a", lease=60)
    store.write_progress(message.uuid, "a", Snapshot(1, 1), lease=clock.ms + 80_000)

    clock.move(80)
    running = store.read(message.uuid)
    clock.move(0.001)
    lost = store.read(message.uuid)

    assert running is not None
    assert lost is not None
    assert (running.status, lost.status, lost.error and lost.error["type"]) == (
        "running",
        "failed",
        "WorkerLost",
    )


def test_releasing_a_job_that_another_has_taken_changes_nothing(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim(store, clock, message, "a")
    clock.move(61)
    claim(store, clock, message, "b")

    store.release(message.uuid, "a")

    assert claim(store, clock, message, "c").answer == "busy"


class TestAStaleAttempt:
    @pytest.fixture
    def message(self, clock: FakeClock) -> Message:
        return a_message(clock)

    @pytest.fixture
    def stale(self, store: Store, clock: FakeClock, message: Message) -> Claim:
        stale = claim(store, clock, message, "a")
        clock.move(61)
        claim(store, clock, message, "b")
        return stale

    def test_cannot_write_progress(self, store: Store, message: Message, stale: Claim) -> None:
        with pytest.raises(LeaseLost):
            store.write_progress(message.uuid, "a", Snapshot(50, 7, None, ("stale",)), lease=None)

        record = store.read(message.uuid)
        assert record is not None
        assert (record.progress, record.messages) == (0, ())

    def test_cannot_succeed(self, store: Store, message: Message, stale: Claim) -> None:
        with pytest.raises(LeaseLost):
            store.succeed(message.uuid, stale, LAST, {"sum": 1})

        record = store.read(message.uuid)
        assert record is not None
        assert (record.status, record.outputs) == ("running", {})

    def test_cannot_fail(self, store: Store, message: Message, stale: Claim) -> None:
        with pytest.raises(LeaseLost):
            store.fail(message.uuid, stale, LAST, BROKEN)

        record = store.read(message.uuid)
        assert record is not None
        assert record.status == "running"

    def test_cannot_retry(self, store: Store, message: Message, stale: Claim) -> None:
        with pytest.raises(LeaseLost):
            store.retry(message, stale, LAST, BROKEN, not_before=0)

        record = store.read(message.uuid)
        assert record is not None
        assert record.status == "running"

    @pytest.mark.parametrize("ending", ["fail", "retry"])
    def test_does_not_rewrite_the_history(
        self, store: Store, message: Message, stale: Claim, ending: str
    ) -> None:
        end = {
            "fail": lambda: store.fail(message.uuid, stale, LAST, BROKEN),
            "retry": lambda: store.retry(message, stale, LAST, BROKEN, not_before=0),
        }[ending]
        with pytest.raises(LeaseLost):
            end()

        record = store.read(message.uuid)
        assert record is not None
        assert [(attempt.number, attempt.failure.type) for attempt in record.history] == [(1, "WorkerLost")]

    def test_cannot_ask_whether_to_stop(self, store: Store, message: Message, stale: Claim) -> None:
        with pytest.raises(LeaseLost):
            store.cancel_requested(message.uuid, "a")

    def test_cannot_overwrite_the_newer_result(
        self, store: Store, clock: FakeClock, message: Message, stale: Claim
    ) -> None:
        newer = Claim(answer="claimed", token="b", attempt=2)
        store.succeed(message.uuid, newer, LAST, {"sum": 3})

        with pytest.raises(LeaseLost):
            store.succeed(message.uuid, stale, LAST, {"sum": -1})
        with pytest.raises(LeaseLost):
            store.fail(message.uuid, stale, LAST, BROKEN)

        record = store.read(message.uuid)
        assert record is not None
        assert (record.status, record.outputs, record.error) == ("succeeded", {"sum": 3}, None)


def test_a_terminal_state_never_changes(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claimed = claim(store, clock, message, "a")
    store.succeed(message.uuid, claimed, LAST, {"sum": 3})
    before = store.read(message.uuid)
    assert before is not None
    clock.move(1000)

    with pytest.raises(LeaseLost):
        store.fail(message.uuid, claimed, Snapshot(seq=100), BROKEN)
    with pytest.raises(LeaseLost):
        store.write_progress(message.uuid, "a", Snapshot(101, 5), lease=None)
    store.release(message.uuid, "a")
    store.settle(message, BROKEN)
    store.put_jobs([message])

    after = store.read(message.uuid)
    assert after is not None
    assert after.to_json(reveal=True) == before.to_json(reveal=True)


def test_a_claim_tells_whether_it_took_over_from_a_lost_attempt(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    first = claim(store, clock, message, "a", lease=60)
    clock.move(61)
    second = claim(store, clock, message, "b", lease=60)
    store.retry(message, second, LAST, BROKEN, not_before=clock.ms)
    third = claim(store, clock, message, "c", lease=60)

    assert [each.took_over for each in (first, second, third)] == [False, True, False]
    assert [each.lost for each in (first, second, third)] == [0, 1, 1]


def test_of_a_job_that_has_ended_the_attempts_are_told(store: Store, clock: FakeClock) -> None:
    ran, waited, settled = (a_message(clock) for _ in range(3))
    store.fail(ran.uuid, claim(store, clock, ran, "a"), LAST, BROKEN)
    store.put_jobs([waited])
    store.cancel(waited.uuid)

    assert store.settle(settled, BROKEN).attempt == 0
    assert claim(store, clock, ran, "b").attempt == 1
    assert [claim(store, clock, each, "b").attempt for each in (waited, settled)] == [0, 0]


def test_settling_a_job_tells_its_attempts(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim(store, clock, message, "a", lease=60)
    clock.move(61)

    assert store.settle(message, BROKEN).attempt == 1

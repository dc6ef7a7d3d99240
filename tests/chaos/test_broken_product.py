"""The harness sees what it is for: each of these breaks the product in one way, and is caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from lambda_handlers import worker
from serverless_tasks.engine.aws.dynamodb import table
from serverless_tasks.engine.aws.dynamodb.deletion import Deletion
from serverless_tasks.engine.aws.sqs.sending import QueueSender
from serverless_tasks.engine.backends.sqs import SqsBackend
from serverless_tasks.engine.job.progress import Progress, Snapshot
from serverless_tasks.engine.store import transitions
from serverless_tasks.engine.submit.publication import Publication
from serverless_tasks.engine.worker.completion import Completion
from serverless_tasks.engine.worker.outcome import DeliveryResult
from serverless_tasks.engine.worker.runner import Runner
from serverless_tasks.engine.workflow import workflows
from serverless_tasks.engine.workflow.fan_in import FanIn
from serverless_tasks.engine.workflow.opening import Opening
from serverless_tasks.engine.workflow.settling import Settling
from serverless_tasks.errors import SubmitFailed
from tests.chaos.audit import Violation
from tests.chaos.faults import Call, Fault, Kind
from tests.chaos.scenarios import Scenario
from tests.chaos.stories import STORIES
from tests.chaos.tasks import Once
from tests.chaos.test_single_faults import calls_of, fail_at, tell


def no_fence() -> Any:
    """Writes of an attempt that no longer holds the job are taken."""
    return mock.patch.object(table, "_HELD", "#token = :token OR #token <> :token OR #status = :running")


def claim_over_live_leases() -> Any:
    """A claim does not ask whether somebody holds the job."""
    free = "attribute_not_exists(#pk) OR #status = :pending OR #status = :running OR #lease < :now"
    return mock.patch.object(table, "_CLAIMABLE", f"{free} OR #not_before <= :now")


def claim_over_the_end() -> Any:
    """A claim takes over jobs that have ended."""
    whatever = "attribute_not_exists(#pk) OR #status <> :running OR #lease < :now"
    return mock.patch.object(
        table, "_CLAIMABLE", f"{whatever} OR (#status = :pending AND #not_before <= :now)"
    )


def acknowledge_whatever_happens() -> Any:
    """A message is acknowledged although its job was not recorded."""
    real = worker._Batch._done

    def done(self: worker._Batch, place: int, record: dict[str, Any]) -> bool:
        real(self, place, record)
        return True

    return mock.patch.object(worker._Batch, "_done", done)


def acknowledge_duplicates() -> Any:
    """A duplicate under a live lease is acknowledged: nobody is left when the worker dies."""
    return mock.patch.object(
        Runner, "_wait", lambda self, claim, now: DeliveryResult(job_status=claim.answer)
    )


def acknowledge_a_retry_that_was_not_sent() -> Any:
    """A retry whose message could not be sent counts as sent."""
    real = Completion._retry

    def retry(self: Completion, *args: Any) -> DeliveryResult:
        return replace(real(self, *args), give_back=None)

    return mock.patch.object(Completion, "_retry", retry)


def job_kept_before_a_send_that_fails() -> Any:
    """The job is kept although its send has surely failed."""
    real = SqsBackend.publish

    def publish(self: SqsBackend, messages: Any) -> Any:
        self._store.put_jobs(messages)
        return real(self, messages)

    return mock.patch.object(SqsBackend, "publish", publish)


def uncertain_is_failed() -> Any:
    """A send whose answer was lost is told as one that failed."""
    real = QueueSender.send

    def send(self: QueueSender, messages: Any) -> Any:
        return [error and SubmitFailed(str(error)) for error in real(self, messages)]

    return mock.patch.object(QueueSender, "send", send)


def a_failed_send_is_fine() -> Any:
    """A caller is not told that the send failed."""
    real = QueueSender.send
    return mock.patch.object(QueueSender, "send", lambda self, messages: [None for _ in real(self, messages)])


def progress_by_whoever_comes_last() -> Any:
    """Progress counts from nothing again at every write."""
    real = Progress.take

    def take(self: Progress, *, always: bool = False) -> Snapshot | None:
        snapshot = real(self, always=always)
        return snapshot and replace(snapshot, progress=0 if snapshot.seq > 1 else snapshot.progress)

    return mock.patch.object(Progress, "take", take)


def messages_given_back_are_lost() -> Any:
    """Messages whose write failed are dropped."""
    return mock.patch.object(Progress, "give_back")


def undecodable_bodies_vanish() -> Any:
    """A body that nobody can read is acknowledged."""
    return mock.patch("serverless_tasks.engine.aws.sqs.dead_letter_queue.DeadLetterQueue.put")


def claims_that_do_not_count() -> Any:
    """A claim does not count."""
    real = transitions.claimed

    def claimed(*args: Any, **given: Any) -> Any:
        return replace(real(*args, **given), add={"attempt": 0, "failures": 0})

    return mock.patch.object(transitions, "claimed", claimed)


def an_own_write_that_arrived_counts_as_lost() -> Any:
    """When botocore tried twice and both arrived, the second refusal passes for a lost lease."""
    return mock.patch.object(table, "_was_applied", return_value=False)


def cancelled_only_in_name() -> Any:
    """A running job is not told that it was cancelled."""
    in_name = transitions.Change(put={"cancel": False})
    return mock.patch.object(transitions, "stop_requested", return_value=in_name)


def claim_before_it_is_due() -> Any:
    """A claim does not look at when the next attempt may begin."""
    waiting = "(#status = :pending AND (attribute_not_exists(#not_before) OR #not_before > :now))"
    free = f"attribute_not_exists(#pk) OR {waiting} OR #status = :pending"
    return mock.patch.object(table, "_CLAIMABLE", f"{free} OR (#status = :running AND #lease < :now)")


def run_again_whatever_the_task_says() -> Any:
    """A task that must not run twice is run again when its worker was lost."""
    return mock.patch.object(Once, "on_lost", "retry")


def keys_are_forgotten() -> Any:
    """A key is not looked up."""
    return mock.patch("serverless_tasks.engine.submit.publish.reserve", _unreserved)


def places_are_not_taken() -> Any:
    """A unique task takes no place."""
    return mock.patch("serverless_tasks.engine.submit.publish.reserve", _unreserved)


def _unreserved(services: Any, messages: Any, guard: Any) -> list[Publication]:
    return [Publication(message) for message in messages]


def deleted_without_a_trace() -> Any:
    """What is deleted leaves nothing that tells a late delivery."""
    real = Deletion._bury

    def bury(self: Deletion, uuid: str, *given: Any) -> None:
        real(self, uuid, *given)
        self._items.delete(uuid, "s#state")

    return mock.patch.object(Deletion, "_bury", bury)


def members_counted_when_they_begin() -> Any:
    """A member counts before its end is recorded."""
    real = Runner._begin

    def begin(self: Runner, delivery: Any, *given: Any) -> DeliveryResult:
        if delivery.message.member is not None:
            self.count(delivery.message.member, "succeeded")
        return real(self, delivery, *given)

    return mock.patch.object(Runner, "_begin", begin)


def a_counter_in_place_of_sets() -> Any:
    """Members are counted by their number: one that is delivered twice counts twice."""
    ended: Counter[str] = Counter()

    def count_shard(self: FanIn, place: Any, shard: Any) -> None:
        ended[place.group] += len(shard.ended)
        self._store.groups.count(place.group, shard, 2_000_000_000)
        if ended[place.group] >= place.total and (group := self._store.groups.get(place.group)) is not None:
            self.close(group)

    return mock.patch.object(FanIn, "count_shard", count_shard)


def groups_closed_before_what_follows_is_sent() -> Any:
    """A group ends first, and what follows is sent then."""
    real, close = FanIn._send_continuation, FanIn.close

    def closes(self: FanIn, group: Any) -> None:
        with mock.patch.object(self, "_send_continuation", return_value=None):
            close(self, group)
        plan, _ = self.plan_of(group)
        if plan is not None and plan.then is not None:
            real(self, group, plan.then)

    return mock.patch.object(FanIn, "close", closes)


def groups_without_a_deadline() -> Any:
    """Nobody sees to a group at its deadline."""

    def without(*given: Any, has_deadlines: bool) -> Opening:
        return Opening(*given, has_deadlines=False)

    return mock.patch.object(workflows, "Opening", without)


def members_swept_without_settling() -> Any:
    """The sweep counts members of which nothing is recorded."""
    return mock.patch.object(Settling, "_settle_member", return_value=("failed", 0, False))


LASTING = {kind: Fault(0, kind, lasting=True) for kind in Kind}
# How the product is broken, and the story and the fault that show it.
BROKEN: tuple[tuple[Callable[[], Any], str, Fault | None], ...] = (
    (no_fence, "a worker that wakes after its lease", None),
    (claim_over_live_leases, "delivered twice while it runs", None),
    (claim_over_the_end, "cancelled while it waits", None),
    (claim_before_it_is_due, "a task that asks to be run again", LASTING[Kind.REFUSED]),
    (acknowledge_whatever_happens, "one job", LASTING[Kind.ERROR_APPLIED]),
    (acknowledge_duplicates, "delivered twice while it runs", LASTING[Kind.KILLED_AFTER]),
    (
        acknowledge_a_retry_that_was_not_sent,
        "a task that fails twice and then succeeds",
        LASTING[Kind.THROTTLED],
    ),
    (job_kept_before_a_send_that_fails, "one job", LASTING[Kind.REFUSED]),
    (uncertain_is_failed, "one job", LASTING[Kind.ERROR_APPLIED]),
    (a_failed_send_is_fine, "one job", LASTING[Kind.REFUSED]),
    (progress_by_whoever_comes_last, "progress and messages", None),
    (messages_given_back_are_lost, "progress and messages", LASTING[Kind.THROTTLED]),
    (undecodable_bodies_vanish, "a batch with bad ones", None),
    (claims_that_do_not_count, "one job", None),
    (an_own_write_that_arrived_counts_as_lost, "progress and messages", Fault(0, Kind.ANSWER_LOST)),
    (cancelled_only_in_name, "cancelled while it runs", None),
    (run_again_whatever_the_task_says, "a task that must not run twice", Fault(0, Kind.KILLED_AFTER)),
    (keys_are_forgotten, "a submit with a key, repeated", None),
    (places_are_not_taken, "a unique task", None),
    (deleted_without_a_trace, "deleted, and delivered late", None),
    (members_counted_when_they_begin, "a group and what follows", None),
    (a_counter_in_place_of_sets, "a group with a deleted member", Fault(0, Kind.KILLED_AFTER)),
    (groups_closed_before_what_follows_is_sent, "a group and what follows", Fault(0, Kind.KILLED_AFTER)),
    (groups_without_a_deadline, "a group whose messages are lost", None),
    (members_swept_without_settling, "a group whose messages are lost", None),
)


@pytest.mark.parametrize(
    ("broken", "name", "fault"), BROKEN, ids=[broken.__name__ for broken, _, _ in BROKEN]
)
def test_it_is_caught(aws: None, broken: Callable[[], Any], name: str, fault: Fault | None) -> None:
    (scenario,) = [scenario for scenario in STORIES if scenario.name == name]
    calls = [] if fault is None else calls_of(scenario)
    with broken(), pytest.raises(Violation):
        _search(scenario, fault, calls)


def _search(scenario: Scenario, fault: Fault | None, calls: list[Call]) -> None:
    tell(scenario)
    for call in calls:
        assert fault is not None
        fail_at(scenario, call, fault)

"""The calls of a batch that overlap: the end of one job and the claim of the next, and nothing else."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from lambda_handlers import worker
from serverless_tasks.claim_ahead import ClaimAhead
from serverless_tasks.errors import AwsError
from tests.unit.handlers.conftest import Context
from tests.unit.handlers.tasks import Again, Quiet, Refuse, Slow, Sum

# What a test waits for before it says that something did not happen, in seconds; a passing test never does.
LONG = 10


class Order:
    """The order of a batch's calls to its store and its queue, and of its runs."""

    def __init__(self, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        self.uuids: list[str] = []
        self._changed = threading.Condition()
        self.threads: set[str] = set()
        store = site.through.store
        for name in ("claim", "succeed", "fail", "retry", "release"):
            monkeypatch.setattr(store, name, self._watched(name, getattr(store, name)))
        monkeypatch.setattr(
            site.through.visibility, "change", self._watched("hide", site.through.visibility.change)
        )
        for task in (Sum, Refuse, Again, Quiet, Slow):
            monkeypatch.setattr(task, "run", self._watched("run", task.run))
        self.before: dict[str, Any] = {}

    def reached(self, event: str) -> None:
        """Wait until something has happened."""
        with self._changed:
            assert self._changed.wait_for(lambda: event in self.seen, LONG), f"{event} did not happen"

    def add(self, event: str) -> None:
        """Note it."""
        with self._changed:
            self.seen.append(event)
            self._changed.notify_all()

    def _watched(self, name: str, method: Any) -> Any:
        def watched(*args: Any, **options: Any) -> Any:
            event = self._named(name, args)
            if name == "run":
                self.threads.add(threading.current_thread().name)
            self.add(f"{event} begins")
            self.before.get(event, lambda: None)()
            try:
                return method(*args, **options)
            finally:
                self.add(f"{event} ends")

        return watched

    def _named(self, name: str, args: tuple[Any, ...]) -> str:
        if name == "hide":
            return name
        first = args[0]
        uuid = first if isinstance(first, str) else first.execution.uuid if name == "run" else first.uuid
        if uuid not in self.uuids:
            self.uuids.append(uuid)
        return f"{name} {self.uuids.index(uuid) + 1}"


@pytest.fixture
def order(site, monkeypatch):
    return Order(site, monkeypatch)


def before(order: Order, first: str, second: str) -> bool:
    return order.seen.index(first) < order.seen.index(second)


def test_a_job_is_claimed_while_the_end_of_the_one_before_it_is_recorded(site, order):
    jobs = [Quiet.submit(), Quiet.submit()]
    order.before["succeed 1"] = lambda: order.reached("claim 2 begins")
    order.before["claim 2"] = lambda: order.reached("succeed 1 begins")
    assert site.deliver(worker.handler) == []
    assert [job.refresh().status for job in jobs] == ["succeeded", "succeeded"]
    assert [job.record.attempt for job in jobs] == [1, 1]


def test_the_first_job_is_claimed_while_the_batch_is_hidden(site, order):
    Quiet.submit()
    order.before["hide"] = lambda: order.reached("claim 1 begins")
    order.before["claim 1"] = lambda: order.reached("hide begins")
    assert site.deliver(worker.handler) == []
    assert before(order, "hide ends", "run 1 begins")


def test_no_task_begins_before_both_calls_are_answered_and_all_run_on_the_handler_s_thread(site, order):
    for _ in range(3):
        Quiet.submit()
    for place in (1, 2):
        order.before[f"succeed {place}"] = lambda place=place: order.reached(f"claim {place + 1} ends")
    assert site.deliver(worker.handler) == []
    assert before(order, "succeed 1 ends", "run 2 begins")
    assert before(order, "succeed 2 ends", "run 3 begins")
    order.seen.clear()
    order.uuids.clear()
    order.before.clear()
    for _ in range(3):
        Quiet.submit()
    for place in (2, 3):
        order.before[f"claim {place}"] = lambda place=place: order.reached(f"succeed {place - 1} ends")
    assert site.deliver(worker.handler) == []
    assert before(order, "claim 2 ends", "run 2 begins")
    assert order.threads == {threading.current_thread().name}


@pytest.mark.parametrize("ending", [Refuse, Again])
def test_a_failure_and_a_retry_are_recorded_beside_the_next_claim_as_well(site, order, ending):
    first = ending.submit(text="eggs") if ending is Refuse else ending.submit()
    second = Quiet.submit()
    event = site.event()
    event["Records"].sort(key=lambda record: first.uuid not in record["body"])
    name = "fail 1" if ending is Refuse else "retry 1"
    order.before[name] = lambda: order.reached("claim 2 ends")
    assert worker.handler(event, Context()) == {"batchItemFailures": []}
    assert first.refresh().status == ("failed" if ending is Refuse else "pending")
    assert second.refresh().status == "succeeded"


def test_a_claim_that_fails_gives_back_its_own_record_alone(site, order):
    jobs = [Quiet.submit() for _ in range(3)]

    def away() -> None:
        raise AwsError("dynamodb.UpdateItem", "InternalServerError", "away", applied=False)

    order.before["claim 2"] = away
    (body,) = site.deliver(worker.handler)
    stayed = [job for job in jobs if job.uuid in body]
    assert site.hidden_for() == [worker.AFTER_ERROR]
    assert [job.refresh().status for job in jobs if job not in stayed] == ["succeeded", "succeeded"]
    assert stayed[0].refresh().status == "pending"


def test_an_end_that_cannot_be_recorded_does_not_harm_the_job_that_was_claimed_meanwhile(site, order):
    jobs = [Quiet.submit(), Quiet.submit()]

    def away() -> None:
        raise AwsError("dynamodb.UpdateItem", "InternalServerError", "away", applied=False)

    order.before["succeed 1"] = away
    (body,) = site.deliver(worker.handler)
    assert {job.refresh().status for job in jobs if job.uuid not in body} == {"succeeded"}


def test_a_job_that_could_not_begin_in_time_is_not_claimed(site, order):
    jobs = [Slow.submit(), Slow.submit()]
    assert len(site.deliver(worker.handler, seconds=90)) == 1
    assert sorted(job.refresh().status for job in jobs) == ["pending", "succeeded"]
    assert "claim 2 begins" not in order.seen


def test_a_job_that_was_claimed_and_can_no_longer_begin_in_time_is_given_back_unharmed(
    site, order, monkeypatch
):
    slow, others = [Slow.submit(), Slow.submit()], [Quiet.submit(), Quiet.submit()]
    event = site.event()
    event["Records"].sort(key=lambda record: '"quiet"' in record["body"])
    now = site.through.clock.now
    order.before["succeed 1"] = lambda: monkeypatch.setattr(
        type(site.through.clock), "now", lambda self: now() + 210
    )
    (back,) = worker.handler(event, Context(300))["batchItemFailures"]
    assert back["itemIdentifier"] == event["Records"][1]["messageId"]
    assert before(order, "release 2 ends", "run 3 begins")
    assert sorted((job.refresh().status, job.record.attempt) for job in slow) == [
        ("pending", 0),
        ("succeeded", 1),
    ]
    assert {job.refresh().status for job in others} == {"succeeded"}


def test_a_handler_that_is_interrupted_gives_back_what_it_has_claimed(site, order):
    jobs = [Quiet.submit(), Quiet.submit()]

    def interrupted() -> None:
        order.reached("claim 2 ends")
        raise KeyboardInterrupt

    order.before["succeed 1"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        site.deliver(worker.handler)
    second = next(job for job in jobs if job.uuid == order.uuids[1])
    assert (second.refresh().status, second.record.attempt) == ("pending", 0)


def test_a_message_that_is_no_job_does_not_harm_the_one_before_it(site, order, caplog):
    job = Quiet.submit()
    event = site.event()
    event["Records"].append({**event["Records"][0], "messageId": "odd", "body": "not ours"})
    event["Records"].append({**event["Records"][0], "messageId": "odder", "body": None})
    answer = worker.handler(event, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "odder"}]}
    assert job.refresh().status == "succeeded"
    assert "claimed ahead" not in caplog.text  # its own turn tells of it


def test_the_claim_of_one_message_is_not_taken_for_another(site, message):
    first = message("quiet")
    other = replace(first, uuid="6f3f5cf2-0000-4000-8000-000000000002")
    ahead = ClaimAhead(site.through.runner, deadline=None, request_id="")
    ahead.begin(first)
    assert ahead.take(other) is None
    taken = ahead.take(first)
    assert taken is not None
    assert taken.answer == "claimed"
    assert ahead.take(first) is None


def test_a_worker_without_a_deadline_claims_when_it_runs(site, order):
    class Unbounded(Context):
        has_deadline = False

    Quiet.submit()
    assert worker.handler(site.event(), Unbounded()) == {"batchItemFailures": []}
    assert not any(event.startswith("hide") for event in order.seen)

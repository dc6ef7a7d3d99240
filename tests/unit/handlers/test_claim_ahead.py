"""The calls of a batch that overlap: the end of one job and the claim of the next, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber

from lambda_handlers import redelivery, worker
from serverless_tasks import Task
from serverless_tasks.engine.store.overlap import sent
from serverless_tasks.engine.worker.claim_ahead import ClaimAhead
from serverless_tasks.errors import AwsError
from tests.unit.handlers.conftest import Container, Context
from tests.unit.handlers.tasks import Again, Quiet, Refuse, Slow, Sum


class Order:
    """The order of a batch's calls to its store and its queue, and of its runs."""

    def __init__(self, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        self.uuids: list[str] = []
        self.threads: set[str] = set()
        self.before: dict[str, Callable[[], None]] = {}
        store = site.services.store
        for name in ("claim", "succeed", "fail", "retry", "release"):
            monkeypatch.setattr(store, name, self._watched(name, getattr(store, name)))
        visibility = site.services.visibility
        monkeypatch.setattr(visibility, "change", self._watched("hide", visibility.change))
        for task in (Sum, Refuse, Again, Quiet, Slow):
            monkeypatch.setattr(task, "run", self._watched("run", task.run))

    def within(self, event: str) -> list[str]:
        """What happened between an event's beginning and its end."""
        return self.seen[self.seen.index(f"{event} begins") + 1 : self.seen.index(f"{event} ends")]

    def _watched(self, name: str, method: Any) -> Any:
        def watched(*args: Any, **options: Any) -> Any:
            event = self._named(name, args)
            self.threads.add(threading.current_thread().name)
            self.seen.append(f"{event} begins")
            try:
                self.before.get(event, lambda: None)()
                return method(*args, **options)
            finally:
                self.seen.append(f"{event} ends")

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
def order(site: Any, monkeypatch: pytest.MonkeyPatch) -> Order:
    """What happens in which order, where each call is on its way for a moment before moto answers."""
    answer = BotocoreStubber.__call__

    def on_the_way(self: Any, *args: Any, **options: Any) -> Any:
        sent()
        return answer(self, *args, **options)

    monkeypatch.setattr(BotocoreStubber, "__call__", on_the_way)
    return Order(site, monkeypatch)


def away() -> None:
    raise AwsError("dynamodb.UpdateItem", "InternalServerError", "away", applied=False)


def test_a_job_is_claimed_while_the_end_of_the_one_before_it_is_recorded(site, order):
    jobs = [Quiet.submit() for _ in range(3)]
    assert site.deliver(worker.handler) == []
    assert order.within("succeed 1") == ["claim 2 begins", "claim 2 ends"]
    assert order.within("succeed 2") == ["claim 3 begins", "claim 3 ends"]
    assert order.within("succeed 3") == []
    assert [job.refresh().status for job in jobs] == ["succeeded"] * 3
    assert [job.record.attempt for job in jobs] == [1] * 3


def test_the_first_job_is_claimed_while_the_batch_is_hidden(site, order):
    Quiet.submit()
    assert site.deliver(worker.handler) == []
    assert order.within("hide") == ["claim 1 begins", "claim 1 ends"]


def test_no_call_is_on_its_way_while_a_task_runs_and_all_is_done_on_one_thread(site, order):
    for _ in range(3):
        Quiet.submit()
    assert site.deliver(worker.handler) == []
    for job in (1, 2, 3):
        assert order.within(f"run {job}") == []
        before = order.seen[: order.seen.index(f"run {job} begins")]
        assert sum(event.endswith("begins") for event in before) == len(before) / 2
    assert order.threads == {threading.current_thread().name}


def test_where_no_call_is_seen_on_its_way_a_job_is_claimed_in_its_turn(site, monkeypatch):
    order = Order(site, monkeypatch)
    jobs = [Quiet.submit(), Quiet.submit()]
    assert site.deliver(worker.handler) == []
    assert order.within("hide") == order.within("succeed 1") == []
    assert [job.refresh().status for job in jobs] == ["succeeded", "succeeded"]


@pytest.mark.parametrize("ending", [Refuse, Again])
def test_a_failure_and_a_retry_are_recorded_beside_the_next_claim_as_well(site, order, ending):
    first = ending.submit(text="eggs") if ending is Refuse else ending.submit()
    second = Quiet.submit()
    event = site.event()
    event["Records"].sort(key=lambda record: first.uuid not in record["body"])
    name = "fail 1" if ending is Refuse else "retry 1"
    assert worker.handler(event, Context()) == {"batchItemFailures": []}
    assert order.within(name) == ["claim 2 begins", "claim 2 ends"]
    assert first.refresh().status == ("failed" if ending is Refuse else "pending")
    assert second.refresh().status == "succeeded"


@pytest.mark.parametrize("ending", [Refuse, Again])
def test_only_the_write_of_the_state_carries_a_claim_which_may_take_long(site, order, monkeypatch, ending):
    first = ending.submit(text="eggs") if ending is Refuse else ending.submit()
    Quiet.submit()
    event = site.event()
    event["Records"].sort(key=lambda record: first.uuid not in record["body"])
    claimed: list[bool] = []
    put_end = site.services.store._put_end

    def put(*args: Any) -> None:
        put_end(*args)
        claimed.append("claim 2 begins" in order.seen)

    monkeypatch.setattr(site.services.store, "_put_end", put)
    assert worker.handler(event, Context()) == {"batchItemFailures": []}
    assert claimed == [False]
    assert "claim 2 begins" in order.within("fail 1" if ending is Refuse else "retry 1")


def test_a_duplicate_of_the_job_that_is_about_to_end_is_done_with_in_its_turn(site, order):
    job = Quiet.submit()
    event = site.event()
    event["Records"].append(event["Records"][0] | {"messageId": "again", "receiptHandle": "again"})
    assert worker.handler(event, Context()) == {"batchItemFailures": []}
    assert (job.refresh().status, job.record.attempt) == ("succeeded", 1)
    assert order.within("succeed 1") == []


def test_a_job_that_must_not_be_lost_is_claimed_in_its_turn(site, order):
    class Once(Task):
        name = "once"
        on_lost = "fail"

        def run(self):
            return None

    site.services.registry.add(Once)
    first, second = Quiet.submit(), Once.submit()
    event = site.event()
    event["Records"].sort(key=lambda record: first.uuid not in record["body"])
    assert worker.handler(event, Context()) == {"batchItemFailures": []}
    assert order.within("succeed 1") == []
    assert second.refresh().status == "succeeded"


def test_a_job_that_has_expired_is_not_claimed_ahead(site, order, monkeypatch):
    jobs = [Quiet.submit(), Quiet.submit()]
    event = site.event()
    event["Records"].sort(key=lambda record: jobs[0].uuid not in record["body"])
    now = site.services.clock.now

    def much_later() -> None:
        monkeypatch.setattr(type(site.services.clock), "now", lambda self: now() + 30 * 86_400)

    order.before["run 1"] = much_later
    assert worker.handler(event, Context(40 * 86_400)) == {"batchItemFailures": []}
    assert not {"claim 2 begins", "run 2 begins"} & set(order.seen)
    assert jobs[1].refresh().error["type"] == "Expired"


def test_a_claim_that_has_failed_is_not_made_again_in_its_turn(site, order):
    for _ in range(2):
        Quiet.submit()
    order.before["claim 2"] = away
    assert len(site.deliver(worker.handler)) == 1
    assert order.seen.count("claim 2 begins") == 1


def test_a_claim_that_fails_gives_back_its_own_record_alone(site, order):
    jobs = [Quiet.submit() for _ in range(3)]
    order.before["claim 2"] = away
    (body,) = site.deliver(worker.handler)
    (stayed,) = [job for job in jobs if job.uuid in body]
    assert site.hidden_for() == [redelivery.AFTER_ERROR]
    assert [job.refresh().status for job in jobs if job is not stayed] == ["succeeded", "succeeded"]
    assert stayed.refresh().status == "pending"


def test_an_end_that_cannot_be_recorded_does_not_harm_the_job_that_was_claimed_meanwhile(
    site, order, monkeypatch
):
    jobs = [Quiet.submit(), Quiet.submit()]
    succeed = site.services.store.succeed

    def first_away(uuid: str, *args: Any, **options: Any) -> None:
        succeed(uuid, *args, **options)
        if uuid == order.uuids[0]:
            away()

    monkeypatch.setattr(site.services.store, "succeed", first_away)
    (body,) = site.deliver(worker.handler)
    assert order.within("succeed 1") == ["claim 2 begins", "claim 2 ends"]
    (other,) = [job for job in jobs if job.uuid not in body]
    assert (other.refresh().status, other.record.attempt) == ("succeeded", 1)


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
    now = site.services.clock.now
    order.before["run 1"] = lambda: monkeypatch.setitem(order.before, "claim 2", late)

    def late() -> None:
        monkeypatch.setattr(type(site.services.clock), "now", lambda self: now() + 210)

    (back,) = worker.handler(event, Context(300))["batchItemFailures"]
    assert back["itemIdentifier"] == event["Records"][1]["messageId"]
    assert order.seen.index("release 2 ends") < order.seen.index("run 3 begins")
    assert sorted((job.refresh().status, job.record.attempt) for job in slow) == [
        ("pending", 0),
        ("succeeded", 1),
    ]
    assert {job.refresh().status for job in others} == {"succeeded"}


@pytest.mark.parametrize("call", ["hide", "succeed"])
def test_a_handler_that_is_interrupted_gives_back_what_it_has_claimed(site, order, monkeypatch, call):
    jobs = [Quiet.submit(), Quiet.submit()]
    holder = site.services.visibility if call == "hide" else site.services.store
    name = "change" if call == "hide" else "succeed"
    method = getattr(holder, name)

    def interrupted(*args: Any, **options: Any) -> None:
        method(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(holder, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        site.deliver(worker.handler)
    claimed = next(job for job in jobs if job.uuid == order.uuids[-1])
    assert order.seen[-1] == f"release {len(order.uuids)} ends"
    assert (claimed.refresh().status, claimed.record.attempt) == ("pending", 0)


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
    ahead = ClaimAhead(site.services.runner, deadline=None, request_id="")
    ahead.claim(first)
    assert ahead.take(other) is None
    taken = ahead.take(first)
    assert taken is not None
    assert taken.answer == "claimed"
    assert ahead.take(first) is None


def test_a_worker_without_a_deadline_claims_when_it_runs(site, order):
    Quiet.submit()
    assert worker.handler(site.event(), Container()) == {"batchItemFailures": []}
    assert not any(event.startswith("hide") for event in order.seen)

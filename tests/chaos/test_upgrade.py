"""A shop is upgraded from build A to B, and back to A, with 500 jobs under way: none is lost, each end says its reason.

One task is renamed by B, with an alias, and one gets a new required input. Jobs wait, are delayed, wait for a retry,
and run while the other build is deployed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from serverless_tasks import Task, TaskError
from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.record import Record
from serverless_tasks.params import NumberParameter, StringParameter
from tests.chaos.world import World

HOUR = 3600.0
# Called by the next job of `Long` while it runs.
meanwhile: list[Callable[[], None]] = []


class Bill(Task):
    name = "bill"
    inputs = {"amount": NumberParameter()}

    def run(self, **inputs: Any) -> None:
        pass


class BillOfB(Task):
    name = "bill"
    inputs = {"amount": NumberParameter(), "currency": StringParameter()}

    def run(self, **inputs: Any) -> None:
        pass


class Send(Task):
    name = "send"
    inputs = {"to": StringParameter()}

    def run(self, **inputs: Any) -> None:
        pass


class SendOfB(Send):
    name = "mail.send"
    aliases = ("send",)


class Flaky(Task):
    name = "flaky"
    retries, backoff, backoff_cap = 3, 1200, 1200

    def run(self) -> None:
        if self.attempt < 3:
            raise TaskError("The till is busy.")


class Long(Task):
    name = "long"

    def run(self) -> None:
        if meanwhile:
            meanwhile.pop()()


class Upgrades:
    """The deployments of a world, and the jobs that were submitted to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.uuids: list[str] = []

    def deploy(self, build: str) -> None:
        """Let every process that begins from now on have the code of a build; those that run go on."""
        self.world.registry = Registry()
        for task in (Flaky, Long, *((Bill, Send) if build == "A" else (BillOfB, SendOfB))):
            self.world.registry.add(task)
        self.world.config = replace(self.world.config, build=build)

    def submit(self, task: type[Task], count: int, *, delay: int = 0, **inputs: Any) -> None:
        jobs = self.world.submit(task, *[inputs] * count, delay=delay)
        assert [job.error for job in jobs] == [None] * count
        self.uuids += [job.uuid for job in jobs]

    def submit_all(self, bill: type[Task], send: type[Task], **currency: str) -> None:
        """Submit 125 jobs: some for now, some with a delay that SQS has, and some with one that a schedule has."""
        for delay, count in ((0, 15), (600, 10), (2400, 5)):
            self.submit(bill, count, delay=delay, amount=1, **currency)
            self.submit(send, count, delay=delay, to="ada")
            self.submit(Flaky, count, delay=delay)
        self.submit(Long, 35)

    def records(self) -> list[Record]:
        records = [self.world.read(uuid) for uuid in self.uuids]
        assert None not in records, "a job is lost"
        return [record for record in records if record is not None]

    def work_for(self, seconds: float) -> None:
        end = self.world.clock.now() + seconds
        self.world.drain(within=seconds)
        self.world.clock.move(max(0.0, end - self.world.clock.now()))


def test_no_job_is_lost_between_two_builds_and_each_end_names_its_build(aws: None) -> None:
    with World((Flaky,)).running() as world:
        upgrades = Upgrades(world)
        for _ in range(2):  # A -> B -> A
            upgrades.deploy("A")
            upgrades.submit_all(Bill, Send)
            upgrades.work_for(60)
            upgrades.submit(Long, 1)
            _deploy_while_a_job_runs(upgrades, "B")
            upgrades.submit_all(BillOfB, SendOfB, currency="EUR")
            upgrades.work_for(HOUR / 2)
        upgrades.deploy("A")
        upgrades.submit(Send, 2, to="bob")
        assert len(upgrades.uuids) >= 500
        statuses = Counter(record.status for record in upgrades.records())
        assert statuses["pending"] > 20  # some are under way when A comes back
        world.drain()

        records = upgrades.records()
        assert all(record.ended for record in records)
        assert not any(queue.messages for queue in (*world.queues.values(), world.dead))
        world.audit.verify()
        succeeded = [record for record in records if record.status == "succeeded"]
        failed = [record for record in records if record.status == "failed"]
        assert len(succeeded) + len(failed) == len(records)
        assert {record.build for record in succeeded} == {"A", "B"}
        _check_reasons(failed)
        _check_that_they_run_once_they_are_deployed(upgrades, failed)


def _deploy_while_a_job_runs(upgrades: Upgrades, build: str) -> None:
    """Deploy in the midst of a batch: the process that runs it ends it with its own code."""
    long = upgrades.uuids[-1]
    meanwhile.append(lambda: upgrades.deploy(build))
    while meanwhile:
        upgrades.world.deliver(upgrades.world.queues["default"])
    record = upgrades.world.read(long)
    assert record is not None
    assert upgrades.world.config.build == build


def _check_reasons(failed: list[Record]) -> None:
    reasons = Counter((record.task, record.failure.type, record.failure.message) for record in failed)  # type: ignore[union-attr]
    texts = {
        ("bill", "InvalidInputs"): {
            "Inputs of task 'bill' are invalid: currency: Field required (build: worker 'B', job 'A')",
            "Inputs of task 'bill' are invalid: currency: Extra inputs are not permitted (build: worker 'A', job 'B')",
        },
        ("mail.send", "UnknownTask"): {
            (
                "No deployed task is named 'mail.send' (build: worker 'A', job 'B'). Deploy a class with this name, or"
                " one that has it in `aliases`; then retry the job."
            )
        },
    }
    assert {(task, kind) for task, kind, _ in reasons} == texts.keys()
    for (task, kind), wanted in texts.items():
        assert {text for *named, text in reasons if tuple(named) == (task, kind)} == wanted


def _check_that_they_run_once_they_are_deployed(upgrades: Upgrades, failed: list[Record]) -> None:
    """With B deployed anew; `test_retrying_a_reason` has the command that retries all of a reason."""
    upgrades.deploy("B")
    world = upgrades.world
    unknown = [record.uuid for record in failed if record.task == "mail.send"]
    with world.process("operator") as services:
        again = [resubmit(services, uuid).uuid for uuid in unknown]
    world.drain()
    records = [world.read(uuid) for uuid in again]
    assert {(record.status, record.task, record.build) for record in records if record is not None} == {
        ("succeeded", "mail.send", "B")
    }
    assert None not in records

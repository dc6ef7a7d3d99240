"""Our groups: submitted, and their members delivered in batches of ten to the worker's handler."""

from __future__ import annotations

import json
import math
import os
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import boto3

from benchmarks.context import CONTEXT
from benchmarks.crashes.tables import OurTable, answered, asked
from benchmarks.crashes.tasks import RUNS, Gather, Member
from benchmarks.crashes.world import Fate
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.job.record import ENDED
from serverless_tasks.engine.services import configure
from serverless_tasks.engine.store.overlap import sent
from serverless_tasks.workflow import group, results

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from benchmarks.crashes.world import Held, World

BATCH: Final = 10
# template.yaml's VisibilityTimeout.
_VISIBILITY: Final = 5_400


def run_groups(world: World, groups: int, size: int, seed: int) -> list[Fate]:
    """Submit groups, and deliver until no message is left.

    Args:
        world: what surrounds the processes.
        groups: how many.
        size: their members.
        seed: of the order of the messages.
    """
    run = _Run(world)
    for _ in range(groups):
        run.submit(size)
    run.deliver(seed)
    return list(run.fates.values())


class _Clock(Clock):
    def __init__(self, world: World) -> None:
        self._world = world
        self._began = time.time()

    def now(self) -> float:
        return self._began + self._world.now

    def sleep(self, seconds: float) -> None:
        self._world.now += seconds


class _Run:
    def __init__(self, world: World) -> None:
        self.fates: dict[str, Fate] = {}
        self._world = world
        self._clock = _Clock(world)
        self._table = OurTable(os.environ["SERVERLESS_TASKS_TABLE"])
        self._hidden: dict[str, float] = {}
        self._continuations: list[Any] = []
        session.reset()
        boto3.setup_default_session()
        assert boto3.DEFAULT_SESSION is not None
        events = boto3.DEFAULT_SESSION.events
        for service in ("dynamodb", "sqs", "scheduler"):
            events.register(f"before-send.{service}", self._send)
            events.register(f"after-call.{service}", self._after)
        self._start()

    def submit(self, size: int) -> None:
        members = (Member.signature(number=number) for number in range(size))
        uuid = group(members).then(Gather.signature(numbers=results["number"])).submit().uuid
        ids = tuple(member_id(uuid, index) for index in range(size))
        self.fates[continuation_id(uuid)] = Fate(ids)

    def deliver(self, seed: int) -> None:
        world = self._world
        world.shuffle(seed)
        while (due := world.due(math.inf)) is not None:
            world.now = max(world.now, due)
            world.on = True
            self._deliver(world.receive(BATCH))
            world.on = False
        for held in self._continuations:
            self._deliver([held])
        for uuid, fate in self.fates.items():
            fate.runs = RUNS[uuid]

    def _deliver(self, batch: list[Held]) -> None:
        from lambda_handlers.worker import handler

        world, failed = self._world, set[str]()
        self._hidden.clear()
        world.calls += 1  # the batch is received
        event = {"Records": [_record(held) for held in batch]}

        def handle() -> None:
            answer = handler(event, CONTEXT)
            failed.update(failure["itemIdentifier"] for failure in answer["batchItemFailures"])

        if not world.survives(handle):
            self._start()
            failed.update(str(held.number) for held in batch)
        else:
            world.calls += 1  # what is done with is deleted
        for held in batch:
            if str(held.number) in failed:
                world.send(held.body, self._hidden.get(str(held.number), world.now + _VISIBILITY) - world.now)

    def _start(self) -> None:
        """Begin a process: of the one before, nothing is left but clients, which know of no job."""
        configure(Config.from_environ(), clock=self._clock)

    def _send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        self._world.before_call()
        service, operation = event_name.split(".")[1:]
        if service != "dynamodb":
            answers = {
                "SendMessage": self._take,
                "SendMessageBatch": self._take_batch,
                "ChangeMessageVisibilityBatch": self._hide,
            }
            return answered(answers.get(operation, _nothing)(asked(request)))
        answer = self._table.call(operation, asked(request))
        sent()
        return answer

    def _after(self, **_: Any) -> None:
        self._world.after_call()

    def _take(self, call: dict[str, Any]) -> dict[str, Any]:
        body = call["MessageBody"]
        fate = self.fates.get(json.loads(body)["uuid"])
        if fate is None:
            self._world.send(body, call.get("DelaySeconds", 0))
        else:
            fate.early = fate.early or not self._all_ended(fate.members)
            self._continuations.append(SimpleNamespace(number=len(self._continuations), body=body))
        return {"MessageId": "0"}

    def _take_batch(self, call: dict[str, Any]) -> dict[str, Any]:
        return {
            "Successful": [{"Id": entry["Id"], **self._take(entry)} for entry in call["Entries"]],
            "Failed": [],
        }

    def _hide(self, call: dict[str, Any]) -> dict[str, Any]:
        for entry in call["Entries"]:
            self._hidden[entry["ReceiptHandle"]] = self._world.now + entry["VisibilityTimeout"]
        return {"Successful": [{"Id": entry["Id"]} for entry in call["Entries"]], "Failed": []}

    def _all_ended(self, members: tuple[str, ...]) -> bool:
        return all(self._table.status(uuid) in ENDED for uuid in members)


def _nothing(call: dict[str, Any]) -> dict[str, Any]:
    return {}


def _record(held: Held) -> dict[str, Any]:
    return {
        "messageId": str(held.number),
        "receiptHandle": str(held.number),
        "body": held.body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:tasks-default",
    }

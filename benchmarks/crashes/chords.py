"""Celery's chords: its own worker's request, tracer and DynamoDB backend, its messages kept in memory.

The part that ends a chord waits up to three seconds for results that are not there (``result_chord_join_timeout``):
meanwhile other processes go on. A process that dies takes its machine with it, so that nobody tells of its death; a
message that was not deleted comes again when the queue's visibility timeout is over.
"""

from __future__ import annotations

import logging
import math
import os
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import boto3
from celery import Celery, chord
from celery.signals import after_task_publish, before_task_publish
from celery.states import READY_STATES
from celery.worker.request import Request

from benchmarks.crashes.tables import ResultTable, asked
from benchmarks.crashes.tasks import RUNS
from benchmarks.crashes.world import Fate
from benchmarks.stand_in import QUEUE_PROPERTIES, RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from benchmarks.crashes.world import World

# Messages that are received with one call.
BATCH = 10
_VISIBILITY = int(QUEUE_PROPERTIES["VisibilityTimeout"])


def chord_app(endpoint: str, *, acks_late: bool = True, pause: float = 0.0) -> Any:
    """Celery with a member's task and what follows a chord.

    Args:
        endpoint: where DynamoDB is.
        acks_late: whether messages are deleted after their tasks.
        pause: seconds that a member's task takes.
    """
    app = Celery(
        "chords", broker="memory://", backend=f"{endpoint.replace('http://', 'dynamodb://')}/{RESULTS}"
    )
    app.conf.task_acks_late = acks_late

    @app.task(name="member", shared=False)  # type: ignore[untyped-decorator]
    def member(number: int) -> int:
        if pause:
            time.sleep(pause)
        return number

    @app.task(name="gather", bind=True, shared=False)  # type: ignore[untyped-decorator]
    def gather(self: Any, numbers: list[int]) -> None:
        RUNS[self.request.id] += 1

    return app


def run_chords(world: World, groups: int, size: int, seed: int, *, acks_late: bool) -> list[Fate]:
    """Submit chords, and deliver until no message is left.

    Args:
        world: what surrounds the processes.
        groups: how many.
        size: their members.
        seed: of the order of the messages.
        acks_late: whether messages are deleted after their tasks.
    """
    logging.disable(logging.CRITICAL)
    with _Run(world, acks_late=acks_late).ready() as run:
        for _ in range(groups):
            run.submit(size)
        run.deliver(seed)
    return list(run.fates.values())


class _Run:
    def __init__(self, world: World, *, acks_late: bool) -> None:
        self.fates: dict[str, Fate] = {}
        self._world = world
        self._table = ResultTable()
        self._continuations: list[Any] = []
        self._received = 0
        boto3.setup_default_session()
        assert boto3.DEFAULT_SESSION is not None
        events = boto3.DEFAULT_SESSION.events
        events.register("before-send.dynamodb", self._send)
        events.register("after-call.dynamodb", self._after)
        self._app = chord_app(os.environ["AWS_ENDPOINT_URL"], acks_late=acks_late)
        self._app.backend.client  # noqa: B018 - it asks for its table when it is made
        world.calls = 0

    @contextmanager
    def ready(self) -> Iterator[_Run]:
        clock = SimpleNamespace(**{**vars(time), "sleep": self._nap})
        before_task_publish.connect(self._before, weak=False)
        after_task_publish.connect(self._published, weak=False)
        try:
            with (
                mock.patch("celery.backends.base.time", clock),
                self._app.connection_for_read() as connection,
            ):
                self._channel = connection.default_channel
                yield self
        finally:
            before_task_publish.disconnect(self._before)
            after_task_publish.disconnect(self._published)

    def submit(self, size: int) -> None:
        member, gather = self._app.tasks["member"], self._app.tasks["gather"]
        body = gather.s()
        body.freeze()
        fate = Fate(())
        self.fates[body.id] = fate
        sent = chord([member.s(number) for number in range(size)], body)()
        assert sent.id == body.id
        fate.members = tuple(result.id for result in sent.parent.results)

    def deliver(self, seed: int) -> None:
        world = self._world
        self._take()
        world.shuffle(seed)
        while (due := world.due(math.inf)) is not None:
            world.now = max(world.now, due)
            world.on = True
            self._deliver_next()
            world.on = False
        for message in self._continuations:
            self._deliver(message)
        world.calls += -(-self._received // BATCH)
        for uuid, fate in self.fates.items():
            fate.runs = RUNS[uuid]

    def _deliver_next(self) -> None:
        (held,) = self._world.receive(1)
        self._deliver(held.body)

    def _deliver(self, message: Any) -> None:
        self._received += 1
        world, deleted = self._world, False

        def delete(*_: Any) -> None:
            nonlocal deleted
            world.before_call()
            deleted = True
            world.after_call()

        def handle() -> None:
            Request(message, app=self._app, on_ack=delete, hostname="worker").execute()

        world.survives(handle)
        self._take()
        if not deleted:
            world.send(message, _VISIBILITY)

    def _nap(self, seconds: float) -> None:
        """Let other processes work while one waits."""
        world, until = self._world, self._world.now + seconds
        while (due := world.due(until)) is not None and world.now < until:
            world.now = max(world.now, due)
            self._deliver_next()
        world.now = max(world.now, until)

    def _take(self) -> None:
        """Take over what was sent to Celery's broker."""
        while (message := self._channel.basic_get("celery", no_ack=True)) is not None:
            if message.headers["id"] in self.fates:
                self._continuations.append(message)
            else:
                self._world.send(message)

    def _before(self, *_: Any, **__: Any) -> None:
        self._world.before_call()

    def _send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        self._world.before_call()
        return self._table.call(event_name.rsplit(".", 1)[-1], asked(request))

    def _after(self, *_: Any, **__: Any) -> None:
        self._world.after_call()

    def _published(self, *_: Any, headers: dict[str, Any], **__: Any) -> None:
        fate = self.fates.get(headers["id"])
        if fate is not None:
            fate.early = fate.early or not self._all_ended(fate.members)
        self._world.after_call()

    def _all_ended(self, members: tuple[str, ...]) -> bool:
        backend = self._app.backend
        results = [self._table.result(str(backend.get_key_for_task(uuid))) for uuid in members]
        return all(
            stored is not None and backend.decode(stored)["status"] in READY_STATES for stored in results
        )

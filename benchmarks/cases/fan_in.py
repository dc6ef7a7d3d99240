"""A batch of ten members of a group, ten jobs by themselves, and ten members of a Celery chord: tasks of 20 ms."""

from __future__ import annotations

import base64
import json
import os
import urllib.request
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from benchmarks import deployment
from benchmarks.context import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS: Final = 10
# Of the group, whose members are counted in fifty items.
TOTAL: Final = 10_000
GROUP: Final = "5f0e7a52-3a0f-4c51-8f7c-7d3c2f1f9a10"
# The deadline of the group, in milliseconds since the epoch.
UNTIL: Final = 4_102_444_800_000
# Of the chord: its whole list of members is read after each of them, and must be below 400 kB.
CHORD: Final = 500


def members() -> Callable[[], None]:
    """Members through our worker's handler, in their order."""
    from serverless_tasks.engine.job.place import Place, member_id

    def as_members(event: dict[str, Any], first: int) -> None:
        for index, record in enumerate(event["Records"], first):
            place = Place(group=GROUP, index=index, total=TOTAL, until=UNTIL)
            links = {"v": 2, "uuid": member_id(GROUP, index), "member": place.encode()}
            record["body"] = json.dumps(json.loads(record["body"]) | links)

    return _through_the_handler(as_members)


def jobs() -> Callable[[], None]:
    """Jobs of the same task by themselves."""
    return _through_the_handler(lambda event, first: None)


def _through_the_handler(change: Callable[[dict[str, Any], int], None]) -> Callable[[], None]:
    from lambda_handlers.worker import handler

    batches = count()

    def step() -> None:
        first = next(batches) * RECORDS
        event = deployment.event("pause", {"number": first}, RECORDS, new=True)
        change(event, first)
        assert handler(event, CONTEXT) == {"batchItemFailures": []}

    return step


def chord() -> Callable[[], None]:
    """Members of a chord through Celery's own tracer, with its DynamoDB backend."""
    from celery.app.trace import build_tracer

    from benchmarks.cases.tasks import PAUSE
    from benchmarks.crashes.chords import chord_app

    app = chord_app(os.environ["AWS_ENDPOINT_URL"], pause=PAUSE)
    task = app.tasks["member"]
    group, ids = str(uuid4()), [str(uuid4()) for _ in range(CHORD)]
    _hold_list(app, group, ids)
    body = app.tasks["gather"].s()
    body.set(task_id=str(uuid4()))
    trace = build_tracer(task.name, task, app=app)
    numbers = iter(range(CHORD))

    def step() -> None:
        for _ in range(RECORDS):
            number = next(numbers)
            request = {
                "id": ids[number],
                "task": task.name,
                "args": (number,),
                "kwargs": {},
                "group": group,
                "chord": dict(body) | {"chord_size": CHORD},
                "is_eager": False,
            }
            answer = trace(ids[number], (number,), {}, request)
            assert answer.retval == number

    return step


def _hold_list(app: Any, group: str, ids: list[str]) -> None:
    """Let the endpoint hold what a chord stores when it is sent: the list of its members."""
    backend = app.backend
    result = app.GroupResult(group, [app.AsyncResult(uuid) for uuid in ids])
    stored = backend.encode({"result": result.as_tuple()})
    put = backend._prepare_put_request(backend.get_key_for_group(group).decode(), stored)
    item = put["Item"]
    item["result"] = {"B": base64.b64encode(item["result"]["B"].encode()).decode()}
    request = urllib.request.Request(
        f"{os.environ['AWS_ENDPOINT_URL']}/items", data=json.dumps([item]).encode(), method="PUT"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()

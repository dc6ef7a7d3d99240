"""The steps that look at the deployed stack: one for each way that a job can go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from botocore.exceptions import HTTPClientError

from infra.smoke.signed_request import read_signed
from infra.smoke.step import StepFailed, expect
from infra.smoke.tasks import LoseWorker, Square, Tick, Total
from serverless_tasks.engine.aws.scheduler.one_time import job_schedule_name
from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import use
from serverless_tasks.workflow import group, results

if TYPE_CHECKING:
    from infra.smoke.stack import Stack
    from infra.smoke.step import Script
    from serverless_tasks.engine.job.dead_letter import DeadLetter
    from serverless_tasks.engine.job.record import Record

# README's task.
SUM: Final = "sum"
GROUP: Final = "smoke-squares"
MEMBERS: Final = 25
# Seconds from now to a one-time schedule's time: it must not be over when the schedule has been made.
AHEAD: Final = 20
_DAY_MS: Final = 86_400_000


def direct_invoke(stack: Stack) -> Script:
    """Run README's task by a direct invoke."""
    yield
    outputs = stack.client.run(SUM, numbers=[1, 2])
    expect(outputs == {"sum": 3}, f"the sum of 1 and 2 is {outputs}")
    return "the task has run, and its outputs are right"


def queue(stack: Stack) -> Script:
    """Submit README's task through the queue, and read its record."""
    handle = stack.client.submit(SUM, numbers=[1, 2, 3])
    wait = yield
    outputs = handle.wait(wait.left)
    record = stack.client.get(handle.uuid)
    expect(outputs == {"sum": 6}, f"the sum of 1, 2 and 3 is {outputs}")
    expect(
        (record.progress, record.target) == (3, 3), f"its progress is {record.progress} of {record.target}"
    )
    return _times(record)


def status(stack: Stack) -> Script:
    """Read the record at the status URL, with a signed request."""
    handle = stack.client.submit(SUM, numbers=[4])
    wait = yield
    handle.wait(wait.left)
    answers: list[str] = []

    def look() -> dict[str, object] | None:
        try:
            code, body = read_signed(stack.outputs["StatusUrl"], handle.uuid, stack.region)
        except HTTPClientError as error:  # the name of a new URL may not be known yet
            answers.append(type(error).__name__)
            return None
        answers.append(str(code))
        return json.loads(body) if code == 200 else None

    try:
        record = wait.until("the record", look)
    except StepFailed as error:
        raise StepFailed(f"{error}: the status URL answered {', '.join(sorted(set(answers)))}") from None
    same = stack.client.get(handle.uuid).to_json()
    expect(record == same, f"the status URL says {record}, and the table {same}")
    return f"the record, at request {len(answers)}"


def workflow(stack: Stack) -> Script:
    """Submit a group, and see what follows it get all results."""
    squares = group((Square.signature(number=number) for number in range(MEMBERS)), name=GROUP)
    with use(stack.client.services):
        handle = squares.then(Total.signature(squares=results["square"])).submit()
    wait = yield
    handle.wait(wait.left)
    expect(handle.members.succeeded == MEMBERS, f"{handle.members.succeeded} of {MEMBERS} members succeeded")
    following = handle.continuation
    if following is None:
        raise StepFailed("nothing follows the group")
    outputs = following.wait(wait.left)
    right = sum(number * number for number in range(MEMBERS))
    expect(outputs == {"total": right}, f"the total is {outputs}, and should be {right}")
    return f"{MEMBERS} members; {_times(handle.record)}"


def dead_letter(stack: Stack) -> Script:
    """Send a body that is no job, find it among the dead letters, and throw it away."""
    body = f"this is no job: {uuid4()}"
    url = json.loads(stack.outputs["QueueUrls"])["high"]
    call(client("sqs").send_message, QueueUrl=url, MessageBody=body)
    wait = yield
    letters = stack.client.dead_letters

    def look() -> DeadLetter | None:
        return next((letter for letter in letters.all() if letters.body(letter) == body), None)

    letter = wait.until("the dead letter in the bucket", look)
    expect(len(list(letters.purge([letter]))) == 1, "the dead letter could not be thrown away")
    expect(look() is None, "the dead letter was thrown away, and is there")
    return f"kept with its reason: {letter.reason}"


def one_time_schedule(stack: Stack) -> Script:
    """Have EventBridge Scheduler send a job once, as it sends those with a delay of more than 15 minutes."""
    services = stack.client.services
    now = to_ms(services.clock.now())
    due = now + AHEAD * 1000
    message = Message(
        uuid=str(uuid4()),
        task=SUM,
        inputs={"numbers": [40, 2]},
        created=now,
        expires=now + _DAY_MS,
        run_at=due,
    )
    services.store.put_jobs([message])
    [error] = services.schedules.create(services.schedules.prepare([message]))
    if error is not None:
        raise error
    wait = yield
    record = wait.until("the end of the scheduled job", lambda: _ended(stack, message.uuid))
    expect(record.outputs == {"sum": 42}, f"it {record.status}: {record.outputs} {record.error}")
    name = job_schedule_name(message.uuid, due)
    wait.until("the schedule's own deletion", lambda: True if not _scheduled(stack, name) else None)
    started = record.started or 0
    expect(started >= due, f"it began {(due - started) / 1000:.1f} s early")
    return f"begun {(started - due) / 1000:.1f} s after its time; its schedule is gone"


def recurring_schedule(stack: Stack) -> Script:
    """See a task run whose schedule the deployment has made."""
    wait = yield

    def look() -> Record | None:
        return next(stack.client.list(task=Tick, status="succeeded", limit=1), None)

    record = wait.until("a job of the recurring schedule", look)
    return f"one has run, {((record.started or 0) - record.created) / 1000:.1f} s after its time"


def lost_worker(stack: Stack) -> Script:
    """Submit a job that ends its worker in its first attempt, and see the second one."""
    handle = stack.client.submit(LoseWorker)
    wait = yield
    outputs = handle.wait(wait.left)
    record = stack.client.get(handle.uuid)
    reasons = [attempt.failure.type for attempt in record.history]
    expect(outputs == {"attempt": 2}, f"its outputs are {outputs}, and should be those of attempt 2")
    expect(reasons == ["WorkerLost"], f"the attempts before ended with {reasons}")
    return f"attempt 2 has succeeded; {_times(record)}"


def _ended(stack: Stack, uuid: str) -> Record | None:
    record = stack.client.get(uuid)
    return record if record.ended else None


def _scheduled(stack: Stack, name: str) -> bool:
    group = stack.outputs["ScheduleGroupName"]
    return bool(call(client("scheduler").list_schedules, GroupName=group, NamePrefix=name)["Schedules"])


def _times(record: Record) -> str:
    return f"ended {((record.finished or 0) - record.created) / 1000:.1f} s after it was submitted"

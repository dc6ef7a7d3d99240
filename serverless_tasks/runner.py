"""The way through: claim a job, run its task, record how it ended."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from serverless_tasks.clock import to_ms
from serverless_tasks.errors import (
    AwsError,
    LeaseLost,
    PayloadTooLarge,
    ServerlessTasksError,
    TaskCancelled,
    TaskDefinitionError,
)
from serverless_tasks.execution import Execution, finish
from serverless_tasks.limit import time_limit
from serverless_tasks.message import RETENTION
from serverless_tasks.outcome import Outcome, Run, failure_of, is_final, retries_after
from serverless_tasks.progress import Progress, ProgressWriter, Snapshot
from serverless_tasks.record import (
    CANCELLED,
    EXPIRED,
    FAILED,
    SUCCEEDED,
    TASK_CANCELLED,
    WORKER_LOST,
    Failure,
)
from serverless_tasks.retry import backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.clock import Clock
    from serverless_tasks.declaration import Declaration
    from serverless_tasks.message import Message
    from serverless_tasks.registry import Registry
    from serverless_tasks.store import Blobs, Claim, Store

LEASE = 60.0
RENEW = 20.0
# What stays between a task's end and the function's deadline, for the writes that record it.
MARGIN = 2.0
LOST_LIMIT = 3
GIVE_BACK = 30.0


class Runner:
    """Runs messages.

    Args:
        registry: the tasks that a message can name.
        store: where jobs are kept.
        blobs: where large inputs lie, or None.
        republish: sends the message of a retry, after its ``delay``.
        clock: the time.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        blobs: Blobs | None,
        republish: Callable[[Message], None],
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._store = store
        self._blobs = blobs
        self._republish = republish
        self._clock = clock

    def execute(
        self, message: Message, *, deadline: float | None = None, request_id: str = "", retry: bool = True
    ) -> Outcome:
        """Run one delivery of a message.

        Args:
            message: the job.
            deadline: when this process is ended, seconds since the epoch; None when it is not, and the lease is
                renewed while the task runs.
            request_id: Lambda's, kept with the attempt.
            retry: whether a failure may wait for another attempt; a direct invoke wants its answer now.

        Raises:
            UnknownTask: this deployment has no such task.
            AwsError: the store could not be asked; the message must come back.
        """
        task = self._registry.get(message.task)
        now = self._clock.now()
        if to_ms(now) > message.expires:
            settled = self._store.settle(message, EXPIRED)
            return self._not_claimed(settled, now) if settled.answer == "busy" else Outcome(status="ended")
        lease = to_ms(now + LEASE if deadline is None else deadline)
        claim = self._store.claim(message, token=uuid4().hex, lease=lease, request_id=request_id)
        if claim.answer != "claimed":
            return self._not_claimed(claim, now)
        if claim.cancelled:
            return self._cancelled(message, claim, Snapshot(seq=1))
        if claim.lost > LOST_LIMIT:
            self._store.fail(message.uuid, claim, Snapshot(seq=1), WORKER_LOST)
            return Outcome(status=FAILED, attempt=claim.attempt, failure=WORKER_LOST)
        return self._attempt(message, claim, deadline, task, retry)

    def _attempt(
        self, message: Message, claim: Claim, deadline: float | None, task: type[Declaration], retry: bool
    ) -> Outcome:
        progress = Progress()
        writer = ProgressWriter(
            progress,
            self._progress_write(message, claim, deadline),
            self._clock,
            RENEW if deadline is None else None,
        )
        progress.ask = self._question(message, claim)
        execution = Execution(
            uuid=message.uuid, attempt=claim.attempt, owner=message.owner, progress=progress
        )
        try:
            run = self._run(message, execution, deadline, task)
        except BaseException:  # Ctrl-C and the like: the attempt does not count, the message goes back
            writer.close()
            self._store.release(message.uuid, claim.token)
            raise
        last = writer.close()
        try:
            return self._record(message, claim, retry, run, last)
        except LeaseLost as lost:
            return Outcome(status="lost", give_back=GIVE_BACK, attempt=claim.attempt, exception=lost)

    def _run(
        self, message: Message, execution: Execution, deadline: float | None, declared: type[Declaration]
    ) -> Run:
        task: type[Declaration] | Declaration = declared
        try:
            inputs = self._inputs(message)
        except Exception as error:
            if isinstance(error, AwsError) and not error.gone:
                raise  # a bucket that is busy is no fault of the task's: the attempt does not count
            return Run(None, error, 0.0, declared.retries)
        began = self._clock.now()
        seconds = declared.timeout if deadline is None else min(declared.timeout, deadline - began - MARGIN)
        try:
            definition = self._registry.definition(message.task)
            model = definition.parse_json(inputs)
            task = definition.instance(model, execution)
            with time_limit(seconds):
                value = task.run(**definition.arguments(model))
                if inspect.iscoroutine(value):
                    value = finish(value)
            outputs = definition.outputs_to_json(value)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a task raises is recorded
            return Run(None, error, self._clock.now() - began, retries_after(task, error))
        return Run(outputs, None, self._clock.now() - began)

    def _record(self, message: Message, claim: Claim, retry: bool, run: Run, last: Snapshot) -> Outcome:
        if run.outputs is not None:
            try:
                self._store.succeed(message.uuid, claim, last, run.outputs)
            except PayloadTooLarge as error:
                run = replace(run, exception=error)
            else:
                return Outcome(status=SUCCEEDED, attempt=claim.attempt, duration=run.duration)
        raised = run.exception
        assert raised is not None
        if isinstance(raised, LeaseLost):
            raise raised
        if isinstance(raised, TaskCancelled):
            return self._cancelled(message, claim, last, run.duration)
        failure = failure_of(raised)
        told = Outcome(
            status=FAILED, attempt=claim.attempt, failure=failure, exception=raised, duration=run.duration
        )
        if is_final(raised) or not retry or claim.failures >= run.retries:
            self._store.fail(message.uuid, claim, last, failure)
            return told
        return replace(told, status="pending", give_back=self._retry(message, claim, last, failure))

    def _retry(self, message: Message, claim: Claim, last: Snapshot, failure: Failure) -> float | None:
        """Let the job wait and send its next message; returns the seconds after which this one should come back.

        A message whose successor could not be sent stands in for it.
        """
        delay = backoff(claim.failures + 1)
        now = self._clock.now()
        again = replace(message, delay=delay, expires=max(message.expires, to_ms(now + delay + RETENTION)))
        self._store.retry(again, claim, last, failure, not_before=to_ms(now + delay) - 500)
        try:
            self._republish(again)
        except ServerlessTasksError:
            return float(delay)
        return None

    def _cancelled(self, message: Message, claim: Claim, last: Snapshot, duration: float = 0.0) -> Outcome:
        self._store.fail(message.uuid, claim, last, TASK_CANCELLED, status=CANCELLED)
        return Outcome(status=CANCELLED, attempt=claim.attempt, failure=TASK_CANCELLED, duration=duration)

    def _not_claimed(self, claim: Claim, now: float) -> Outcome:
        if claim.answer == "ended":
            return Outcome(status="ended")
        return Outcome(status=claim.answer, give_back=max(1.0, claim.until / 1000 - now + 1))

    def _inputs(self, message: Message) -> Any:
        if message.inputs_key is None:
            return message.inputs
        if self._blobs is None:
            raise TaskDefinitionError(
                "The job's inputs lie in a bucket, and SERVERLESS_TASKS_BUCKET is not set."
            )
        return json.loads(self._blobs.get(message.inputs_key))

    def _progress_write(
        self, message: Message, claim: Claim, deadline: float | None
    ) -> Callable[[Snapshot], bool]:
        def write(snapshot: Snapshot) -> bool:
            lease = to_ms(self._clock.now() + LEASE) if deadline is None else None
            return self._store.write_progress(message.uuid, claim.token, snapshot, lease=lease)

        return write

    def _question(self, message: Message, claim: Claim) -> Callable[[], bool]:
        asked = float("-inf")

        def ask() -> bool:
            nonlocal asked
            now = self._clock.now()
            if now - asked < 1.0:
                return False
            asked = now
            try:
                return self._store.cancel_requested(message.uuid, claim.token)
            except AwsError:
                # A store that is busy is no reason for the task to fail: the next call asks again.
                return False

        return ask

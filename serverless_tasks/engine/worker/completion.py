"""The end of an attempt: its recorded outcome, and the message of the next one."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import expires_at
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import CANCELLED, FAILED, PENDING, SUCCEEDED, TASK_CANCELLED
from serverless_tasks.engine.job.retry import EARLY, LONGEST_WAIT, backoff
from serverless_tasks.engine.worker.outcome import (
    DeliveryResult,
    RunResult,
    failure_of,
    is_a,
    is_final,
    unmarked,
)
from serverless_tasks.errors import (
    AlreadyFinished,
    LeaseLost,
    PayloadTooLarge,
    RetriesExhausted,
    ServerlessTasksError,
    TaskCancelled,
    TaskRetry,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Failure, Record
    from serverless_tasks.engine.store.base import Claim, Store
    from serverless_tasks.engine.worker.outcome import Mark


class Completion:
    """Records how attempts end.

    Args:
        store: where jobs are kept.
        republish: sends the message of a retry, when it is due.
        clock: the time.
        until: given the present and a retry's time, says how long its message can be delivered, as `expires_at` does.
        holds_back: whether the job of a retry cannot be claimed before its time; if not, whoever runs it sees to that.
        mark: gives a final failure its fingerprint, or None.
    """

    def __init__(
        self,
        store: Store,
        republish: Callable[[Message], None],
        clock: Clock,
        until: Callable[[int, int | None], int] = expires_at,
        *,
        holds_back: bool = True,
        mark: Mark | None = None,
    ) -> None:
        self._mark = mark or unmarked
        self._store = store
        self._republish = republish
        self._clock = clock
        self._until = until
        self._holds_back = holds_back

    def record(
        self,
        message: Message,
        claim: Claim,
        task: type[BaseTask],
        run: RunResult,
        last: Snapshot,
        *,
        retry: bool,
    ) -> DeliveryResult:
        """Record a run, and see to the next one.

        Args:
            message: the job.
            claim: what the attempt holds it by.
            task: its class, which says how long a retry waits.
            run: how the task ended.
            last: the progress that is not written yet.
            retry: whether another attempt may follow.

        Raises:
            LeaseLost: the attempt no longer holds the job.
            AwsError: the store could not be written to.
        """
        if run.outputs is not None:
            try:
                self._store.succeed(message.uuid, claim, last, run.outputs)
            except PayloadTooLarge as error:
                run = replace(run, exception=error)
            else:
                return DeliveryResult(job_status=SUCCEEDED, attempt=claim.attempt, duration=run.duration)
        raised = run.exception
        assert raised is not None
        if is_a(raised, LeaseLost):
            raise raised
        if is_a(raised, TaskCancelled):
            return self.cancelled(message, claim, last, run.duration)
        if not is_final(raised) and retry and claim.failures < run.retries:
            return self._retry(message, claim, task, run, last)
        if is_a(raised, TaskRetry):
            raised = _exhausted(raised, run.retries, retry=retry)
        failure = self._mark(message.task, failure_of(raised, run.mask), raised)
        self._store.fail(message.uuid, claim, last, failure)
        return _result(FAILED, claim, run, failure, raised)

    def as_other(self, message: Message, claim: Claim, task: type[BaseTask], other: Record) -> DeliveryResult:
        """Record of a job that follows another how that one ended."""
        last = Snapshot(seq=1)
        if other.status == SUCCEEDED:
            return self.record(message, claim, task, RunResult(other.outputs, None, 0.0), last, retry=False)
        failure = other.failure or TASK_CANCELLED
        if other.status == FAILED:
            failure = self._mark(message.task, failure, None)
        self._store.fail(message.uuid, claim, last, failure, status=other.status)
        return DeliveryResult(job_status=other.status, attempt=claim.attempt, failure=failure)

    def cancelled(
        self, message: Message, claim: Claim, last: Snapshot, duration: float = 0.0
    ) -> DeliveryResult:
        """Record that the job was cancelled while the attempt held it."""
        self._store.fail(message.uuid, claim, last, TASK_CANCELLED, status=CANCELLED)
        return DeliveryResult(
            job_status=CANCELLED, attempt=claim.attempt, failure=TASK_CANCELLED, duration=duration
        )

    def _retry(
        self, message: Message, claim: Claim, task: type[BaseTask], run: RunResult, last: Snapshot
    ) -> DeliveryResult:
        """Let the job wait and send its next message.

        Where nothing holds its message back for so long, it comes before ``not_before`` and is given back until then.
        A message whose successor could not be sent stands in for it.
        """
        raised = run.exception
        assert raised is not None
        failure = failure_of(raised, run.mask)
        wait = _wait(task, claim.failures + 1, raised)
        now = to_ms(self._clock.now())
        run_at = now + wait * 1000
        expires = max(message.expires, self._until(now, run_at))
        again = replace(message, run_at=run_at, expires=expires)
        not_before = run_at - EARLY if self._holds_back else now
        if self._store.retry(again, claim, last, failure, not_before=not_before):
            return self._stopped(message, claim, run)
        result = _result(PENDING, claim, run, failure, raised)
        try:
            self._republish(again)
        except ServerlessTasksError:
            return replace(result, give_back=float(wait))
        return result

    def _stopped(self, message: Message, claim: Claim, run: RunResult) -> DeliveryResult:
        """End a job whose cancellation the attempt has not heard of, and which would otherwise wait to hear of it."""
        try:
            self._store.cancel(message.uuid)
        except AlreadyFinished as ended:
            return DeliveryResult(job_status=ended.status, attempt=claim.attempt, duration=run.duration)
        return _result(CANCELLED, claim, run, TASK_CANCELLED, run.exception)


def _result(
    status: str, claim: Claim, run: RunResult, failure: Failure, exception: BaseException | None
) -> DeliveryResult:
    return DeliveryResult(
        job_status=status, attempt=claim.attempt, failure=failure, exception=exception, duration=run.duration
    )


def _wait(task: type[BaseTask], failures: int, raised: BaseException) -> int:
    """Whole seconds until the next attempt."""
    if is_a(raised, TaskRetry):
        with suppress(TypeError):  # None, or what `retry()` would have refused: then as after any exception
            if 0 <= raised.after <= LONGEST_WAIT:  # type: ignore[operator]
                return math.ceil(raised.after)  # type: ignore[arg-type]
    return backoff(failures, task.backoff, task.backoff_cap)


def _exhausted(asked: TaskRetry, retries: int, *, retry: bool) -> RetriesExhausted:
    if not retry:
        why = "a direct invoke is not retried; submit it instead"
    elif retries:
        why = f"its retries ({retries}) are used up"
    else:
        why = "it has none; set retries on its class"
    text = f" Reason given: {asked.reason}" if asked.reason else ""
    error = RetriesExhausted(f"The task requested a retry, but {why}.{text}")
    error.__cause__ = asked
    return error

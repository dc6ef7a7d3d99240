"""One attempt of a job: its inputs, its limits, what it reports, and its run."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.definition.returned import run_to_end
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.execution import Execution
from serverless_tasks.engine.job.masking import NO_MASK
from serverless_tasks.engine.job.progress import Progress
from serverless_tasks.engine.store.payloads import load_inputs
from serverless_tasks.engine.worker.outcome import RunResult, is_from_outside, retries_after, unwrap_group
from serverless_tasks.engine.worker.progress_writer import ProgressWriter
from serverless_tasks.engine.worker.time_limit.coroutine import finish
from serverless_tasks.engine.worker.time_limit.enforce import within
from serverless_tasks.engine.worker.time_limit.limit import STOP_GRACE, Limit
from serverless_tasks.errors import AwsError, InvalidInputs, TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.registry import Registry
    from serverless_tasks.engine.definition.schema import Definition
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.execution import EarlierGroup
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.store.base import Blobs, Claim, Store

LEASE = 60.0
RENEW = 20.0
# What stays between a task's end and the function's deadline, for the writes that record it.
MARGIN = 2.0
# What of it stays when a task goes on after its `TaskTimeout`, and is stopped.
LAST = 1.0


class Attempt:
    """An attempt that has been claimed.

    Args:
        message: the job.
        claim: what this attempt holds it by.
        deadline: when this process is ended, seconds since the epoch, or None.
        registry: the tasks.
        store: where jobs are kept.
        blobs: where large inputs lie, or None.
        clock: the time.
        is_stopped: tells of a job whether its group was cancelled.
        build: the id of the code that runs it, or "".
    """

    def __init__(
        self,
        message: Message,
        claim: Claim,
        deadline: float | None,
        *,
        registry: Registry,
        store: Store,
        blobs: Blobs | None,
        clock: Clock,
        is_stopped: Callable[[Message], bool] = lambda message: False,
        build: str = "",
    ) -> None:
        self._build = build
        self._is_stopped = is_stopped
        self._message = message
        self._claim = claim
        self._deadline = deadline
        self._registry = registry
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._asked = -math.inf
        self._renewed_until = math.inf

    def run(self) -> tuple[RunResult, Snapshot]:
        """Run the task; returns how that ended, and the progress that is still to be written.

        Raises:
            AwsError: the inputs could not be fetched now; the task was not begun.
            KeyboardInterrupt: the process is to end.
        """
        progress = Progress(self._clock.now)
        progress.ask = self._asks_to_stop
        renew = RENEW if self._deadline is None else None
        writer = ProgressWriter(progress, self._write, self._clock, renew)
        try:
            run = self._run(progress)
        finally:
            last = writer.close()
        return run, last

    def _run(self, progress: Progress) -> RunResult:
        declared = self._registry.for_message(self._message.task)
        task: type[BaseTask] | BaseTask = declared
        try:
            inputs = load_inputs(self._message, self._blobs)
            if self._message.references:
                from serverless_tasks.engine.worker.references import resolved  # most jobs have none

                inputs = resolved(self._message, inputs, self._store)
        except Exception as failed:
            if isinstance(failed, AwsError) and not failed.gone:
                raise  # a bucket that is busy is no fault of the task's: the attempt does not count
            return RunResult(None, failed, 0.0, declared.retries)
        began = self._clock.now()
        mask = NO_MASK
        try:
            definition = self._registry.definition_for_message(self._message.task)
            model = self._parsed(definition, inputs)
            progress.mask = mask = definition.mask(model)
            task = definition.instance(model, self._execution(progress))
            outputs = self._limited(task, definition, model, progress, began)
        except BaseException as raised:
            if is_from_outside(raised):
                raise
            error = unwrap_group(raised)
            return RunResult(None, error, self._clock.now() - began, retries_after(task, error), mask)
        return RunResult(outputs, None, self._clock.now() - began)

    def _parsed(self, definition: Definition, inputs: dict[str, Any]) -> BaseModel:
        try:
            return definition.parse_json(inputs)
        except InvalidInputs as error:  # they were accepted when they were submitted, by other code perhaps
            error.args = (f"{error}{self._message.builds(self._build)}",)
            raise

    def _execution(self, progress: Progress) -> Execution:
        message = self._message
        return Execution(
            uuid=message.uuid,
            attempt=self._claim.attempt,
            owner=message.owner,
            scheduled=datetime.fromtimestamp(message.created / 1000, UTC) if message.schedule else None,
            group=self._earlier(message.previous) if message.previous is not None else None,
            progress=progress,
        )

    def _earlier(self, previous: str) -> EarlierGroup:
        from serverless_tasks.engine.worker.references import EarlierJobs

        return EarlierJobs(self._store, previous)

    def _limited(
        self, task: BaseTask, definition: Definition, model: BaseModel, progress: Progress, began: float
    ) -> dict[str, Any]:
        """The outputs that ``run`` returns, within the time that there is.

        Raises:
            TaskTimeout: there is none, or it was not enough.
        """
        left = math.inf if self._deadline is None else self._deadline - began
        if left <= MARGIN:
            raise TaskTimeout(
                f"The task was not begun: its function ends in {left:.1f} seconds, "
                f"of which {MARGIN:g} are kept for recording the end. Increase the function's timeout."
            )
        limit = Limit(min(task.timeout, left - MARGIN), progress, latest=left - LAST)
        self._renewed_until = began + task.timeout + STOP_GRACE + LEASE

        def work() -> dict[str, Any]:
            # Of a coroutine or a generator the code runs here, and what it raises is its own.
            value = run_to_end(task.run(**definition.arguments(model)), lambda made: finish(made, limit))
            return definition.outputs_to_json(value)

        return within(limit, work)

    def _write(self, snapshot: Snapshot) -> bool:
        lease = None
        if self._deadline is None:
            # A task that cannot be stopped does not hold its job for ever.
            lease = to_ms(min(self._clock.now() + LEASE, self._renewed_until))
        asked = self._store.write_progress(self._message.uuid, self._claim.token, snapshot, lease=lease)
        return asked or self._is_stopped(self._message)

    def _asks_to_stop(self) -> bool:
        now = self._clock.now()
        if now - self._asked < 1.0:
            return False
        self._asked = now
        try:
            asked = self._store.cancel_requested(self._message.uuid, self._claim.token)
            return asked or self._is_stopped(self._message)
        except AwsError:
            # A store that is busy is no reason for the task to fail: the next call asks again.
            return False

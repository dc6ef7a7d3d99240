"""The way through: claim a job, run its task, record how it ended."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import expires_at, expires_in_process_at
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import CANCELLED, ENDED, EXPIRED, FAILED, NOT_RUN_AGAIN, SKIPPED
from serverless_tasks.engine.job.retry import EARLY
from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.engine.store.overlap import overlapping
from serverless_tasks.engine.worker.attempt import LEASE, Attempt
from serverless_tasks.engine.worker.completion import Completion
from serverless_tasks.engine.worker.delivery import Delivery, in_own_context, no_spans
from serverless_tasks.engine.worker.firing import task_for
from serverless_tasks.engine.worker.outcome import DeliveryResult, Disposition, unmarked
from serverless_tasks.errors import AwsError, LeaseLost, ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.registry import Registry
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.place import Place
    from serverless_tasks.engine.job.record import Failure
    from serverless_tasks.engine.store.base import Blobs, Claim, Store
    from serverless_tasks.engine.worker.delivery import DeliverySpans, Middleware, WorkflowSteps
    from serverless_tasks.engine.worker.following import Course
    from serverless_tasks.engine.worker.outcome import Mark

logger = logging.getLogger(__name__)

LOST_LIMIT = 3
GIVE_BACK = 30.0
# The longest that SQS hides a message which it has delivered, in seconds:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
LONGEST_HIDDEN = 43_200


class Runner:
    """Runs messages.

    Args:
        registry: the tasks that a message can name.
        store: where jobs are kept.
        blobs: where large inputs lie, or None.
        republish: sends the message of a retry, when it is due.
        clock: the time.
        acquire: gives a schedule's turn to a job, unless an earlier one still has it; see `Locks.acquire`.
        has_queue: whether a queue stands behind the messages and delivers them again when this process dies. A job
            that runs without one reads as lost as soon as its lease is over.
        holds_back: see `Completion`.
        middleware: stands around each delivery, as Django's app does to tend its connections.
        workflows: gives what is done for members of groups and chains; called for those alone.
        mark: gives a final failure its fingerprint, which the job's state is to say; see `Gatherer.mark`. None leaves
            it as it is.
        spans: gives what makes spans, or None where nobody has asked for traces.
        build: the id of the code that runs them, or "".
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        blobs: Blobs | None,
        republish: Callable[[Message], None],
        clock: Clock,
        *,
        acquire: Callable[[str, str], bool] = lambda name, uuid: True,
        has_queue: bool = True,
        holds_back: bool = True,
        middleware: Middleware | None = None,
        workflows: Callable[[], WorkflowSteps] | None = None,
        mark: Mark | None = None,
        spans: Callable[[], DeliverySpans | None] = no_spans,
        build: str = "",
    ) -> None:
        self._build = build
        self._mark = mark or unmarked
        self._workflows = workflows
        self._spans = spans
        self._registry = registry
        self._store = store
        self._blobs = blobs
        self._republish = republish
        self._clock = clock
        self._acquire = acquire
        self._has_queue = has_queue
        self._middleware = middleware
        until = expires_at if has_queue else expires_in_process_at
        self._completion = Completion(store, republish, clock, until, holds_back=holds_back, mark=mark)

    def execute(
        self,
        message: Message,
        *,
        deadline: float | None = None,
        request_id: str = "",
        message_id: str = "",
        retry: bool = True,
        claim: Claim | None = None,
        in_flight_work: Callable[[], None] | None = None,
        count: Callable[[Place, str], None] | None = None,
    ) -> DeliveryResult:
        """Run one delivery of a message, in a context of its own.

        Args:
            message: the job.
            deadline: when this process is ended, seconds since the epoch; None when it is not, and the lease is
                renewed while the task runs.
            request_id: Lambda's, kept with the attempt.
            message_id: the queue's, for the trace.
            retry: whether a failure may wait for another attempt; a direct invoke wants its answer now.
            claim: what `claim` answered, when it was called for this delivery already.
            in_flight_work: done while the end is recorded; see `overlapping`. It may stay undone.
            count: takes a member of a group whose end is recorded, to count several at once; the message may only be
                deleted then. Each is counted at once unless given.

        Raises:
            UnknownTask: this deployment has no such task, or the task has not the schedule that the message names.
            NotDue: it is a schedule's, whose time is still to come.
            AwsError: the store could not be asked; the message must come back.
        """
        delivery = Delivery(
            message=message,
            deadline=deadline,
            request_id=request_id,
            message_id=message_id,
            retry=retry,
            claim=claim,
            in_flight_work=in_flight_work,
        )
        spans = self._spans()
        result = self._run(delivery) if spans is None else spans.process(delivery, self._run)
        if message.member is not None and result.terminal:
            (count or self.count)(message.member, result.terminal)
        return result

    def count(self, member: Place, status: str) -> None:
        """Count a member of a group whose end is recorded.

        Raises:
            ServerlessTasksError: it could not be counted, or what follows could not be sent; it is to be tried again.
        """
        self.count_all({member: status})

    def count_all(self, ends: Mapping[Place, str]) -> None:
        """As `count`, of several members."""
        spans = self._spans()
        if spans is None:
            self._steps.count(ends)
        else:
            spans.count(ends, self._steps.count)

    def settle(self, message: Message, failure: Failure) -> Claim:
        """End a job that nobody holds, and count it where it is a member of a group; see `Store.settle`."""
        claim = self._store.settle(
            message, failure if failure.fingerprint else self._mark(message.task, failure, None)
        )
        if message.member is not None and claim.status in ENDED:
            self.count(message.member, claim.status)
        return claim

    @property
    def _steps(self) -> WorkflowSteps:
        assert self._workflows is not None, "services give a runner what its messages need"
        return self._workflows()

    def _run(self, delivery: Delivery) -> DeliveryResult:
        if delivery.message.workflow is not None:
            return self._do_workflow(delivery.message)
        if self._middleware is None:
            return in_own_context(self._deliver, delivery)
        return in_own_context(self._middleware, delivery, self._deliver)

    def _do_workflow(self, message: Message) -> DeliveryResult:
        pause = self._steps.deliver(message)
        if pause is None:
            return DeliveryResult(disposition=Disposition.OPENED)
        return DeliveryResult(disposition=Disposition.WAITING, give_back=pause)

    def _is_stopped(self, message: Message) -> bool:
        return message.member is not None and self._steps.is_stopped(message.member.group)

    def _deliver(self, delivery: Delivery) -> DeliveryResult:
        message, claim, now = delivery.message, delivery.claim, self._clock.now()
        task = task_for(message, self._registry, now)
        if claim is None and to_ms(now) > message.expires:
            return self._expire(message, now)
        course = self._course(message, now)
        if course is not None and course.pause is not None:
            return self._look_again(message, course.pause, now)
        if not self._has_queue:
            message = replace(message, expires=to_ms(now))
        if claim is None:
            claim = self.claim(message, deadline=delivery.deadline, request_id=delivery.request_id)
        if claim.answer == ClaimAnswer.ENDED:
            return DeliveryResult(disposition=Disposition.ENDED, recorded=claim.status, claim=claim)
        if claim.answer != ClaimAnswer.CLAIMED:
            return self._sent_on(message, claim, now) or self._wait(claim, now)
        result = self._begin(replace(delivery, message=message, claim=claim), claim, task, course)
        return replace(result, claim=claim)

    def _expire(self, message: Message, now: float) -> DeliveryResult:
        """End a job whose message came too late."""
        failure = self._mark(message.task, EXPIRED, None)
        settled = self._store.settle(message, failure)
        if settled.answer == ClaimAnswer.BUSY:
            return self._wait(settled, now)
        ended = failure if settled.answer == ClaimAnswer.SETTLED else None
        return DeliveryResult(
            disposition=Disposition.ENDED, recorded=settled.status, failure=ended, claim=settled
        )

    def _begin(
        self, delivery: Delivery, claim: Claim, task: type[BaseTask], course: Course | None
    ) -> DeliveryResult:
        """Run a job that has been claimed, unless it is not to be run any more."""
        message = delivery.message
        if claim.cancelled or self._is_stopped(message):
            return self._completion.cancelled(message, claim, Snapshot(seq=1))
        if course is not None and course.ended is not None:
            return self._completion.as_other(message, claim, task, course.ended)
        if claim.lost > (LOST_LIMIT if task.on_lost == "retry" else 0):
            failure = self._mark(message.task, NOT_RUN_AGAIN, None)
            self._store.fail(message.uuid, claim, Snapshot(seq=1), failure)
            return DeliveryResult(job_status=FAILED, attempt=claim.attempt, failure=failure)
        if message.schedule is not None and not self._has_turn(
            message, claim, message.schedule, task.overlap
        ):
            self._store.fail(message.uuid, claim, Snapshot(seq=1), SKIPPED, status=CANCELLED)
            return DeliveryResult(job_status=CANCELLED, attempt=claim.attempt, failure=SKIPPED)
        return self._attempt(message, claim, delivery, task)

    def _course(self, message: Message, now: float) -> Course | None:
        """What a job that follows another is to do; None for all others."""
        if message.follows is None or self._is_stopped(message):
            return None
        from serverless_tasks.engine.worker.following import course_of  # hardly a job follows another

        return course_of(message, self._store, now)

    def _look_again(self, message: Message, pause: float, now: float) -> DeliveryResult:
        """Let a job that follows another wait. No attempt of it is begun, and what waits long is sent anew."""
        from serverless_tasks.engine.worker.following import SENT_ANEW, WAITS

        waiting = DeliveryResult(disposition=Disposition.WAITING, give_back=pause)
        if not self._has_queue or now - message.created / 1000 < SENT_ANEW:
            return waiting
        run_at = to_ms(now + pause)
        again = replace(message, run_at=run_at, expires=max(message.expires, expires_at(to_ms(now), run_at)))
        try:
            self._store.returned(again, WAITS)  # until when it is not to read as expired
            self._republish(again)
        except ServerlessTasksError:
            return waiting
        return replace(waiting, give_back=None)

    def claim(self, message: Message, *, deadline: float | None = None, request_id: str = "") -> Claim:
        """Ask for a job, for a delivery of it that has not expired; see `execute`.

        Raises:
            AwsError: the store could not be asked; the message must come back.
        """
        token = uuid4().hex
        lease = to_ms(self._clock.now() + LEASE if deadline is None else deadline)
        try:
            return self._store.claim(message, token=token, lease=lease, request_id=request_id)
        except BaseException as error:  # Ctrl-C as well
            if not isinstance(error, AwsError) or error.applied:
                self.release(message, token)  # else the attempt would count as one whose worker was lost
            raise

    def release(self, message: Message, token: str) -> None:
        """Give back a job whose task was not begun: the attempt does not count."""
        try:
            self._store.release(message.uuid, token)
        except AwsError:  # what led here is what matters; the lease ends by itself
            logger.warning("attempt %s of job %s could not be released", token, message.uuid, exc_info=True)

    def _has_turn(self, message: Message, claim: Claim, schedule: str, overlap: str) -> bool:
        """Keep the job of a tick, which nobody has submitted, and say whether it may run now."""
        try:
            self._store.put_jobs([message])
            return overlap == "allow" or self._acquire(schedule, message.uuid)
        except AwsError:
            self.release(message, claim.token)
            raise

    def _attempt(
        self,
        message: Message,
        claim: Claim,
        delivery: Delivery,
        task: type[BaseTask],
    ) -> DeliveryResult:
        attempt = Attempt(
            message,
            claim,
            delivery.deadline,
            registry=self._registry,
            store=self._store,
            blobs=self._blobs,
            clock=self._clock,
            is_stopped=self._is_stopped,
            build=self._build,
        )
        try:
            run, last = attempt.run()
        except BaseException:  # Ctrl-C and the like: the attempt does not count, the message goes back
            self.release(message, claim.token)
            raise
        try:
            with overlapping(delivery.in_flight_work):
                return self._completion.record(message, claim, task, run, last, retry=delivery.retry)
        except LeaseLost as lost:
            return DeliveryResult(
                disposition=Disposition.LOST, give_back=GIVE_BACK, attempt=claim.attempt, exception=lost
            )

    def _sent_on(self, message: Message, claim: Claim, now: float) -> DeliveryResult | None:
        """Send a message anew that is due later than a queue can hide it: a queue keeps none for more than 4 days."""
        if (
            claim.answer != ClaimAnswer.WAITING
            or not self._has_queue
            or claim.until / 1000 - now < LONGEST_HIDDEN
        ):
            return None
        expires = max(message.expires, expires_at(to_ms(now), claim.until))
        try:
            self._republish(replace(message, run_at=claim.until + EARLY, expires=expires))
        except ServerlessTasksError:
            return None
        return DeliveryResult(disposition=Disposition.WAITING)

    @staticmethod
    def _wait(claim: Claim, now: float) -> DeliveryResult:
        return DeliveryResult(
            disposition=Disposition(claim.answer), give_back=max(1.0, claim.until / 1000 - now + 1)
        )

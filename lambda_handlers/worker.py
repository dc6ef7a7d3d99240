"""SQS batches in, partial batch responses out.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from lambda_handlers.bootstrap import has_secrets, initialise, ready, renewed
from lambda_handlers.redelivery import (
    NOT_YET_KNOWN,
    GiveBack,
    Redelivery,
    after_error,
    deliveries,
    doubled,
    return_all,
)
from lambda_handlers.telemetry import count, counted, flush_spans, flush_statistics, job, logger, report
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import no_such_task, tasks_not_loaded
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.store.overlap import overlapping
from serverless_tasks.engine.worker.attempt import MARGIN
from serverless_tasks.engine.worker.claim_ahead import ClaimAhead
from serverless_tasks.engine.worker.firing import LONGEST_HELD, task_for
from serverless_tasks.errors import (
    MessageTooNew,
    MessageUndecodable,
    NotDue,
    ServerlessTasksError,
    UnknownTask,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from lambda_handlers.members import EndedMembers
    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.job.place import Place
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.statistics.gatherer import Batch as BatchCounts
    from serverless_tasks.engine.statistics.gatherer import Gatherer
    from serverless_tasks.engine.worker.outcome import DeliveryResult
    from serverless_tasks.engine.worker.pauses import Pause

# Seconds between the end of a run and the deletion of its messages.
DELETION_GRACE = 10
# Seconds for which a member of a group that has ended may wait for others, to be counted with them.
_UNCOUNTED = 1.0
# Seconds that are to be left for a message of a workflow: what it does is done again where they do not suffice.
WORKFLOW_SECONDS = 20
# Seconds that are to be left of an invocation for the manifest of its build, and for its statistics: both may also wait
# for the next one.
TO_RECORD_BUILD = 10

initialise("store", "runner", "visibility", "statistics", defer_errors=True)


class _Batch:
    """One invocation: its deadline, and when the messages that go back should come again."""

    def __init__(
        self,
        services: Services,
        records: list[dict[str, Any]],
        context: LambdaContext,
        counts: BatchCounts | None = None,
    ) -> None:
        self._services = services
        self._records = records
        self._context = context
        # A container worker has no deadline, and its poller extends the visibility timeout while the task runs.
        bounded = getattr(context, "has_deadline", True)
        remaining = context.get_remaining_time_in_millis() / 1000
        self._deadline = services.clock.now() + remaining if bounded else None
        self._ahead = ClaimAhead(services.runner, deadline=self._deadline, request_id=context.aws_request_id)
        self._messages: dict[int, Message] = {}
        self._redelivery = Redelivery(services, records)
        self._begun = ""
        self._members: EndedMembers | None = None
        self._counts = counts
        # The seconds of the job before, which the next one may take as well.
        self._usual = 0.0

    def run(self) -> list[str]:
        """Run the messages one after another; returns the ids of those that must be delivered again.

        What is one call after another for AWS overlaps where no task runs: the end of a job is recorded while the next
        one is claimed.
        """
        try:
            if self._deadline is not None:
                with overlapping(partial(self._claim_ahead, 0)):
                    self._shorten_visibility(self._deadline)
            back = [
                record["messageId"]
                for place, record in enumerate(self._records)
                if not self._done(place, record)
            ]
            return back if self._members is None else back + self._members.count()
        finally:
            self._ahead.release()
            self._redelivery.finish()

    def _shorten_visibility(self, deadline: float) -> None:
        """Hide the batch no longer than this run can last: after a kill the rest comes back soon, not after the
        queue's own visibility timeout (six times the function's).
        """
        seconds = math.ceil(deadline - self._services.clock.now() + DELETION_GRACE)
        self._redelivery.hide_all(seconds)

    def _done(self, place: int, record: dict[str, Any]) -> bool:
        """Run one message; says whether it is done with, and need not be delivered again."""
        try:
            self._handle(place, record)
        except GiveBack:
            return False
        except Exception:  # noqa: BLE001 - one bad record fails alone
            logger.exception("a record could not be handled")
            return False
        return True

    def _handle(self, place: int, record: dict[str, Any]) -> None:
        try:
            message = self._message(place)
        except MessageUndecodable as error:
            self._bury(record, str(error))
            return
        except MessageTooNew as error:
            raise self._redelivery.back(record, doubled(record, NOT_YET_KNOWN), str(error)) from None
        with job(message):
            self._run(place, record, message)

    def _message(self, place: int) -> Message:
        if place not in self._messages:
            message = self._messages[place] = Message.decode(self._records[place]["body"])
            if self._counts is not None:
                self._counts.expect(message.uuid, message.task)
        return self._messages[place]

    def _claim_ahead(self, place: int) -> None:
        """Claim the job of a message that will be run next. What its turn would refuse is left to its turn."""
        if place == len(self._records):
            return
        try:
            message = self._message(place)
            if message.workflow is not None or message.follows is not None:
                return
            task = self._task(message)
            expired = to_ms(self._services.clock.now()) > message.expires
            # Not ahead of its turn: a duplicate of the job that is about to end would have to wait for it, and a job
            # with on_lost = "fail" would be lost before it started if the process died while this one ends.
            if message.uuid == self._begun or task.on_lost == "fail" or expired:
                return
            if self._fits(task.timeout) and self._pause(message) is None:
                self._ahead.claim(message)
        except ServerlessTasksError:
            return
        except Exception:  # noqa: BLE001 - the job that is about to end has nothing to do with it
            message_id = self._records[place]["messageId"]
            logger.warning(
                "the next job could not be claimed ahead of its turn", message_id=message_id, exc_info=True
            )

    def _bury(self, record: dict[str, Any], reason: str) -> None:
        queue = record["eventSourceARN"].rsplit(":", 1)[-1]
        try:
            self._services.dead_letter_queue.put(
                record["body"], reason, queue=queue, message_id=record["messageId"]
            )
        except ServerlessTasksError as error:
            logger.exception("a message could not be sent to the dead-letter queue", reason=reason)
            raise self._redelivery.back(record, after_error(record), type(error).__name__) from error
        logger.error("message sent to the dead-letter queue", reason=reason)

    def _run(self, place: int, record: dict[str, Any], message: Message) -> None:
        if self._members is not None:
            self._members.count_before(message, _UNCOUNTED, self._usual)
        timeout = self._timeout(record, message)
        if timeout is None:
            return
        if (pause := self._pause(message)) is not None:
            self._hold(record, message, pause)
            return
        if not self._fits(timeout):
            self._ahead.release()
            raise self._redelivery.back(record, 0, "not enough time is left in this run")
        self._execute(place, record, message)

    def _timeout(self, record: dict[str, Any], message: Message) -> float | None:
        """The seconds that a message may need; None for one that can never be run, and is done with.

        Raises:
            GiveBack: it cannot be run yet.
        """
        if message.workflow is not None:
            return WORKFLOW_SECONDS
        try:
            return self._task(message).timeout
        except UnknownTask as error:
            count("UnknownTask")
            self._redelivery.explain(
                message, no_such_task(message.task, message.builds(self._services.config.build))
            )
            raise self._redelivery.back(record, doubled(record, NOT_YET_KNOWN), str(error)) from None
        except NotDue as error:
            if error.seconds > LONGEST_HELD:
                self._bury(record, str(error))
                return None
            raise self._redelivery.back(record, math.ceil(error.seconds), str(error)) from None

    def _execute(self, place: int, record: dict[str, Any], message: Message) -> None:
        self._begun = message.uuid
        if self._counts is not None:
            self._counts.begin(message.task)
        try:
            outcome = self._services.runner.execute(
                message,
                deadline=self._deadline,
                request_id=self._context.aws_request_id,
                message_id=record["messageId"],
                claim=self._ahead.take(message),
                in_flight_work=partial(self._claim_ahead, place + 1),
                count=partial(self._note_end, record),
            )
        except Exception as error:
            logger.exception("the job could not be claimed or recorded")
            raise self._redelivery.back(record, after_error(record), type(error).__name__) from error
        self._usual = outcome.duration
        report(outcome)
        if self._counts is not None:
            self._note(self._counts, record, message, outcome)
        if outcome.give_back is not None:
            raise self._redelivery.back(record, math.ceil(outcome.give_back), outcome.status)

    def _note(
        self, counts: BatchCounts, record: dict[str, Any], message: Message, outcome: DeliveryResult
    ) -> None:
        from lambda_handlers.counting import counting, run_of  # statistics may be off

        with counting("a job"):
            run = run_of(
                message,
                outcome,
                deliveries=deliveries(record),
                size=len(record["body"]),
                item_of=self._services.store.item_of,
            )
            if run is not None:
                counts.note(run)

    def _pause(self, message: Message) -> Pause | None:
        """The pause of a message's task, in a process that looks at pauses; groups and chains have none."""
        if not self._services.config.pauses or message.workflow is not None:
            return None
        pauses = self._services.pauses
        if pauses is None:
            return None
        pause = pauses.of("task", message.task)
        name = self._services.registry.present_name(message.task)
        return pauses.of("task", name) if pause is None and name != message.task else pause

    def _hold(self, record: dict[str, Any], message: Message, pause: Pause) -> None:
        """Give the message of a paused task back, or have it sent anew."""
        from lambda_handlers.holding import hold  # hardly a task is paused

        self._ahead.release()
        hold(self._services, self._redelivery, record, message, pause)

    def _note_end(self, record: dict[str, Any], member: Place, status: str) -> None:
        if self._members is None:
            from lambda_handlers.members import EndedMembers  # most jobs are members of nothing

            self._members = EndedMembers(self._services, self._redelivery)
        self._members.add(record, member, status)

    def _task(self, message: Message) -> type[BaseTask]:
        return task_for(message, self._services.registry, self._services.clock.now())

    def _fits(self, timeout: float) -> bool:
        """Return whether a task may begin. The first one may in any case: it will never have more time than now."""
        return not self._begun or self._remaining() >= timeout + MARGIN

    def _remaining(self) -> float:
        return math.inf if self._deadline is None else self._deadline - self._services.clock.now()


def _counted_batch(
    statistics: Gatherer, services: Services, records: list[dict[str, Any]], context: LambdaContext
) -> list[str]:
    from lambda_handlers.counting import counting  # statistics may be off

    with statistics.batch(sum(len(record["body"]) for record in records)) as counts:
        failed = _Batch(services, records, context, counts).run()
        with counting("a batch"):
            counts.end(write=context.get_remaining_time_in_millis() > TO_RECORD_BUILD * 1000)
    return failed


@renewed
@counted
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Run a batch of jobs; the answer names the messages that must be delivered again.

    Args:
        event: SQS records.
        context: Lambda's context.
    """
    _leave_to_another(event, context)
    try:
        services = ready()
    except (Exception, SystemExit) as error:
        logger.exception("the tasks could not be loaded")
        return_all(current_services(), event["Records"], tasks_not_loaded(error))
        # Python keeps what was imported by half, and Django cannot be set up twice: the next run is another process's.
        raise SystemExit("The tasks could not be loaded.") from error
    # What went back most often begins first: of ten long tasks one is begun a run, and by chance alone some would meet
    # the queue's limit of deliveries.
    records = sorted(event["Records"], key=deliveries, reverse=True)
    if services.statistics is None:
        failed = _Batch(services, records, context).run()
    else:
        failed = _counted_batch(services.statistics, services, records, context)
    flush_spans(services, context)
    if context.get_remaining_time_in_millis() > TO_RECORD_BUILD * 1000:
        services.build_record.write_once()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _leave_to_another(event: dict[str, Any], context: LambdaContext) -> None:
    """End a process whose secrets are too old and that could not start anew; its messages go to the next at once."""
    if not has_secrets():
        return
    from lambda_handlers.renewal import outlived

    if outlived(context):
        flush_statistics(last=True)
        Redelivery(current_services(), event["Records"]).hide_all(0)
        raise SystemExit("The secrets are older than SERVERLESS_TASKS_SECRETS_MAX_AGE.")


# The container's worker calls them: at its start, so that what is wrong shows there, while it polls, and at its end.
handler.ready = ready  # type: ignore[attr-defined]
handler.flush = flush_statistics  # type: ignore[attr-defined]
handler.finish = partial(flush_statistics, last=True)  # type: ignore[attr-defined]

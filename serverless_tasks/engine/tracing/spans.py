"""Spans of sending, of each delivery, and of direct invokes.

They follow OpenTelemetry's conventions of messaging, of SQS and of functions:
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/
Nothing of a job's inputs, outputs, owner or tenant is put into them, and of exceptions what the record says.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from serverless_tasks.engine.job.record import CANCELLED, SUCCEEDED
from serverless_tasks.engine.tracing.context import read, written
from serverless_tasks.engine.worker.outcome import is_a
from serverless_tasks.errors import TaskRetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.trace import Span, SpanContext
    from opentelemetry.util.types import AttributeValue

    from serverless_tasks.engine.config import Config
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.place import Place
    from serverless_tasks.engine.worker.delivery import Delivery
    from serverless_tasks.engine.worker.outcome import DeliveryResult
    from serverless_tasks.errors import ServerlessTasksError

    type Attributes = dict[str, AttributeValue]

SCOPE: Final = "serverless_tasks"
# Members whose spans are remembered until they are counted.
_REMEMBERED: Final = 1_000
# Characters of a traceback that a span has at most: the last ones.
_TRACEBACK: Final = 8_000

# The spans of the members that are being counted: what is sent because of that is linked to them.
_ended: ContextVar[tuple[Link, ...]] = ContextVar("serverless_tasks_ended", default=())


class Spans:
    """Makes the spans of a process.

    Args:
        config: where the queues are.
        has_queue: whether SQS carries the messages.
    """

    def __init__(self, config: Config, *, has_queue: bool) -> None:
        self._urls: Mapping[str, str] = config.queue_urls if has_queue else {}
        self._system = "aws_sqs" if has_queue else SCOPE
        self._members: OrderedDict[Place, SpanContext] = OrderedDict()
        self._first_request = ""

    def send(
        self,
        messages: Sequence[Message],
        publish: Callable[[Sequence[Message]], list[ServerlessTasksError | None]],
    ) -> list[ServerlessTasksError | None]:
        """Publish messages within one span, which each of them names; those that name one already keep that.

        The conventions also allow a span for each message of a bulk, which ten thousand jobs would make ten thousand.
        """
        if all(message.traceparent for message in messages):
            return publish(messages)
        (name, attributes) = self._sending(messages)
        with _tracer().start_as_current_span(
            name,
            kind=SpanKind.PRODUCER,
            attributes=attributes,
            links=_ended.get(),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            context: dict[str, Any] = dict(written(span))
            named = [message if message.traceparent else replace(message, **context) for message in messages]
            with _failing(span):
                errors = publish(named)
            if (error := next((each for each in errors if each is not None), None)) is not None:
                _fail(span, type(error))
            return errors

    def process(self, delivery: Delivery, run: Callable[[Delivery], DeliveryResult]) -> DeliveryResult:
        """Run a delivery within a span: of a message, in a trace of its own that is linked to what has sent it."""
        message, sender = delivery.message, read(delivery.message)
        if not delivery.retry:
            return self._run_now(delivery, run, sender)
        links = [Link(context) for context in (sender, _current()) if context is not None]
        span = _tracer().start_span(
            f"process {message.queue}",
            context=Context(),
            kind=SpanKind.CONSUMER,
            links=links,
            attributes={
                **self._messaging("process", message.queue),
                **self._of_job(message),
                **self._of_function(delivery, "pubsub"),
                **({"messaging.message.id": delivery.message_id} if delivery.message_id else {}),
            },
        )
        return self._within(span, delivery, run)

    def count(self, ends: Mapping[Place, str], count: Callable[[Mapping[Place, str]], None]) -> None:
        """Count members whose end is recorded, group by group; what is sent meanwhile is linked to their spans."""
        groups: dict[str, dict[Place, str]] = {}
        for place, status in ends.items():
            groups.setdefault(place.group, {})[place] = status
        for members in groups.values():
            spans = [self._members.pop(place, None) for place in members]
            token = _ended.set(tuple(Link(context) for context in spans if context is not None))
            try:
                count(members)
            finally:
                _ended.reset(token)

    def invoke[T](self, function: str, task: str, call: Callable[[Mapping[str, str]], T]) -> T:
        """Run a task by a direct invoke, within a span whose context the call is given."""
        attributes: Attributes = {
            "faas.invoked_name": function.rsplit(":", 1)[-1],
            "faas.invoked_provider": "aws",
            "serverless_tasks.task": task,
        }
        with (
            _tracer().start_as_current_span(
                f"invoke {task}",
                kind=SpanKind.CLIENT,
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _failing(span),
        ):
            return call(written(span))

    def flush(self, seconds: float) -> None:
        """Export the spans that have ended, if that takes no longer."""
        flush: Callable[[int], Any] | None = getattr(trace.get_tracer_provider(), "force_flush", None)
        if flush is not None:
            flush(max(1, int(seconds * 1000)))

    def _run_now(
        self, delivery: Delivery, run: Callable[[Delivery], DeliveryResult], caller: SpanContext | None
    ) -> DeliveryResult:
        """Run what its caller waits for: its span is a child of the caller's."""
        around = _current()
        parent = None if caller is None else trace.set_span_in_context(trace.NonRecordingSpan(caller))
        span = _tracer().start_span(
            f"run {delivery.message.task}",
            context=parent,
            kind=SpanKind.SERVER if delivery.request_id else SpanKind.INTERNAL,
            links=[] if caller is None or around is None else [Link(around)],
            attributes={
                **self._of_job(delivery.message),
                **self._of_function(delivery, "other"),
            },
        )
        return self._within(span, delivery, run)

    def _within(
        self, span: Span, delivery: Delivery, run: Callable[[Delivery], DeliveryResult]
    ) -> DeliveryResult:
        # What was sent while other members were counted, which the backend `immediate` runs at once, is not their end.
        token = _ended.set(())
        try:
            with (
                trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False),
                _failing(span),
            ):
                result = run(delivery)
                _tell(span, result)
        finally:
            _ended.reset(token)
        if delivery.message.member is not None and result.terminal:
            self._members[delivery.message.member] = span.get_span_context()
            while len(self._members) > _REMEMBERED:
                self._members.popitem(last=False)
        return result

    def _sending(self, messages: Sequence[Message]) -> tuple[str, Attributes]:
        queues = {message.queue for message in messages}
        queue = queues.pop() if len(queues) == 1 else ""
        attributes = self._messaging("send", queue)
        if len(messages) == 1:
            attributes |= self._of_job(messages[0])
        else:
            attributes["messaging.batch.message_count"] = len(messages)
        return f"send {queue}".rstrip(), attributes

    def _messaging(self, operation: str, queue: str) -> Attributes:
        attributes: Attributes = {
            "messaging.system": self._system,
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
        }
        if queue:
            attributes["messaging.destination.name"] = queue
        if queue in self._urls:
            attributes["aws.sqs.queue.url"] = self._urls[queue]
        return attributes

    @staticmethod
    def _of_job(message: Message) -> Attributes:
        attributes: Attributes = {
            "messaging.message.conversation_id": message.uuid,
            "serverless_tasks.task": message.task,
        }
        if message.group is not None:
            attributes["serverless_tasks.group"] = message.group
        return attributes

    def _of_function(self, delivery: Delivery, trigger: str) -> Attributes:
        # Only the handlers pass a request id; a container's worker, which is no function, passes no deadline.
        if not delivery.request_id or delivery.deadline is None:
            return {}
        self._first_request = self._first_request or delivery.request_id
        return {
            "faas.trigger": trigger,
            "faas.invocation_id": delivery.request_id,
            "faas.coldstart": delivery.request_id == self._first_request,
        }


def _tracer() -> trace.Tracer:
    # Not kept: what the process has set up may change, as after a fork.
    return trace.get_tracer(SCOPE)


def _current() -> SpanContext | None:
    context = trace.get_current_span().get_span_context()
    return context if context.is_valid else None


def _tell(span: Span, result: DeliveryResult) -> None:
    """Put into a span how its delivery ended."""
    span.set_attribute("serverless_tasks.status", result.status)
    if result.attempt:
        span.set_attribute("serverless_tasks.attempt", result.attempt)
    failure = result.failure
    asked = result.exception is not None and is_a(result.exception, TaskRetry)
    if failure is None or asked or result.job_status in (SUCCEEDED, CANCELLED):
        return
    kind = failure.path or failure.type
    span.add_event(
        "exception",
        {
            "exception.type": kind,
            "exception.message": failure.message,
            "exception.stacktrace": failure.traceback[-_TRACEBACK:],
        },
    )
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, failure.message))


@contextmanager
def _failing(span: Span) -> Iterator[None]:
    """Say in a span what an exception is that passes; its text may hold anything, and is left out."""
    try:
        yield
    except BaseException as error:
        _fail(span, type(error))
        raise


def _fail(span: Span, kind: type[BaseException]) -> None:
    name = f"{kind.__module__}.{kind.__qualname__}"
    span.set_attribute("error.type", name)
    span.set_status(Status(StatusCode.ERROR, name))

"""The trace context in a message: W3C's, whatever propagators the process has.

Both ends of a queue then agree, though a site may pass on B3 headers and the worker X-Ray's. Baggage does not travel:
it may say anything of a user, and messages are kept.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serverless_tasks.engine.job.message import LONGEST_TRACESTATE

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from serverless_tasks.engine.job.message import Message

_W3C: Final = TraceContextTextMapPropagator()


def written(span: trace.Span) -> dict[str, str]:
    """Return the context of a span, as arguments of `Message`; nothing of one that is in no trace."""
    context = span.get_span_context()
    carrier: dict[str, str] = {}
    if not context.is_valid:
        return carrier
    _W3C.inject(carrier, trace.set_span_in_context(span, Context()))
    if "tracestate" in carrier:
        state = _shortened(carrier.pop("tracestate"))
        if state:
            carrier["tracestate"] = state
    return carrier


def read(message: Message) -> SpanContext | None:
    """Return the span that has sent a message; None where it names none."""
    if not message.traceparent:
        return None
    carrier = {"traceparent": message.traceparent}
    if message.tracestate:
        carrier["tracestate"] = message.tracestate
    context = trace.get_current_span(_W3C.extract(carrier, Context())).get_span_context()
    return context if context.is_valid else None


def _shortened(state: str) -> str:
    """Leave out members from the end, as the specification says, until the rest may travel."""
    members = state.split(",")
    while members and len(",".join(members)) > LONGEST_TRACESTATE:
        members.pop()
    return ",".join(members)

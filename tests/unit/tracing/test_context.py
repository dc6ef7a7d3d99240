"""The trace context in a message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from serverless_tasks.engine.job.message import LONGEST_TRACESTATE, Message
from serverless_tasks.engine.tracing.context import read, written
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def a_span(state: TraceState | None = None) -> NonRecordingSpan:
    context = SpanContext(
        trace_id=0x0AF7651916CD43DD8448EB211C80319C,
        span_id=0xB7AD6B7169203331,
        is_remote=False,
        trace_flags=TraceFlags(1),
        trace_state=state or TraceState(),
    )
    return NonRecordingSpan(context)


def with_trace(**members: Any) -> Message:
    """A message as it is read, with these members beside its own."""
    return Message.decode(json.dumps(json.loads(a_message(FakeClock()).encode()) | members))


def test_it_survives_the_way() -> None:
    context = written(a_span(TraceState([("vendor", "x")])))
    assert context == {"traceparent": TRACEPARENT, "tracestate": "vendor=x"}
    sender = read(with_trace(**context))
    assert sender is not None
    assert (sender.trace_id, sender.span_id, sender.is_remote) == (
        0x0AF7651916CD43DD8448EB211C80319C,
        0xB7AD6B7169203331,
        True,
    )
    assert sender.trace_state.to_header() == "vendor=x"


def test_it_is_sent_on_as_it_came() -> None:
    message = with_trace(traceparent=TRACEPARENT, tracestate="vendor=x")
    assert Message.decode(message.encode()) == message
    assert (message.traceparent, message.tracestate) == (TRACEPARENT, "vendor=x")


def test_a_message_without_it_is_written_as_ever() -> None:
    assert not {"traceparent", "tracestate"} & set(json.loads(a_message(FakeClock()).encode()))
    assert read(a_message(FakeClock())) is None


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        5,
        None,
        ["00"],
        "not a trace",
        TRACEPARENT + "-more",
        TRACEPARENT[:-1],
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "ff" + TRACEPARENT[2:],
        TRACEPARENT.replace("b7", "xy"),
        TRACEPARENT.replace("b7", "\ud800\ud801"),
        "x" * 100_000,
    ],
)
def test_a_malformed_one_is_ignored(traceparent: Any) -> None:
    message = with_trace(traceparent=traceparent, tracestate="vendor=x")
    assert read(message) is None
    message.encode().encode()


@pytest.mark.parametrize("tracestate", [5, "", "é", "\ud800", "v=" + "x" * LONGEST_TRACESTATE])
def test_a_malformed_state_is_left_out(tracestate: Any) -> None:
    message = with_trace(traceparent=TRACEPARENT, tracestate=tracestate)
    assert (message.traceparent, message.tracestate) == (TRACEPARENT, "")
    assert read(message) is not None


def test_a_long_state_loses_whole_members_from_its_end() -> None:
    state = TraceState([(f"vendor{number}", "x" * 100) for number in range(8)])
    context = written(a_span(state))
    members = context["tracestate"].split(",")
    assert [member.partition("=")[0] for member in members] == ["vendor0", "vendor1", "vendor2", "vendor3"]
    assert len(context["tracestate"]) <= LONGEST_TRACESTATE


def test_what_is_in_no_trace_writes_none() -> None:
    assert written(NonRecordingSpan(SpanContext(0, 0, is_remote=False))) == {}

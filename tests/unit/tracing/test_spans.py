"""Spans of the backends that run jobs in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from serverless_tasks import Task
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.place import Place
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.tracing.spans import _REMEMBERED
from serverless_tasks.engine.worker.delivery import Delivery
from serverless_tasks.engine.worker.outcome import DeliveryResult
from serverless_tasks.params import IntParameter
from serverless_tasks.workflow import chain, group
from tests.support.clock import FakeClock, until
from tests.support.jobs import a_message
from tests.support.traces import Traces, id_of, links_of, trace_of, traced

TASK = "serverless_tasks.task"


class Inner(Task):
    name = "inner"
    inputs = {"n": IntParameter()}
    outputs = {"n": IntParameter()}

    def run(self, n: int) -> int:
        with trace.get_tracer("the project's").start_as_current_span(f"own {n}"):
            return n


class Outer(Task):
    name = "outer"

    def run(self) -> None:
        Inner.submit(n=2)


@pytest.fixture(params=["immediate", "threading"])
def services(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Services]:
    with use(Services(Config(), backend=request.param, clock=clock)) as services:
        yield services


@pytest.fixture
def traces() -> Iterator[Traces]:
    with traced() as made:
        yield made


def ended(handle: Any) -> Any:
    until(lambda: handle.refresh().record.ended)
    return handle


def test_a_job_has_two_spans_and_its_task_is_below_the_second(services: Services, traces: Traces) -> None:
    with trace.get_tracer("site").start_as_current_span("request") as request:
        ended(Inner.submit(n=1))
    until(lambda: len(traces.ended()) == 4)
    sent, processed = traces.one("send", SpanKind.PRODUCER), traces.one("process", SpanKind.CONSUMER)
    own = traces.one("own 1")
    assert (sent.attributes or {})["messaging.system"] == "serverless_tasks"
    assert trace_of(sent) == request.get_span_context().trace_id
    assert processed.parent is None
    assert links_of(processed)[0] == id_of(sent)
    assert own.parent is not None
    assert own.parent.span_id == id_of(processed)


def test_what_was_current_is_current_again(services: Services, traces: Traces) -> None:
    with trace.get_tracer("site").start_as_current_span("request") as request:
        Inner.submit(n=1)
        assert trace.get_current_span() is request
    assert not trace.get_current_span().get_span_context().is_valid


def test_what_follows_a_group_is_linked_to_its_last_member(services: Services, traces: Traces) -> None:
    handle = ended(group(Inner.signature(n=1), Inner.signature(n=2)).then(Inner.signature(n=3)).submit())
    ended(handle.continuation)
    until(lambda: len(traces.ended("process")) >= 3)
    members = [
        span
        for span in traces.ended("process")
        if (span.attributes or {}).get("serverless_tasks.group") == handle.uuid
    ]
    (follows,) = (span for span in traces.ended("send") if span.links)
    assert len(members) == 2
    assert links_of(follows)[0] in set(map(id_of, members))


def test_a_chain_is_one_link_after_another(services: Services, traces: Traces) -> None:
    ended(chain(Inner.signature(n=1), Inner.signature(n=2), Inner.signature(n=3)).submit())
    until(lambda: len(_steps(traces)) == 3)
    by_id = {id_of(span): span for span in traces.ended()}
    for before, step in pairwise(_steps(traces)):
        sent = by_id[links_of(step)[0]]
        assert links_of(sent) == [id_of(before)]


def test_what_a_continuation_submits_itself_is_not_linked_to_the_members(
    services: Services, traces: Traces
) -> None:
    handle = ended(group(Inner.signature(n=1)).then(Outer.signature()).submit())
    ended(handle.continuation)
    until(lambda: len(traces.ended("own")) == 2)
    (process,) = (span for span in traces.ended("process") if (span.attributes or {})[TASK] == "outer")
    (own,) = (span for span in traces.ended("send") if span.parent and span.parent.span_id == id_of(process))
    assert links_of(own) == []


def test_a_message_keeps_the_span_that_has_sent_it(
    services: Services, traces: Traces, clock: FakeClock
) -> None:
    spans, sent = services.spans, list[Message]()
    assert spans is not None

    def publish(messages: Sequence[Message]) -> list[Any]:
        sent.extend(messages)
        return [None] * len(messages)

    earlier = a_message(clock, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert spans.send([earlier], publish) == [None]
    assert (sent, traces.ended()) == ([earlier], [])
    assert spans.send([earlier, a_message(clock)], publish) == [None, None]
    assert sent[1] == earlier
    assert sent[2].traceparent.split("-")[2] == f"{id_of(traces.one('send')):016x}"


def test_members_that_nobody_counts_are_not_remembered_for_ever(
    services: Services, traces: Traces, clock: FakeClock
) -> None:
    spans = services.spans
    assert spans is not None
    ended = DeliveryResult(job_status="succeeded", attempt=1)
    for index in range(_REMEMBERED + 5):
        place = Place(group="g", index=index, total=40_000, until=0)
        spans.process(Delivery(message=a_message(clock, member=place)), lambda delivery: ended)
    assert len(spans._members) == _REMEMBERED


def test_an_exception_is_told_by_its_type_alone(services: Services, traces: Traces, clock: FakeClock) -> None:
    def fail(delivery: Delivery) -> DeliveryResult:
        raise RuntimeError("swordfish")

    spans = services.spans
    assert spans is not None
    with pytest.raises(RuntimeError):
        spans.process(Delivery(message=a_message(clock)), fail)
    span = traces.one("process")
    assert (span.attributes or {})["error.type"] == "builtins.RuntimeError"
    assert "swordfish" not in traces.text()
    assert not trace.get_current_span().get_span_context().is_valid


def _steps(traces: Traces) -> list[ReadableSpan]:
    spans = [span for span in traces.ended("process") if "serverless_tasks.group" in (span.attributes or {})]
    return sorted(spans, key=lambda span: span.start_time or 0)

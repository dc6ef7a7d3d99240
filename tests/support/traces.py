"""Spans of a test, kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind


class Traces:
    """The spans that have ended, in this order.

    Attributes:
        provider: the process's provider of tracers, for the length of the block.
    """

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def ended(self, name: str = "", kind: SpanKind | None = None) -> list[ReadableSpan]:
        """The spans whose name begins so."""
        spans = self._exporter.get_finished_spans()
        return [span for span in spans if span.name.startswith(name) and kind in (None, span.kind)]

    def one(self, name: str, kind: SpanKind | None = None) -> ReadableSpan:
        """The only span of that name."""
        (span,) = self.ended(name, kind)
        return span

    def clear(self) -> None:
        """Forget those that have ended."""
        self._exporter.clear()

    def text(self) -> str:
        """All that the spans say."""
        return "\n".join(span.to_json() for span in self.ended())


def links_of(span: ReadableSpan) -> list[int]:
    """The ids of the spans to which a span is linked."""
    return [link.context.span_id for link in span.links]


def id_of(span: ReadableSpan) -> int:
    """The id of a span."""
    assert span.context is not None
    return span.context.span_id


def trace_of(span: ReadableSpan) -> int:
    """The id of the trace of a span."""
    assert span.context is not None
    return span.context.trace_id


@contextmanager
def traced() -> Iterator[Traces]:
    """Have OpenTelemetry set up in this process: it can be set up once only, so that its own variable is replaced."""
    traces = Traces()
    with mock.patch("opentelemetry.trace._TRACER_PROVIDER", traces.provider):
        yield traces

"""Spans belong together across processes, and tell nothing of anybody."""

import json
import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from services.common import telemetry
from services.common.errors import Code, MediaError
from services.common.log import JsonLines

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where spans go."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (found,) = spans.get_finished_spans()
    return found


def test_a_span_continues_what_it_is_given_and_is_continued(spans: InMemorySpanExporter) -> None:
    with telemetry.span("outer", PARENT, SpanKind.SERVER):
        carried = telemetry.traceparent()
    with telemetry.span("inner", carried):
        pass
    outer, inner = spans.get_finished_spans()
    assert outer.context is not None
    assert inner.parent is not None
    assert outer.parent is not None
    assert outer.parent.span_id == 0xB7AD6B7169203331
    assert inner.parent.span_id == outer.context.span_id
    assert inner.parent.trace_id == outer.context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C


@pytest.mark.parametrize("traceparent", ["", "00-0-0-0", "x" * 5000, f"{PARENT}, {PARENT}"])
def test_without_a_parent_it_is_the_first(spans: InMemorySpanExporter, traceparent: str) -> None:
    with telemetry.span("first", traceparent):
        pass
    assert only(spans).parent is None


def test_what_comes_from_outside_is_no_part_of_what_runs_here(spans: InMemorySpanExporter) -> None:
    with telemetry.span("earlier"), telemetry.span("request", kind=SpanKind.SERVER):
        pass
    request, _ = spans.get_finished_spans()
    assert request.parent is None


@pytest.mark.parametrize(
    ("exc", "code", "status"),
    [
        (MediaError(Code.MEDIA_NOT_FOUND, media_id="med_1"), "media_not_found", StatusCode.UNSET),
        (MediaError(Code.UNAVAILABLE, why="s3: photo-of-ann.jpg"), "unavailable", StatusCode.ERROR),
        (ValueError("ann@example.com"), "ValueError", StatusCode.ERROR),
    ],
)
def test_of_a_failure_only_its_code_is_told(
    spans: InMemorySpanExporter, exc: Exception, code: str, status: StatusCode
) -> None:
    with pytest.raises(type(exc)), telemetry.span("failing"):
        raise exc
    found = only(spans)
    assert found.status.status_code is status
    assert found.attributes == {"error.type": code}
    assert found.events == ()
    assert "ann" not in found.to_json().replace("instance", "")


def test_a_log_line_names_its_trace(spans: InMemorySpanExporter) -> None:
    record = logging.LogRecord("x", logging.INFO, "x", 1, "done", None, None)
    assert "trace_id" not in json.loads(JsonLines("ingest").format(record))
    with telemetry.span("logged", PARENT):
        line = json.loads(JsonLines("ingest").format(record))
    assert line["trace_id"] == PARENT.split("-")[1]


def test_without_an_endpoint_what_came_is_passed_on_and_nothing_is_begun() -> None:
    assert telemetry.setup("ingest", "") is None
    with telemetry.span("silent"):
        assert telemetry.traceparent() == ""
    with telemetry.span("silent", PARENT):
        assert telemetry.traceparent() == PARENT

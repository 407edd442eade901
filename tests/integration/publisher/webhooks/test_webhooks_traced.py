"""An attempt belongs to the trace of what it tells of, however much later it is made."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.common import telemetry
from tests.integration.publisher.webhooks.conftest import Hooks

CAUSE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where spans go."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def attempts(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == "publisher_webhook_attempt"]


async def test_every_attempt_is_below_what_made_its_event(hooks: Hooks, spans: InMemorySpanExporter) -> None:
    hooks.clock.set()
    await hooks.register("/flap")
    with telemetry.span("publisher_webhooks", CAUSE):
        await hooks.happen()
    [cause] = spans.get_finished_spans()
    assert await hooks.attempt() == 1
    hooks.clock.move(10)
    assert await hooks.attempt() == 1
    made = attempts(spans)
    assert [(it.attributes or {}).get("http.response.status_code") for it in made] == [500, 204]
    assert [(it.attributes or {}).get("error.type") for it in made] == ["answer_refused", None]
    assert cause.context is not None
    for it in made:
        assert it.parent is not None
        assert (it.parent.span_id, it.parent.trace_id) == (cause.context.span_id, 0x0AF7651916CD43DD8448EB211C80319C)
    assert not [name for request in hooks.receiver.came for name in request.headers if name.startswith("trace")]


async def test_an_event_of_the_version_before_is_delivered_in_a_trace_of_its_own(
    hooks: Hooks, spans: InMemorySpanExporter
) -> None:
    await hooks.register()
    await hooks.happen()
    hooks.sql("UPDATE publisher.webhook_events SET traceparent = DEFAULT")
    assert await hooks.attempt() == 1
    [made] = attempts(spans)
    assert made.parent is None

"""OpenTelemetry traces, HTTP → RPC → event → worker. Without an endpoint nothing is recorded.

A span says what was done, when, for how long and with which code: no text, name or address of anybody. Messages of
exceptions stay in the log, which knows what to hide.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common.errors import MediaError

# A collector that is away must not hold up the end of a process.
EXPORT_TIMEOUT_S = 2.0
EXPORT_EVERY_S = 1.0

_propagator = TraceContextTextMapPropagator()


def setup(stage: str, endpoint: str) -> TracerProvider | None:
    """Export to this OTLP/HTTP endpoint; "": off. Shut what it returns down at the end."""
    if not endpoint:
        return None
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
    provider = TracerProvider(resource=Resource.create({"service.name": f"letmepost-{stage}"}))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_EVERY_S * 1000))
    trace.set_tracer_provider(provider)
    return provider


def begin(name: str, traceparent: str = "", kind: SpanKind = SpanKind.INTERNAL) -> Span:
    """Work done under that name for the rest of this task, as a child of `traceparent` or of what runs now.

    It is over when the caller calls `end` on what this returns.
    """
    found = _start(name, traceparent, kind)
    context.attach(trace.set_span_in_context(found))
    return found


@contextmanager
def span(name: str, traceparent: str = "", kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    """The same for this block; what leaves it as an exception is noted by its code or class."""
    found = _start(name, traceparent, kind)
    with trace.use_span(found, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield found
        except Exception as exc:
            failed(found, exc)
            raise


def failed(found: Span, exc: Exception) -> None:
    """Notes how the work ended. A refusal is an end like another; only our own faults count as errors."""
    code = str(exc.code) if isinstance(exc, MediaError) else type(exc).__name__
    found.set_attribute("error.type", code)
    if not isinstance(exc, MediaError) or exc.row.http >= 500:
        found.set_status(StatusCode.ERROR, code)


def traceparent() -> str:
    """Of the current span, as W3C writes it; "" when there is none."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


def _start(name: str, traceparent: str, kind: SpanKind) -> Span:
    parent = _propagator.extract({"traceparent": traceparent}) if traceparent else None
    if parent is None and kind in (SpanKind.SERVER, SpanKind.CONSUMER):
        parent = Context()  # What comes from outside belongs to nothing that may happen to run here.
    return trace.get_tracer("letmepost").start_span(name, context=parent, kind=kind)

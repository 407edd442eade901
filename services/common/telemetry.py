"""OpenTelemetry traces, HTTP → RPC → event → worker. Without an endpoint nothing is recorded."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()


def setup(stage: str, endpoint: str) -> TracerProvider | None:
    """Export to this OTLP/HTTP endpoint; "": off. Shut what it returns down at the end."""
    if not endpoint:
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": f"letmepost-{stage}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
    return provider


@contextmanager
def span(name: str, traceparent: str = "") -> Iterator[None]:
    """Work done under that name, as a child of `traceparent` or of what runs now."""
    carrier: Mapping[str, str] = {"traceparent": traceparent}
    parent = _propagator.extract(carrier) if traceparent else None
    with trace.get_tracer("letmepost").start_as_current_span(name, context=parent):
        yield


def traceparent() -> str:
    """Of the current span, as W3C writes it; "" when there is none."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")

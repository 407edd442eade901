"""An OTLP/HTTP receiver that keeps the spans it is sent."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.local.ports import HOST


@dataclass(frozen=True, slots=True)
class Seen:
    """One span and who sent it, e.g. "letmepost-ingest"."""

    service: str
    span: Span

    @property
    def id(self) -> str:
        return self.span.span_id.hex()

    @property
    def parent_id(self) -> str:
        return self.span.parent_span_id.hex()


class Collector:
    """What was received so far."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self._seen: list[Seen] = []
        self._lock = threading.Lock()

    def receive(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            told = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            spans = [span for scope in resource.scope_spans for span in scope.spans]
            with self._lock:
                self._seen += [Seen(told["service.name"], span) for span in spans]

    def trace(self, trace_id: str) -> Sequence[Seen]:
        """All spans of one trace, in the order they began."""
        with self._lock:
            found = [seen for seen in self._seen if seen.span.trace_id.hex() == trace_id]
        return sorted(found, key=lambda seen: seen.span.start_time_unix_nano)

    def everything(self) -> Sequence[Seen]:
        with self._lock:
            return list(self._seen)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listens on a free port while inside."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            collector.receive(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((HOST, 0), Receiver)
    collector = Collector(server.server_port)
    serving = threading.Thread(target=server.serve_forever, name="collector")
    serving.start()
    try:
        yield collector
    finally:
        server.shutdown()
        serving.join()
        server.server_close()

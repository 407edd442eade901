"""/metrics, /healthz and /readyz of one process, for inside eyes only."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from google.protobuf.json_format import MessageToDict
from mediaapi.v1 import health_service_pb2 as pb
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

READ_TIMEOUT_S = 5.0
_REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}

Ready = Callable[[], Awaitable[pb.GetReadinessResponse]]


@asynccontextmanager
async def serving(listen: str, ready: Ready) -> AsyncIterator[None]:
    """Serves on host:port while inside; one request for each connection."""
    host, _, port = listen.rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            status, kind, body = await _answer(head.split(b" ", 2)[1].decode("latin-1"), ready)
            lines = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{lines}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, TimeoutError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, int(port))
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


async def _answer(path: str, ready: Ready) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest()
    if path == "/healthz":
        return 200, "application/json", b'{"status":"ok"}'
    if path == "/readyz":
        state = await ready()
        body = json.dumps(MessageToDict(state, always_print_fields_with_no_presence=True)).encode()
        return 200 if state.ready else 503, "application/json", body
    return 404, "text/plain", b"not here\n"

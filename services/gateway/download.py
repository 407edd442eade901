"""A stream of DownloadSource frames -> a file with ranges, always as an attachment."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from urllib.parse import quote

import grpc
from google.protobuf.message import Message
from mediaapi.v1 import ingest_service_pb2

from services.common import context
from services.common.errors import Code, MediaError
from services.gateway.transcode.calls import open_stream
from services.gateway.transcode.routes import Route
from services.gateway.web import headers
from services.gateway.web.headers import ByteRange
from services.gateway.web.http import Exchange, Headers, Response

DEADLINE_S = 3600.0
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 !#$&+.^_`~()\[\]{}@,=-]")


async def send(
    exchange: Exchange,
    channel: grpc.aio.Channel,
    route: Route,
    caller: context.CallContext,
    key_id: str,
    request: Message,
) -> None:
    """Answer with the source of `request`'s media item, whole or the range asked for.

    Raises:
        MediaError: before anything was sent. Once the answer began, a fault ends the connection instead.
    """
    assert isinstance(request, ingest_service_pb2.DownloadSourceRequest)
    wanted = headers.byte_range(exchange.header("range"))
    source, frames = await _open(channel, route, caller, key_id, request, wanted)
    try:
        condition = exchange.header("if-range")
        if wanted is not None and condition is not None and condition.strip() != _etag(source):
            wanted = None
            await frames.aclose()
            source, frames = await _open(channel, route, caller, key_id, request, None)
        if headers.etag_matches(exchange.header("if-none-match"), _etag(source)):
            await exchange.respond(Response(304, headers=(("etag", _etag(source)),)))
            return
        await exchange.start(206 if wanted is not None else 200, _headers(source, partial=wanted is not None))
        if exchange.method != "HEAD":
            async for frame in frames:
                await exchange.write(frame.chunk, more=True)
        await exchange.write(b"", more=False)
    finally:
        await frames.aclose()


def disposition(filename: str) -> str:
    """`Content-Disposition` for any file name (RFC 6266, RFC 8187): no quote, path or line break survives."""
    name = re.sub(r"[\x00-\x1f\x7f/\\\\]", "_", filename).strip() or "download"
    plain = _NOT_PLAIN.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _open(
    channel: grpc.aio.Channel,
    route: Route,
    caller: context.CallContext,
    key_id: str,
    request: ingest_service_pb2.DownloadSourceRequest,
    wanted: ByteRange | None,
) -> "tuple[ingest_service_pb2.SourceHeader, Frames]":
    ranged = ingest_service_pb2.DownloadSourceRequest(id=request.id)
    if wanted is not None:
        ranged.first_byte = wanted.first
        if wanted.last is not None:
            ranged.last_byte = wanted.last
    frames = Frames(open_stream(channel, route, caller, key_id, ranged, DEADLINE_S))
    async for frame in frames:
        if frame.WhichOneof("frame") == "header":
            return frame.header, frames
        break
    await frames.aclose()
    raise MediaError(Code.INTERNAL)


class Frames:
    """The frames of one call, and its end."""

    def __init__(self, call: "grpc.aio.UnaryStreamCall[Message, Message]") -> None:
        self._call = call
        self._messages = call.__aiter__()

    def __aiter__(self) -> AsyncIterator[ingest_service_pb2.DownloadSourceResponse]:
        return self

    async def __anext__(self) -> ingest_service_pb2.DownloadSourceResponse:
        frame = await self._messages.__anext__()
        assert isinstance(frame, ingest_service_pb2.DownloadSourceResponse)
        return frame

    async def aclose(self) -> None:
        """End the call, done or not."""
        self._call.cancel()
        if isinstance(self._messages, AsyncGenerator):
            await self._messages.aclose()


def _etag(source: ingest_service_pb2.SourceHeader) -> str:
    return f'"{source.sha256}"'


def _headers(source: ingest_service_pb2.SourceHeader, *, partial: bool) -> Headers:
    common: Headers = (
        ("content-type", source.content_type or "application/octet-stream"),
        ("content-length", str(source.last_byte - source.first_byte + 1)),
        ("content-disposition", disposition(source.filename)),
        ("accept-ranges", "bytes"),
        ("etag", _etag(source)),
        ("cache-control", "private, no-cache"),
        ("content-security-policy", "sandbox; default-src 'none'"),
    )
    if not partial:
        return common
    return (*common, ("content-range", f"bytes {source.first_byte}-{source.last_byte}/{source.size_bytes}"))

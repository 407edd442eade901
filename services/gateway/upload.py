"""`multipart/form-data` -> a stream of UploadMedia frames, forwarded as it arrives."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message
from mediaapi.v1 import ingest_service_pb2, media_pb2

from services.common import context, tasks
from services.common.errors import Code, MediaError, Violation
from services.common.proto_names import enum_words
from services.gateway.multipart import Event, Parser, PartBegin, PartData, PartEnd
from services.gateway.transcode.routes import Route

MAX_FILE_BYTES = 100_000_000
MAX_FIELD_BYTES = 8 * 1024
# Boundaries, part headers and fields of a form whose file is exactly at the limit.
MAX_REQUEST_BYTES = MAX_FILE_BYTES + 256 * 1024
# Five of these can be on their way when ingest says stop: here, in gRPC's window and there.
CHUNK_BYTES = 128 * 1024
# The slowest upload the pace rule lets through, and the verdict's wait.
DEADLINE_S = MAX_REQUEST_BYTES / 16_000 + 60

_KINDS = {word: number for number, word in enum_words(media_pb2.MediaKind.DESCRIPTOR).items()}


class Sink(Protocol):
    """Where the frames of one upload go."""

    async def write(self, frame: ingest_service_pb2.UploadMediaRequest) -> None:
        """Take one frame; returns when there is room for the next."""


class Nowhere:
    """The sink of a repeated request: its content is fingerprinted, then dropped."""

    async def write(self, frame: ingest_service_pb2.UploadMediaRequest) -> None:
        """Drop one frame."""


@dataclass(slots=True)
class Form:
    """The fields of one upload while its parts arrive, in any order."""

    sink: Sink
    fingerprinted: bool
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _filename: str | None = None
    _file_bytes: int = 0
    _texts: dict[str, str] = field(default_factory=dict)
    _part: str = ""
    _buffer: bytearray = field(default_factory=bytearray)

    async def take(self, event: Event) -> None:
        """Digest one parser event. Raises: MediaError INVALID_REQUEST, MEDIA_TOO_LARGE, or the sink's."""
        match event:
            case PartBegin():
                await self._begin(event)
            case PartData(data):
                await self._data(data)
            case PartEnd():
                await self._end()

    async def finish(self) -> bytes:
        """The form is whole: send the trailer. Returns the fingerprint of fields and file.

        Raises:
            MediaError: MEDIA_MISSING_FILE.
        """
        if self._filename is None:
            raise MediaError(Code.MEDIA_MISSING_FILE)
        kind = self._texts.get("kind", "")
        trailer = ingest_service_pb2.UploadTrailer(
            kind=media_pb2.MediaKind.ValueType(_KINDS.get(kind, 0)), alt_text=self._texts.get("altText")
        )
        await self.sink.write(ingest_service_pb2.UploadMediaRequest(trailer=trailer))
        header = ingest_service_pb2.UploadHeader(filename=self._filename)
        parsed = header.SerializeToString(deterministic=True) + trailer.SerializeToString(deterministic=True)
        return hashlib.sha256(self._digest.digest() + parsed).digest()

    async def _begin(self, part: PartBegin) -> None:
        if part.name not in ("file", "kind", "altText"):
            raise _invalid(part.name[:64], "is not a part of this form")
        if part.name in self._texts or (part.name == "file" and self._filename is not None):
            raise _invalid(part.name, "may be given once")
        self._part = part.name
        self._buffer.clear()
        if part.name == "file":
            self._filename = part.filename or ""
            header = ingest_service_pb2.UploadHeader(filename=self._filename)
            await self.sink.write(ingest_service_pb2.UploadMediaRequest(header=header))

    async def _data(self, data: bytes) -> None:
        self._buffer += data
        if self._part != "file":
            if len(self._buffer) > MAX_FIELD_BYTES:
                raise _invalid(self._part, f"may have {MAX_FIELD_BYTES} bytes")
            return
        self._file_bytes += len(data)
        if self._file_bytes > MAX_FILE_BYTES:
            raise too_large()
        if self.fingerprinted:
            self._digest.update(data)
        while len(self._buffer) >= CHUNK_BYTES:
            await self._chunk(CHUNK_BYTES)

    async def _end(self) -> None:
        if self._part == "file":
            if self._buffer:
                await self._chunk(len(self._buffer))
            return
        try:
            text = self._buffer.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise _invalid(self._part, "must be UTF-8") from exc
        if "\0" in text:
            raise _invalid(self._part, "must not hold the character U+0000")
        if self._part == "kind" and text not in _KINDS:
            raise _invalid("kind", f"must be one of {', '.join(_KINDS)}")
        self._texts[self._part] = text

    async def _chunk(self, size_bytes: int) -> None:
        chunk = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]
        await self.sink.write(ingest_service_pb2.UploadMediaRequest(chunk=chunk))


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A whole upload and the fingerprint of what was sent; neither answer for a dropped repetition."""

    fingerprint: bytes
    media: media_pb2.Media | None = None
    refusal: MediaError | None = None


async def forward(
    channel: grpc.aio.Channel,
    route: Route,
    caller: context.CallContext,
    key_id: str,
    boundary: bytes,
    body: AsyncIterator[bytes],
) -> Uploaded:
    """Stream one form to ingest; whichever of client and ingest fails first ends it.

    Raises:
        MediaError: for what is wrong with the form, and what ingest answered before it had the whole of it.
    """
    method: grpc.aio.StreamUnaryMultiCallable[Message, Message] = channel.stream_unary(
        route.rpc_path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(route.rpc.output_type).FromString,
    )
    with context.use(caller):
        call = method(timeout=DEADLINE_S + (caller.wait_s or 0.0), metadata=(("x-api-key-id", key_id),))
    form = Form(call, fingerprinted=caller.idempotency_key is not None)
    verdict = asyncio.ensure_future(_verdict(call))
    pump = asyncio.ensure_future(_pump(form, boundary, body))
    try:
        await asyncio.wait((verdict, pump), return_when=asyncio.FIRST_COMPLETED)
        if verdict.done():
            verdict.result()
        try:
            parsed = await pump
            await call.done_writing()
        except (grpc.RpcError, asyncio.InvalidStateError):
            await verdict  # Ingest's early error is the answer, not the broken stream it left behind.
            raise
        try:
            return Uploaded(parsed, media=await verdict)
        except MediaError as refusal:
            return Uploaded(parsed, refusal=refusal)
    finally:
        call.cancel()
        await tasks.end(pump, verdict)


async def fingerprint(boundary: bytes, body: AsyncIterator[bytes]) -> Uploaded:
    """Read a repeated form to its end, only to know whether its content is the same."""
    return Uploaded(await _pump(Form(Nowhere(), fingerprinted=True), boundary, body))


def too_large() -> MediaError:
    """The request is past what one request may carry, whatever its kind."""
    return MediaError(Code.MEDIA_TOO_LARGE, kind="request", limit=MAX_FILE_BYTES, use="resumable")


async def _verdict(call: "grpc.aio.StreamUnaryCall[Message, Message]") -> media_pb2.Media:
    media = await call
    assert isinstance(media, media_pb2.Media)
    return media


async def _pump(form: Form, boundary: bytes, body: AsyncIterator[bytes]) -> bytes:
    parser = Parser(boundary)
    async for piece in body:
        for event in parser.feed(piece):
            await form.take(event)
    parser.finish()
    return await form.finish()


def _invalid(name: str, message: str) -> MediaError:
    return MediaError(Code.INVALID_REQUEST, violations=[Violation(name, message)], field=name)

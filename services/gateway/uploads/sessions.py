"""Uploads in pieces, as ingest has them: the one way from any dialect to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message
from mediaapi.v1 import ingest_service_pb2 as pb
from mediaapi.v1 import ingest_service_pb2_grpc

from services.common import context, tasks
from services.common.errors import Code, MediaError
from services.gateway.transcode.calls import Upstreams
from services.gateway.transcode.routes import Route, RouteTable
from services.gateway.web import headers
from services.gateway.web.answers import Call

COLLECTION = "/v1/uploads"
ITEM = COLLECTION + "/{id}"
MAX_BYTES = 500_000_000
CHUNK_BYTES = 256 * 1024
CONCAT_S = 300.0  # for 500 MB to be read and written, and for the verdict
KEEPING_S = 30.0  # what ingest may take to store the rest of a body that was cut off


class Sessions:
    """The RPCs behind the routes below /v1/uploads."""

    def __init__(self, table: RouteTable, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._routes = {
            (method, template): _route(table, method, template)
            for method, template in (("POST", COLLECTION), ("PUT", ITEM), ("DELETE", ITEM))
        }

    @property
    def piece_route(self) -> Route:
        """Of what an upload answers once it is complete."""
        return self._routes["PUT", ITEM]

    async def create(self, call: Call, request: pb.CreateUploadRequest) -> pb.Upload:
        """Begin one. Raises: MediaError."""
        made = await self._upstreams.call(self._routes["POST", COLLECTION], request, call.caller, call.key_id)
        assert isinstance(made, pb.Upload)
        return made

    async def concat(self, call: Call, request: pb.ConcatUploadsRequest) -> pb.Upload:
        """Put partial ones together. Raises: MediaError."""
        route = self._routes["POST", COLLECTION]
        stub = ingest_service_pb2_grpc.IngestServiceStub(self._upstreams.channel(route.service))
        with context.use(call.caller):
            answer = await stub.ConcatUploads(request, timeout=CONCAT_S, metadata=(("x-api-key-id", call.key_id),))
        return answer.upload

    async def delete(self, call: Call) -> None:
        """End one. Raises: MediaError."""
        request = pb.DeleteUploadRequest(id=call.match.variables["id"])
        await self._upstreams.call(self._routes["DELETE", ITEM], request, call.caller, call.key_id)

    async def state(self, call: Call, header: pb.AppendUploadHeader, *, wait: bool = False) -> pb.AppendUploadResponse:
        """How far one is, once nobody writes to it any more. wait: for the verdict, should it be complete."""
        caller = call.caller if wait else replace(call.caller, wait_s=0.0)
        return await self._append(replace(call, caller=caller), header, _nothing())

    async def append(self, call: Call, header: pb.AppendUploadHeader) -> pb.AppendUploadResponse:
        """Stream the body to ingest, no faster than it is stored there; of one that breaks off, what came is kept.

        Raises:
            MediaError: what ingest answered, before it had the whole body too; UPLOAD_STALLED, LENGTH_MISMATCH.
            ClientGoneError.
        """
        headers.refuse_encoded(call.exchange.header("content-encoding"))
        length = call.exchange.header("content-length")
        if length is not None and not header.HasField("piece_bytes"):
            header.piece_bytes = int(length)
        if call.exchange.body_read:
            return await self._append(call, header, _nothing())
        too_large = MediaError(Code.MEDIA_TOO_LARGE, kind="upload", limit=MAX_BYTES)
        body = call.exchange.chunks(MAX_BYTES, too_large)
        if header.HasField("piece_bytes"):
            body = _exactly(body, header.piece_bytes)
        return await self._append(call, header, body)

    async def _append(
        self, call: Call, header: pb.AppendUploadHeader, body: AsyncIterator[bytes]
    ) -> pb.AppendUploadResponse:
        route = self.piece_route
        method: grpc.aio.StreamUnaryMultiCallable[Message, Message] = self._upstreams.channel(
            route.service
        ).stream_unary(
            route.rpc_path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(route.rpc.output_type).FromString,
        )
        with context.use(call.caller):
            rpc = method(metadata=(("x-api-key-id", call.key_id),))  # The pace rule bounds it, no deadline.
        answer, pump = asyncio.ensure_future(_answer(rpc)), asyncio.ensure_future(_pump(rpc, header, body))
        try:
            await asyncio.wait((answer, pump), return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            return await _finish(rpc, answer, pump.exception())
        finally:
            rpc.cancel()
            await tasks.end(pump, answer)


async def _finish(
    rpc: "grpc.aio.StreamUnaryCall[Message, Message]",
    answer: "asyncio.Future[pb.AppendUploadResponse]",
    fault: BaseException | None,
) -> pb.AppendUploadResponse:
    if fault is None:
        return await answer
    if isinstance(fault, grpc.RpcError | asyncio.InvalidStateError):
        return await answer  # Ingest's early error is the answer, not the broken stream it left behind.
    # The stream ends without its last frame: ingest stores what it has.
    with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError, MediaError, TimeoutError):
        await rpc.done_writing()
        async with asyncio.timeout(KEEPING_S):
            await answer
    raise fault


async def _answer(rpc: "grpc.aio.StreamUnaryCall[Message, Message]") -> pb.AppendUploadResponse:
    answer = await rpc
    assert isinstance(answer, pb.AppendUploadResponse)
    return answer


async def _pump(
    rpc: "grpc.aio.StreamUnaryCall[Message, Message]", header: pb.AppendUploadHeader, body: AsyncIterator[bytes]
) -> None:
    await rpc.write(pb.AppendUploadRequest(header=header))
    buffer = bytearray()
    try:
        async for piece in body:
            buffer += piece
            while len(buffer) >= CHUNK_BYTES:
                chunk = bytes(buffer[:CHUNK_BYTES])
                del buffer[:CHUNK_BYTES]
                await rpc.write(pb.AppendUploadRequest(chunk=chunk))
    finally:
        if buffer:
            await rpc.write(pb.AppendUploadRequest(chunk=bytes(buffer)))
    await rpc.write(pb.AppendUploadRequest(end=pb.AppendUploadEnd()))
    await rpc.done_writing()


async def _exactly(body: AsyncIterator[bytes], length: int) -> AsyncIterator[bytes]:
    """Raises: MediaError LENGTH_MISMATCH, the body is shorter or longer than what was said of it."""
    taken = 0
    async for piece in body:
        taken += len(piece)
        if taken > length:
            break
        yield piece
    if taken != length:
        raise MediaError(Code.LENGTH_MISMATCH)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _route(table: RouteTable, method: str, template: str) -> Route:
    route = table.find(method, template)
    if route is None:
        raise LookupError(f"no route {method} {template}")
    return route

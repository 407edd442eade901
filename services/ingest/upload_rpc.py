"""The part of IngestService that is about uploads in pieces."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
from mediaapi.v1 import ingest_service_pb2 as pb
from mediaapi.v1 import ingest_service_pb2_grpc, media_pb2

from services.common import context
from services.common.errors import Code, MediaError, Violation
from services.ingest.app.reading import Reading
from services.ingest.app.resuming import Resuming, Wanted
from services.ingest.app.stretching import Whole
from services.ingest.domain.formats import Kind
from services.ingest.domain.upload import CHUNK_ALIGNMENT, Digest, Phase, Piece, Upload
from services.ingest.events import KINDS
from services.ingest.ports import Ref, UploadRef
from services.ingest.view import message

WAIT_S = 10.0  # for the verdict, when the caller did not say
WAIT_MOST_S = 30.0
CHUNK_LIMIT_BYTES = 1 << 20

Rpc: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_KIND = {number: kind for kind, number in KINDS.items()}
_STATUS = {
    Phase.RECEIVING: pb.UPLOAD_STATUS_RECEIVING,
    Phase.COMPLETE: pb.UPLOAD_STATUS_COMPLETE,
    Phase.REJECTED: pb.UPLOAD_STATUS_REJECTED,
}
_DIGESTS = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}

# A servicer's methods are named by the proto.
# ruff: noqa: N802


class UploadRpc(ingest_service_pb2_grpc.IngestServiceServicer):
    """One RPC, one use case."""

    def __init__(self, resuming: Resuming, reading: Reading) -> None:
        self._resuming = resuming
        self._reading = reading

    async def CreateUpload(self, request: pb.CreateUploadRequest, context_: Rpc) -> pb.Upload:
        """See IngestService.CreateUpload."""
        return _upload(await self._resuming.create(context.current(), _wanted(request)))

    async def ConcatUploads(self, request: pb.ConcatUploadsRequest, context_: Rpc) -> pb.AppendUploadResponse:
        """See IngestService.ConcatUploads."""
        upload = await self._resuming.concat(context.current(), request.ids, _wanted(request.upload))
        return await self._answer(upload)

    async def GetUpload(self, request: pb.GetUploadRequest, context_: Rpc) -> pb.Upload:
        """See IngestService.GetUpload."""
        return _upload(await self._resuming.get(_ref(request.id)))

    async def DeleteUpload(self, request: pb.DeleteUploadRequest, context_: Rpc) -> pb.DeleteUploadResponse:
        """See IngestService.DeleteUpload."""
        await self._resuming.delete(_ref(request.id))
        return pb.DeleteUploadResponse()

    async def AppendUpload(
        self, request_iterator: AsyncIterator[pb.AppendUploadRequest], context_: Rpc
    ) -> pb.AppendUploadResponse:
        """See IngestService.AppendUpload."""
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("frame") != "header":
            raise invalid("header", "Comes first.")
        upload = await self._resuming.append(_ref(first.header.id), _piece(first.header), _body(request_iterator))
        return await self._answer(upload)

    async def _answer(self, upload: Upload) -> pb.AppendUploadResponse:
        answer = pb.AppendUploadResponse(upload=_upload(upload))
        if upload.phase is Phase.COMPLETE:
            ref = Ref(upload.workspace_id, upload.media_id)
            answer.media.CopyFrom(message(await self._reading.settled(ref, wait_s())))
        return answer


def wait_s() -> float:
    """How long the caller waits for the verdict, in seconds."""
    asked = context.current().wait_s
    return WAIT_S if asked is None else min(max(asked, 0.0), WAIT_MOST_S)


def kind_of(number: int) -> Kind | None:
    """A kind as the domain has it. Raises MediaError: INVALID_REQUEST."""
    if number and number not in _KIND:
        raise invalid("kind", "No such kind.")
    return _KIND.get(media_pb2.MediaKind.ValueType(number))


def invalid(field: str, sentence: str) -> MediaError:
    """One thing wrong with a request."""
    return MediaError(Code.INVALID_REQUEST, violations=(Violation(field, sentence),))


def _wanted(request: pb.CreateUploadRequest) -> Wanted:
    return Wanted(
        filename=request.filename,
        size_bytes=request.size_bytes,
        kind=kind_of(request.kind),
        alt_text=request.alt_text if request.HasField("alt_text") else None,
        sha256=request.sha256,
        partial=request.partial,
    )


def _ref(upload_id: str) -> UploadRef:
    return UploadRef(context.current().workspace_id, upload_id)


def _piece(header: pb.AppendUploadHeader) -> Piece:
    offset, size, length = (
        getattr(header, name) if header.HasField(name) else None for name in ("offset", "size_bytes", "piece_bytes")
    )
    if any(number is not None and number < 0 for number in (offset, size, length)):
        raise invalid("header", "No number of it is negative.")
    digest = None
    if header.HasField("digest"):
        digest = Digest(algorithm=header.digest.algorithm, value=header.digest.value)
        if _DIGESTS.get(digest.algorithm) != len(digest.value) or digest.algorithm not in hashlib.algorithms_available:
            raise invalid("digest", f"One of {', '.join(_DIGESTS)}, of its length.")
    return Piece(offset=offset, size_bytes=size, length_bytes=length, open=header.open, digest=digest)


async def _body(requests: AsyncIterator[pb.AppendUploadRequest]) -> AsyncIterator[bytes | Whole]:
    async for request in requests:
        match request.WhichOneof("frame"):
            case "chunk":
                if len(request.chunk) > CHUNK_LIMIT_BYTES:
                    raise invalid("chunk", f"Has at most {CHUNK_LIMIT_BYTES} bytes.")
                yield request.chunk
            case "end":
                yield Whole()
            case _:
                raise invalid("chunk", "Header, chunks, end: in this order.")


def _upload(upload: Upload) -> pb.Upload:
    answer = pb.Upload(
        id=upload.upload_id,
        status=_STATUS[upload.phase],
        offset=upload.offset,
        size_bytes=upload.size_bytes,
        chunk_alignment=CHUNK_ALIGNMENT,
        media_id=upload.media_id if upload.phase is Phase.COMPLETE else None,
        filename=upload.filename,
        partial=upload.partial,
    )
    if upload.refusal is not None:
        error = upload.refusal.to_error()
        answer.error.CopyFrom(media_pb2.MediaError(code=error.code, message=error.message))
    answer.created_at.FromDatetime(upload.created_at)
    answer.expires_at.FromDatetime(upload.expires_at)
    return answer

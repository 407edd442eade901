"""tus 1.0: core, creation, creation-with-upload, expiration, checksum, termination, concatenation."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from email.utils import format_datetime

from mediaapi.v1 import ingest_service_pb2 as pb
from mediaapi.v1 import media_pb2

from services.common.errors import Code, MediaError
from services.common.proto_names import enum_words
from services.gateway.uploads import fields
from services.gateway.uploads.sessions import COLLECTION, MAX_BYTES, Sessions
from services.gateway.web.answers import Call
from services.gateway.web.http import Exchange, Headers, Response

VERSION = "1.0.0"
PIECE_TYPE = "application/offset+octet-stream"
OPTIONS: Headers = (
    ("tus-resumable", VERSION),
    ("tus-version", VERSION),
    ("tus-extension", "creation,creation-with-upload,expiration,checksum,termination,concatenation"),
    ("tus-max-size", str(MAX_BYTES)),
    ("tus-checksum-algorithm", fields.TUS_ALGORITHMS),
)
_KINDS = {word: number for number, word in enum_words(media_pb2.MediaKind.DESCRIPTOR).items()}
_ALWAYS: Headers = (("tus-resumable", VERSION), ("cache-control", "no-store"))


class TusDialect:
    """What says Tus-Resumable."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def wants(self, exchange: Exchange, method: str) -> bool:
        """All but PUT; OPTIONS is answered for everybody."""
        said = exchange.header("tus-resumable") is not None or exchange.header("content-type") == PIECE_TYPE
        return said and method in ("POST", "PATCH", "HEAD", "DELETE")

    async def answer(self, call: Call, method: str) -> Response:
        """Raises: MediaError."""
        if call.exchange.header("tus-resumable") != VERSION:
            raise MediaError(Code.PRECONDITION_FAILED, supported=VERSION)
        if method == "POST":
            return await self._create(call)
        if method == "PATCH":
            return await self._append(call)
        if method == "HEAD":
            return await self._tell(call)
        await self._sessions.delete(call)
        return Response(204, headers=_ALWAYS)

    def refused(self, exchange: Exchange, error: MediaError, response: Response) -> Response:
        """With the headers that tus clients look for."""
        headers: Headers = (("tus-resumable", VERSION),)
        if error.code is Code.PRECONDITION_FAILED:
            headers += (("tus-version", VERSION),)
        if error.code is Code.UPLOAD_OFFSET_CONFLICT:
            headers += (("upload-offset", str(int(str(error.details["offset"]).partition(".")[0]))),)
        return replace(response, headers=(*response.headers, *headers))

    async def _create(self, call: Call) -> Response:
        exchange = call.exchange
        if exchange.header("upload-defer-length") is not None:
            raise fields.invalid("Upload-Defer-Length", "The length must be known at the start: send Upload-Length.")
        metadata = fields.tus_metadata(exchange.header("upload-metadata"))
        checksum = fields.tus_checksum(exchange.header("upload-checksum"))
        if not exchange.body_read:
            _require_type(exchange)
        concat = fields.tus_concat(exchange.header("upload-concat"))
        request = pb.CreateUploadRequest(
            filename=metadata.get("filename", metadata.get("name", "")),
            partial=concat == (),
            kind=_kind(metadata.get("kind")),
            alt_text=metadata.get("altText"),
            sha256=metadata.get("sha256"),
        )
        if concat:
            return await self._concat(call, concat, request)
        request.size_bytes = fields.integer("Upload-Length", exchange.header("upload-length"))
        upload = await self._sessions.create(call, request)
        location: Headers = (("location", f"{COLLECTION}/{upload.id}"),)
        if not exchange.body_read:
            header = pb.AppendUploadHeader(id=upload.id, offset=0, digest=checksum)
            upload = (await self._sessions.append(call, header)).upload
        return Response(201, headers=(*_ALWAYS, *location, *_progress(upload)))

    async def _concat(self, call: Call, ids: Sequence[str], request: pb.CreateUploadRequest) -> Response:
        if call.exchange.header("upload-length") is not None or not call.exchange.body_read:
            raise fields.invalid("Upload-Concat", "A final upload has the length and the bytes of its parts.")
        upload = await self._sessions.concat(call, pb.ConcatUploadsRequest(ids=ids, upload=request))
        return Response(201, headers=(*_ALWAYS, ("location", f"{COLLECTION}/{upload.id}"), *_progress(upload)))

    async def _append(self, call: Call) -> Response:
        exchange = call.exchange
        header = pb.AppendUploadHeader(
            id=call.match.variables["id"],
            offset=fields.integer("Upload-Offset", exchange.header("upload-offset")),
            size_bytes=fields.optional_integer("Upload-Length", exchange.header("upload-length")),
            digest=fields.tus_checksum(exchange.header("upload-checksum")),
        )
        _require_type(exchange)
        upload = (await self._sessions.append(call, header)).upload
        return Response(204, headers=(*_ALWAYS, *_progress(upload)))

    async def _tell(self, call: Call) -> Response:
        header = pb.AppendUploadHeader(id=call.match.variables["id"])
        upload = (await self._sessions.state(call, header)).upload
        headers: Headers = (*_ALWAYS, *_progress(upload), ("upload-length", str(upload.size_bytes)))
        if upload.partial:
            headers += (("upload-concat", "partial"),)
        if upload.filename:
            encoded = base64.b64encode(upload.filename.encode()).decode("ascii")
            headers += (("upload-metadata", f"filename {encoded}"),)
        return Response(200, headers=headers)


def _progress(upload: pb.Upload) -> Headers:
    headers: Headers = (("upload-offset", str(upload.offset)),)
    if upload.media_id:
        return (*headers, ("content-location", f"/v1/media/{upload.media_id}"))
    expires_at = upload.expires_at.ToDatetime()
    return (*headers, ("upload-expires", format_datetime(expires_at).replace("-0000", "GMT")))


def _require_type(exchange: Exchange) -> None:
    content_type = exchange.header("content-type")
    if content_type is None or content_type.strip().lower() != PIECE_TYPE:
        told = (content_type or "none")[:100]
        raise MediaError(Code.CONTENT_TYPE_UNSUPPORTED, content_type=told, expected=PIECE_TYPE)


def _kind(word: str | None) -> media_pb2.MediaKind.ValueType:
    if word is not None and word not in _KINDS:
        raise MediaError(Code.METADATA_INVALID, reason=f"kind is one of {', '.join(_KINDS)}")
    return media_pb2.MediaKind.ValueType(_KINDS.get(word or "", 0))

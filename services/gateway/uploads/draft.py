"""IETF resumable uploads, draft-ietf-httpbis-resumable-upload, interop versions 5 to 8."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from mediaapi.v1 import ingest_service_pb2 as pb

from services.common.errors import Code, MediaError
from services.common.public_json import dumps
from services.gateway.transcode import calls
from services.gateway.uploads import fields
from services.gateway.uploads.sessions import COLLECTION, MAX_BYTES, Sessions
from services.gateway.web.answers import Answers, Call
from services.gateway.web.http import Exchange, Headers, Response

VERSIONS = ("5", "6", "7", "8")
PIECE_TYPE = "application/partial-upload"
PIECE_TYPE_SINCE = 6
OPTIONS: Headers = (("upload-limit", f"max-size={MAX_BYTES}"), ("accept-patch", PIECE_TYPE))
_SAID = ("upload-complete", "upload-draft-interop-version", "upload-offset", "upload-length")
_PROBLEMS = "https://iana.org/assignments/http-problem-types#"
_TYPES = {
    Code.UPLOAD_OFFSET_CONFLICT: "mismatching-upload-offset",
    Code.UPLOAD_COMPLETE: "completed-upload",
    Code.LENGTH_MISMATCH: "inconsistent-upload-length",
}


class DraftDialect:
    """What says Upload-Complete, and every PATCH and HEAD that is not tus."""

    def __init__(self, sessions: Sessions, answers: Answers) -> None:
        self._sessions = sessions
        self._answers = answers

    def wants(self, exchange: Exchange, method: str) -> bool:
        """Asked after tus."""
        said = any(exchange.header(name) is not None for name in _SAID)
        return method in ("PATCH", "HEAD") or (method == "POST" and said)

    async def answer(self, call: Call, method: str) -> Response:
        """Raises: MediaError."""
        version = call.exchange.header("upload-draft-interop-version")
        if version is not None and version.strip() not in VERSIONS:
            raise fields.invalid("Upload-Draft-Interop-Version", f"One of {', '.join(VERSIONS)}.")
        if method == "HEAD":
            return await self._tell(call)
        if method == "POST":
            return await self._create(call)
        return await self._append(call, int(version or VERSIONS[-1]))

    def refused(self, exchange: Exchange, error: MediaError, response: Response) -> Response:
        """With the problem types the draft names, and always with the word that it is not complete."""
        headers: Headers = (("upload-complete", "?1" if error.code is Code.UPLOAD_COMPLETE else "?0"),)
        body = json.loads(response.body)
        if error.code in _TYPES:
            body["type"] = _PROBLEMS + _TYPES[error.code]
        if error.code is Code.UPLOAD_OFFSET_CONFLICT:
            expected = body["error"]["details"]["offset"]
            body |= {"expected-offset": expected, "provided-offset": int(exchange.header("upload-offset") or 0)}
            headers += (("upload-offset", str(expected)),)
        return replace(response, body=dumps(body), headers=(*response.headers, *headers))

    async def _create(self, call: Call) -> Response:
        exchange = call.exchange
        complete = fields.boolean("Upload-Complete", exchange.header("upload-complete"))
        length = _length(exchange, offset=0, complete=complete)
        if length is None:
            raise fields.invalid("Upload-Length", "The length must be known at the start.")
        sha256 = fields.content_digest("Repr-Digest", exchange.header("repr-digest"))
        digest = fields.content_digest("Content-Digest", exchange.header("content-digest"))
        request = pb.CreateUploadRequest(
            filename=fields.filename(exchange.header("content-disposition")),
            size_bytes=length,
            sha256=sha256.value.hex() if sha256 is not None and sha256.algorithm == "sha256" else None,
        )
        upload = await self._sessions.create(call, request)
        location: Headers = (("location", f"{COLLECTION}/{upload.id}"),)
        appended = pb.AppendUploadResponse(upload=upload)
        if complete or not exchange.body_read:
            header = pb.AppendUploadHeader(id=upload.id, offset=0, open=not complete, digest=digest)
            appended = await self._sessions.append(call, header)
        response = self._appended(call, appended, complete=complete)
        return replace(response, status=201, headers=(*response.headers, *location))

    async def _append(self, call: Call, version: int) -> Response:
        exchange = call.exchange
        offset = fields.integer("Upload-Offset", exchange.header("upload-offset"))
        complete = fields.boolean("Upload-Complete", exchange.header("upload-complete"))
        content_type = exchange.header("content-type")
        if version >= PIECE_TYPE_SINCE and (content_type or "").strip().lower() != PIECE_TYPE:
            told = (content_type or "none")[:100]
            raise MediaError(Code.CONTENT_TYPE_UNSUPPORTED, content_type=told, expected=PIECE_TYPE)
        header = pb.AppendUploadHeader(
            id=call.match.variables["id"],
            offset=offset,
            size_bytes=_length(exchange, offset=offset, complete=complete),
            open=not complete,
            digest=fields.content_digest("Content-Digest", exchange.header("content-digest")),
        )
        return self._appended(call, await self._sessions.append(call, header), complete=complete)

    def _appended(self, call: Call, appended: pb.AppendUploadResponse, *, complete: bool) -> Response:
        if appended.HasField("media"):
            response = self._answers.response(call, calls.answer(self._sessions.piece_route, appended.media))
            return replace(response, headers=(*response.headers, *_progress(appended.upload)))
        if complete:
            raise MediaError(Code.LENGTH_MISMATCH, offset=appended.upload.offset)
        return Response(204, headers=_progress(appended.upload))

    async def _tell(self, call: Call) -> Response:
        for name in ("upload-offset", "upload-complete", "upload-length"):
            if call.exchange.header(name) is not None:
                raise fields.invalid(name, "Is not for a HEAD request.")
        header = pb.AppendUploadHeader(id=call.match.variables["id"], open=True)
        upload = (await self._sessions.state(call, header)).upload
        headers: Headers = (*_progress(upload), ("upload-length", str(upload.size_bytes)))
        return Response(204, headers=headers)


def _length(exchange: Exchange, *, offset: int, complete: bool) -> int | None:
    """Of the whole file, as far as this request says.

    Raises:
        MediaError: LENGTH_MISMATCH, it says two things.
    """
    declared = fields.optional_integer("Upload-Length", exchange.header("upload-length"))
    length = exchange.header("content-length")
    if not complete or (length is None and exchange.header("transfer-encoding") is not None):
        return declared
    whole = offset + int(length or 0)
    if declared not in (None, whole):
        raise MediaError(Code.LENGTH_MISMATCH)
    return whole


def _progress(upload: pb.Upload) -> Headers:
    headers: Headers = (
        ("cache-control", "no-store"),
        ("upload-offset", str(upload.offset)),
        ("upload-complete", "?1" if upload.media_id else "?0"),
    )
    if upload.media_id:
        return (*headers, ("content-location", f"/v1/media/{upload.media_id}"))
    left_s = int((upload.expires_at.ToDatetime(tzinfo=UTC) - datetime.now(UTC)).total_seconds())
    return (*headers, ("upload-limit", f"max-size={MAX_BYTES}, max-age={max(0, left_s)}"))

"""PUT with Content-Range: 308 tells how far an upload is, 200 that it is a media item."""

from mediaapi.v1 import ingest_service_pb2 as pb

from services.common.errors import Code, MediaError
from services.gateway.transcode import calls
from services.gateway.uploads import fields
from services.gateway.uploads.sessions import Sessions
from services.gateway.web.answers import Answers, Call
from services.gateway.web.http import Exchange, Headers, Response


class PutDialect:
    """The dialect of Google's resumable clients, and of anybody with curl."""

    def __init__(self, sessions: Sessions, answers: Answers) -> None:
        self._sessions = sessions
        self._answers = answers

    def wants(self, exchange: Exchange, method: str) -> bool:
        """Every PUT."""
        return method == "PUT"

    async def answer(self, call: Call, method: str) -> Response:
        """Raises: MediaError."""
        header = _header(call)
        asks = not header.HasField("offset")
        appended = await (
            self._sessions.state(call, header, wait=True) if asks else self._sessions.append(call, header)
        )
        if appended.HasField("media"):
            return self._answers.response(call, calls.answer(self._sessions.piece_route, appended.media))
        return Response(308, headers=_progress(appended.upload))

    def refused(self, exchange: Exchange, error: MediaError, response: Response) -> Response:
        """As it is."""
        return response


def _header(call: Call) -> pb.AppendUploadHeader:
    exchange = call.exchange
    header = pb.AppendUploadHeader(
        id=call.match.variables["id"], digest=fields.content_digest("Content-Digest", exchange.header("content-digest"))
    )
    length, text = exchange.header("content-length"), exchange.header("content-range")
    if text is None:
        header.offset = 0
        if length is not None:
            header.size_bytes = int(length)
        return header
    found = fields.content_range(text)
    if found.total is not None:
        header.size_bytes = found.total
    if length is not None and int(length) != found.length:
        raise MediaError(Code.LENGTH_MISMATCH)
    if found.first is not None:
        header.offset, header.piece_bytes = found.first, found.length
    elif not exchange.body_read:
        raise MediaError(Code.LENGTH_MISMATCH)
    return header


def _progress(upload: pb.Upload) -> Headers:
    headers: Headers = (("cache-control", "no-store"), ("upload-offset", str(upload.offset)))
    return (*headers, ("range", f"bytes=0-{upload.offset - 1}")) if upload.offset else headers

"""HTTP/1.1 as uvicorn and httptools read it, with a bound on a request's head and refusals that are problems."""

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.common import ids
from services.common.errors import Code, MediaError
from services.gateway.web.http import Response
from services.gateway.web.problems import problem

# What Envoy lets through.
MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100


class BoundedProtocol(HttpToolsProtocol):
    """One connection. The parser itself would collect a head of any size."""

    _head_bytes = 0
    _in_head = True
    _refusal: MediaError | None = None

    def data_received(self, data: bytes) -> None:
        """See asyncio. A line that has not ended is told to nobody yet, so pieces are counted too."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refusal = _too_large()
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """See httptools."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """See httptools."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            self._refusal = _too_large()
            raise self._refusal
        # The parser takes whatever ends in chunked for it, and one who stands before us may not.
        codings = [value.strip(b" \t").lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            self._refusal = MediaError(Code.INVALID_REQUEST, why="transfer codings")
            raise self._refusal
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read is refused like all else; `msg` is uvicorn's word for it."""
        refusal = self._refusal or MediaError(Code.INVALID_REQUEST, why=msg)
        request_id = ids.new("req")
        answer = problem(refusal, instance="/", request_id=request_id)
        self.transport.write(_wire(answer, request_id))
        self.transport.close()


def _too_large() -> MediaError:
    return MediaError(Code.HEADERS_TOO_LARGE, limit=MAX_HEAD_BYTES)


def _wire(answer: Response, request_id: str) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"content-type: {answer.content_type}",
        f"content-length: {len(answer.body)}",
        f"x-request-id: {request_id}",
        *(f"{name}: {value}" for name, value in answer.headers),
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body

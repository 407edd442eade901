"""multipart/form-data (RFC 7578) as a stream: what comes out is bounded, whatever goes in.

Feed it pieces of a body in order; it answers with events. It holds at most one header block or one delimiter's length
of unread bytes, so its memory does not depend on the size of the body.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from services.common.errors import Code, MediaError
from services.gateway.web.headers import unquoted

MAX_PARTS = 16
MAX_HEADERS = 16
MAX_HEADER_BYTES = 8 * 1024
MAX_PREAMBLE_BYTES = 1024
MAX_EPILOGUE_BYTES = 1024
_MAX_PADDING_BYTES = 64

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_DISPOSITION = re.compile(r"form-data[ \t]*(?=;|$)", re.IGNORECASE)
# A quoted value may hold semicolons; RFC 7578 §4.2 has senders percent-encode quotes and line breaks.
_PARAMETER = re.compile(r";[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(\"(?:[^\"\\]|\\.)*\"|[^\s;\"]*)[ \t]*")
_PERCENT = re.compile(r"%(22|0[AaDd])")


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part's headers are read. `filename` is None where it has none; never to be trusted as a path."""

    name: str
    filename: str | None


@dataclass(frozen=True, slots=True)
class PartData:
    """Bytes of the current part, in order."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The current part is whole."""


Event: TypeAlias = PartBegin | PartData | PartEnd


class _State(Enum):
    PREAMBLE = auto()
    AFTER_DELIMITER = auto()
    HEADERS = auto()
    DATA = auto()
    EPILOGUE = auto()


class Parser:
    """Incremental parser of one body."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")  # So that a delimiter at the very beginning is one like all others.
        self._state = _State.PREAMBLE
        self._parts = 0
        self._skipped = 0

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Take the next piece; yields the events it completes. Consume all before feeding again.

        Raises:
            MediaError: MULTIPART_MALFORMED, MULTIPART_TOO_MANY_PARTS, HEADERS_TOO_LARGE.
        """
        self._buffer += piece
        while True:
            before = self._state, len(self._buffer)
            yield from self._step()
            if (self._state, len(self._buffer)) == before:
                return

    def finish(self) -> None:
        """The body ended. Raises: MediaError MULTIPART_MALFORMED unless the final boundary was seen."""
        if self._state is not _State.EPILOGUE:
            raise _malformed("it ends before its final boundary")

    def _step(self) -> Iterator[Event]:
        match self._state:
            case _State.PREAMBLE:
                self._preamble()
            case _State.AFTER_DELIMITER:
                self._after_delimiter()
            case _State.HEADERS:
                yield from self._headers()
            case _State.DATA:
                yield from self._data()
            case _State.EPILOGUE:
                self._epilogue()

    def _preamble(self) -> None:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            if len(self._buffer) > MAX_PREAMBLE_BYTES + len(self._delimiter):
                raise _malformed("its boundary does not come")
            return
        if at > MAX_PREAMBLE_BYTES:
            raise _malformed("its preamble is too long")
        self._after(at)

    def _after(self, at: int) -> None:
        del self._buffer[: at + len(self._delimiter)]
        self._state = _State.AFTER_DELIMITER

    def _after_delimiter(self) -> None:
        if self._buffer.startswith(b"--"):
            del self._buffer[:2]
            self._state = _State.EPILOGUE
            return
        if len(self._buffer) < 2:
            return
        end = self._buffer.find(b"\r\n")
        padding = bytes(self._buffer[:end] if end >= 0 else self._buffer.removesuffix(b"\r"))
        if padding.strip(b" \t") or len(padding) > _MAX_PADDING_BYTES:
            raise _malformed("a boundary is followed by other text")
        if end < 0:
            return
        del self._buffer[:end]  # The line break stays, so that an empty header block ends in two as well.
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MediaError(Code.MULTIPART_TOO_MANY_PARTS, limit=MAX_PARTS)
        self._state = _State.HEADERS

    def _headers(self) -> Iterator[Event]:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES + 4)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES + 4:
                raise MediaError(Code.HEADERS_TOO_LARGE, limit=MAX_HEADER_BYTES)
            return
        block = bytes(self._buffer[2:end])
        del self._buffer[: end + 4]
        self._state = _State.DATA
        yield _begin(_header_map(block))

    def _data(self) -> Iterator[Event]:
        at = self._buffer.find(self._delimiter)
        end = at if at >= 0 else len(self._buffer) - len(self._delimiter) + 1
        if end > 0:
            data = bytes(self._buffer[:end])
            del self._buffer[:end]
            yield PartData(data)
        if at >= 0:
            self._after(0)
            yield PartEnd()

    def _epilogue(self) -> None:
        self._skipped += len(self._buffer)
        self._buffer.clear()
        if self._skipped > MAX_EPILOGUE_BYTES:
            raise _malformed("it goes on after its final boundary")


def _malformed(reason: str) -> MediaError:
    return MediaError(Code.MULTIPART_MALFORMED, reason=reason)


def _header_map(block: bytes) -> Mapping[str, str]:
    lines = block.decode("utf-8", "replace").split("\r\n") if block else []
    if len(lines) > MAX_HEADERS:
        raise MediaError(Code.HEADERS_TOO_LARGE, limit=MAX_HEADERS)
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None or match[1].lower() in headers:
            raise _malformed("a part's header line is malformed or repeated")
        headers[match[1].lower()] = match[2].rstrip(" \t")
    return headers


def _begin(headers: Mapping[str, str]) -> PartBegin:
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise _malformed("a part has a transfer encoding")
    text = headers.get("content-disposition", "")
    head = _DISPOSITION.match(text)
    if head is None:
        raise _malformed("a part has no form-data disposition")
    parameters: dict[str, str] = {}
    at = head.end()
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in parameters:
            raise _malformed("a part's disposition is malformed")
        parameters[match[1].lower()] = _PERCENT.sub(lambda code: chr(int(code[1], 16)), unquoted(match[2]))
        at = match.end()
    if "name" not in parameters:
        raise _malformed("a part has no name")
    return PartBegin(parameters["name"], parameters.get("filename"))

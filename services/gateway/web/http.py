"""The two ends of one HTTP exchange over ASGI: a request read within bounds, a response sent once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from services.common.errors import Code, MediaError
from services.gateway.domain.pace import STANDARD, Pace, Watch

Headers = tuple[tuple[str, str], ...]

# After an early answer a client still sends; closing under it would destroy the answer on its way.
LINGER_S = 2.0
LINGER_BYTES = 16 * 1024 * 1024


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. `close` ends the connection after it, for requests that were not read to their end."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Headers = ()
    close: bool = False


@dataclass(slots=True)
class Exchange:
    """One request and the way back to its client."""

    scope: Scope
    receive: Receive
    send: Send
    request_id: str
    pace: Pace = STANDARD
    status: int = 0
    sent_bytes: int = 0
    taken_bytes: int = 0  # of the body; what is dropped after a refusal is not taken
    route: str = ""
    workspace_id: str = ""
    code: str = ""
    # Told with the answer, whatever it will be.
    told: Headers = ()
    # Set when the process is to end: an answer without an end of its own has to find one.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    body_read: bool = False
    _headers: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.scope["headers"]:
            self._headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        no_body = self.header("content-length") in (None, "0") and self.header("transfer-encoding") is None
        self.body_read = no_body

    @property
    def method(self) -> str:
        """GET, POST, …"""
        method: str = self.scope["method"]
        return method

    @property
    def raw_path(self) -> bytes:
        """The path as it came, percent-encoded, without query."""
        raw: bytes = self.scope["raw_path"]
        return raw

    @property
    def path(self) -> str:
        """The same as text."""
        return self.raw_path.decode("ascii", "replace")

    @property
    def query(self) -> list[tuple[str, str]]:
        """Query parameters in order. Raises: MediaError INVALID_REQUEST for what is not UTF-8 or too much."""
        text = self.scope["query_string"].decode("ascii", "replace")
        try:
            return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=50)
        except (UnicodeDecodeError, ValueError) as exc:
            raise MediaError(Code.INVALID_REQUEST, field="query") from exc

    def header(self, name: str) -> str | None:
        """The one value of a header; several are joined by commas, as HTTP lets them be."""
        values = self._headers.get(name)
        return None if values is None else ", ".join(values)

    async def chunks(self, limit_bytes: int, too_large: MediaError) -> AsyncIterator[bytes]:
        """The request body as it arrives, each piece bounded by the server's read buffer.

        Raises:
            MediaError: `too_large` past the limit, declared or counted; UPLOAD_STALLED, slower than `pace` allows.
            ClientGoneError: the connection ended.
        """
        declared = self.header("content-length")
        if declared is not None and declared.isdigit() and int(declared) > limit_bytes:
            raise too_large
        total = 0
        watch = Watch(self.pace)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                async with asyncio.timeout(watch.patience_s()):
                    message = await self.receive()
            except TimeoutError as exc:
                raise MediaError(Code.UPLOAD_STALLED) from exc
            if message["type"] == "http.disconnect":
                self.body_read = True
                raise ClientGoneError
            piece: bytes = message.get("body", b"")
            total += len(piece)
            self.taken_bytes += len(piece)
            fast_enough = watch.got(len(piece), loop.time() - began)
            if not message.get("more_body", False):
                self.body_read = True
            if total > limit_bytes:
                raise too_large
            if piece:
                yield piece
            if self.body_read:
                return
            if not fast_enough:
                raise MediaError(Code.UPLOAD_STALLED)

    async def body(self, limit_bytes: int, too_large: MediaError) -> bytes:
        """The whole request body, in memory. Raises: as `chunks`."""
        whole = bytearray()
        async for piece in self.chunks(limit_bytes, too_large):
            whole += piece
        return bytes(whole)

    async def gone(self) -> None:
        """Returns once the client has closed the connection. For requests that were read to their end."""
        while (await self.receive())["type"] != "http.disconnect":
            continue

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status line and headers, with those every answer has."""
        self.status = status
        everywhere = (
            ("x-request-id", self.request_id),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        )
        all_headers = (*headers, *self.told, *everywhere)
        raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in all_headers]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, piece: bytes, *, more: bool) -> None:
        """Send a piece of the body."""
        self.sent_bytes += len(piece)
        await self.send({"type": "http.response.body", "body": piece, "more_body": more})

    async def respond(self, response: Response) -> None:
        """Send a whole answer; where the request was not read to its end, linger a little, then close."""
        empty = response.status in (204, 304)
        headers = list(response.headers)
        if not empty:
            headers += [("content-type", response.content_type), ("content-length", str(len(response.body)))]
        early = response.close or not self.body_read
        if early:
            headers.append(("connection", "close"))
        await self.start(response.status, tuple(headers))
        if early:
            await self.write(response.body, more=True)
            await self._linger()
        await self.write(b"" if early or empty else response.body, more=False)

    async def _linger(self) -> None:
        if self.body_read or self.header("expect") is not None:
            return  # Receiving would invite a client that waits for "100 Continue".
        dropped = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while dropped < LINGER_BYTES:
                    message = await self.receive()
                    dropped += len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return

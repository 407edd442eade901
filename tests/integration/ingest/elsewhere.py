"""Servers elsewhere, by real sockets: one that behaves as its paths say, over plain HTTP or TLS, and a canary.

/photo        the file                     /hop/<n>      n redirects, then the file
/named        the file, by another name    /loop         302 to itself
/typed        the file, called text/html   /inside       302 to the canary
/page         an HTML page                 /nowhere      302 without a Location
/missing      404                          /slow         headers, a byte now and then
/down         500                          /hang         no answer
/partial      206                          /drip         the file, a byte now and then
/empty        200, nothing                 /endless      a photo without end
/bomb         the file, compressed         /long         says twice the length
/headers      headers without end          /short        says half the length
/garbage      no HTTP                      /cut          reset in mid-body
"""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from tests.media import jpeg

PIECE = bytes(64 * 1024)
DRIP_S = 0.05


@dataclass
class Elsewhere:
    """What came, and how much was taken of what has no end. `names`: the server names that TLS clients asked for."""

    photo: bytes = field(default_factory=jpeg)
    url: str = ""
    port: int = 0
    inside: str = "http://127.0.0.1:9/"
    asked: list[tuple[str, str]] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    sent_bytes: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            host = next(line for line in head.split("\r\n") if line.lower().startswith("host:"))
            path = head.split()[1]
            self.asked.append((path, host.partition(":")[2].strip()))
            await self._answer(path, reader, writer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _answer(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match path.split("?")[0].strip("/").split("/"):
            case ["photo"] | ["hop", "0"]:
                writer.write(_ok(self.photo))
            case ["hop", n]:
                writer.write(_moved(f"/hop/{int(n) - 1}"))
            case ["named"]:
                writer.write(_ok(self.photo, "Content-Disposition: attachment; filename*=UTF-8''..%2FStra%C3%9Fe.jpg"))
            case ["typed"]:
                writer.write(_ok(self.photo, "Content-Type: text/html"))
            case ["page"]:
                writer.write(_ok(b"<!doctype html><title>Log in</title>" * 200, "Content-Type: image/jpeg"))
            case ["missing"]:
                writer.write(_ok(self.photo, status="404 Not Found"))
            case ["down"]:
                writer.write(_ok(self.photo, status="500 Internal Server Error"))
            case ["partial"]:
                writer.write(_ok(self.photo, status="206 Partial Content"))
            case ["empty"]:
                writer.write(_ok(b""))
            case ["bomb"]:
                writer.write(_ok(gzip.compress(self.photo), "Content-Encoding: gzip"))
            case ["loop"]:
                writer.write(_moved(path))
            case ["inside"]:
                writer.write(_moved(self.inside))
            case ["nowhere"]:
                writer.write(_ok(b"", status="302 Found"))
            case ["long"]:
                writer.write(_ok(self.photo, length=2 * len(self.photo)))
            case ["short"]:
                writer.write(_ok(self.photo, length=len(self.photo) // 2))
            case ["garbage"]:
                writer.write(b"220 mail.example.com ESMTP\r\n")
            case ["hang"]:
                await reader.read()  # until the client has had enough
            case ["cut"]:
                await self._cut(writer)
            case _:
                await self._on_and_on(path, writer)

    async def _cut(self, writer: asyncio.StreamWriter) -> None:
        writer.write(_ok(self.photo)[:-1000])
        await writer.drain()
        await asyncio.sleep(0.1)
        linger = struct.pack("ii", 1, 0)  # closing resets
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async def _on_and_on(self, path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/drip":
            writer.write(_ok(b"", length=len(self.photo)))
        if path == "/endless":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + self.photo)
        if path in ("/slow", "/headers"):
            writer.write(b"HTTP/1.1 200 OK\r\n")
        for n in count():
            piece = {
                "/drip": self.photo[n : n + 1],
                "/slow": b"X" if n else b"X-Slow: ",
                "/headers": f"X-{n}: {'x' * 1000}\r\n".encode(),
                "/endless": PIECE,
            }[path]
            writer.write(piece)
            await writer.drain()
            self.sent_bytes += len(piece)
            if path in ("/drip", "/slow"):
                await asyncio.sleep(DRIP_S)


def _ok(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def _moved(to: str) -> bytes:
    return _ok(b"", f"Location: {to}", "Connection: close", status="302 Found")


@asynccontextmanager
async def elsewhere(tls: ssl.SSLContext | None = None) -> AsyncIterator[Elsewhere]:
    """Listens on the loopback while inside."""
    found = Elsewhere()
    if tls is not None:
        tls.sni_callback = lambda connection, name, context: found.names.append(name)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    found.url = f"http://127.0.0.1:{found.port}"
    async with server:
        yield found


@dataclass
class Canary:
    """Listens where nobody may connect to."""

    port: int
    connections: int = 0


@asynccontextmanager
async def canary() -> AsyncIterator[Canary]:
    """On IPv4 and IPv6 loopback, the same port."""

    def count_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        writer.close()

    v4 = await asyncio.start_server(count_one, "127.0.0.1", 0)
    found = Canary(v4.sockets[0].getsockname()[1])
    v6 = await asyncio.start_server(count_one, "::1", found.port)
    async with v4, v6:
        yield found

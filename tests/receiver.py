"""A customer's server: takes webhooks, keeps what came, and answers as its path says.

/ok        204                         /slow       204, a quarter of a second late
/down      500                         /busy       503 with Retry-After: 3600
/gone      410                         /redirect   302 to /ok
/hang      never answers               /drip       200, then a byte now and then for ever
/endless   200, then as much as one    /bomb       200, a body that is said to be compressed
           reads, at once
/loop      302 to itself               /cut        the connection ends before the answer
/garbage   no HTTP                     /flap       500 when an event comes first, 204 then
/headers   200, headers without end
"""

import asyncio
import contextlib
import gzip
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from standardwebhooks.webhooks import Webhook

from services.common import clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The event, once its signature was found good by the receivers' own library."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Receiver:
    """What came in. `statuses`: other answers than their paths say, until they are taken away."""

    url: str = ""
    came: list[Request] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    open: Counter[str] = field(default_factory=Counter)
    most_open: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[str, str]] = field(default_factory=set)
    heed: Callable[[Request], None] = lambda request: None  # with every request, as it comes
    sent_bytes: int = 0

    def at(self, path: str) -> list[Request]:
        return [request for request in self.came if request.path == path]

    async def until(self, count: int, path: str = "/ok", within_s: float = 20.0) -> list[Request]:
        """What came there, once it is that much."""
        async with asyncio.timeout(within_s):
            while len(self.at(path)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return self.at(path)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, any number of requests."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *lines = head.split("\r\n")
                headers = {name.lower(): value for name, _, value in (it.partition(": ") for it in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(line.split(" ")[1], headers, body, clock.utc_now())
                self.came.append(request)
                self.heed(request)
                self.open[request.path] += 1
                self.most_open[request.path] = max(self.open[request.path], self.most_open[request.path])
                try:
                    if not await self._answer(request, writer):
                        break
                finally:
                    self.open[request.path] -= 1

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may be used again."""
        name = "/" + request.path.split("/")[1]
        if (status := self.statuses.get(request.path)) is not None:
            return await self._say(writer, status)
        match name:
            case "/ok":
                return await self._say(writer, 204)
            case "/slow":
                await asyncio.sleep(0.25)
                return await self._say(writer, 204)
            case "/flap":
                return await self._say(writer, 204 if self._again(request) else 500)
            case "/down":
                return await self._say(writer, 500)
            case "/busy":
                return await self._say(writer, 503, b"Retry-After: 3600\r\n")
            case "/gone":
                return await self._say(writer, 410)
            case "/redirect":
                return await self._say(writer, 302, f"Location: {self.url}/ok\r\n".encode())
            case "/loop":
                return await self._say(writer, 307, f"Location: {self.url}/loop\r\n".encode())
            case "/cut":
                return False
            case "/hang":
                await asyncio.sleep(60)
                return False
            case "/garbage":
                writer.write(b"hello\r\n\r\n")
                await writer.drain()
                return False
        await getattr(self, "_" + name[1:])(writer)
        return False

    def _again(self, request: Request) -> bool:
        """Whether this event came there before."""
        seen = (request.path, request.event_id) in self.seen
        self.seen.add((request.path, request.event_id))
        return seen

    async def _say(self, writer: asyncio.StreamWriter, status: int, headers: bytes = b"") -> bool:
        length = b"" if status == 204 else b"Content-Length: 0\r\n"
        writer.write(b"HTTP/1.1 %d X\r\n%s%s\r\n" % (status, headers, length))
        await writer.drain()
        return True

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.2)

    async def _endless(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            self.sent_bytes += 65_536

    async def _headers(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: " + b"x" * 8_000 + b"\r\n")
            await writer.drain()

    async def _bomb(self, writer: asyncio.StreamWriter) -> None:
        body = gzip.compress(bytes(50_000_000))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A server on a free port of this machine."""
    receiver = Receiver()
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        task.add_done_callback(connections.discard)
        try:
            await receiver.serve(reader, writer)
        except asyncio.CancelledError:  # at the end, whatever is still open is over
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=256)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


@contextmanager
def receiving_apart() -> Iterator[Receiver]:
    """The same in a thread of its own, for tests that have no loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="receiver", daemon=True)
    thread.start()

    def done(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=10)

    context = receiving()
    try:
        receiver = done(context.__aenter__())
        try:
            yield receiver
        finally:
            done(context.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

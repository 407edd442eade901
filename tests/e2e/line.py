"""A network line to the service that breaks in the middle of what it carries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local.ports import HOST

CHUNK_BYTES = 65536


class Line:
    """Connections to `url` end at the service's port, `breaks_after` so many bytes on their way there.

    `broken` is set from then on, and nothing comes through until `mend`. While it is silenced, all that is sent either
    way waits.
    """

    def __init__(self, port: int) -> None:
        self.url = ""
        self.breaks_after: int | None = None
        self.broken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._port = port
        self._carried = 0
        self._ends: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def cut(self) -> None:
        """Every connection is reset."""
        for end in self._ends:
            end.transport.abort()

    def silence(self, silent: bool) -> None:
        """Nobody is told, and nobody hears anything. From any thread."""
        self._loop.call_soon_threadsafe(self._open.clear if silent else self._open.set)

    def mend(self) -> None:
        """It carries again, and breaks no more."""
        self.breaks_after = None
        self.broken.clear()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection, until either end has enough of it."""
        if self.broken.is_set():
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(HOST, self._port)
        ends = {writer, far_writer}
        self._ends |= ends
        try:
            await asyncio.gather(self._up(reader, far_writer), self._down(far_reader, writer))
        except ConnectionError:
            pass  # Cut, or hung up on.
        finally:
            self._ends -= ends
            for end in ends:
                end.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for data in _chunks(reader):
            self._carried += len(data)
            await self._open.wait()
            writer.write(data)
            await writer.drain()
            if self.breaks_after is not None and self._carried >= self.breaks_after:
                self.broken.set()
                self.cut()
        writer.write_eof()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for data in _chunks(reader):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while data := await reader.read(CHUNK_BYTES):
        yield data


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    """Listens on a free port while inside."""
    laid = Line(port)
    async with await asyncio.start_server(laid.connected, HOST, 0) as server:
        laid.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        yield laid
        laid.cut()

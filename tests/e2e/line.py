"""A network line to the service that breaks in the middle of what it carries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local.ports import HOST

CHUNK_BYTES = 65536


class Line:
    """Connections to `url` end at the service's port, `breaks_after` so many bytes on their way there.

    `broken` is set from then on, and nothing comes through until `mend`.
    """

    def __init__(self, port: int) -> None:
        self.url = ""
        self.breaks_after: int | None = None
        self.broken = asyncio.Event()
        self._port = port
        self._carried = 0
        self._ends: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Every connection is reset."""
        for end in self._ends:
            end.transport.abort()

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
            await asyncio.gather(self._up(reader, far_writer), _carry(far_reader, writer))
        except ConnectionError:
            pass  # Cut, or hung up on.
        finally:
            self._ends -= ends
            for end in ends:
                end.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for data in _chunks(reader):
            self._carried += len(data)
            writer.write(data)
            await writer.drain()
            if self.breaks_after is not None and self._carried >= self.breaks_after:
                self.broken.set()
                self.cut()
        writer.write_eof()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async for data in _chunks(reader):
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

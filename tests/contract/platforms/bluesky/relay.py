"""A TCP relay that loses requests or answers on order, so that any server can be made to fail in the middle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum

PIECE_BYTES = 65_536


class Loss(Enum):
    """What does not arrive."""

    REQUEST = "request"
    ANSWER = "answer"


class Relay:
    """Passes connections on to a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._losses: dict[str, Loss] = {}
        self._open: set[asyncio.Task[None]] = set()

    def lose(self, path: str, loss: Loss) -> None:
        """Once, with the next request whose path ends so; its connection breaks."""
        self._losses[path] = loss

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection."""
        server, on = await asyncio.open_connection("127.0.0.1", self._port)
        losing = asyncio.Event()
        ways = {asyncio.create_task(self._there(client, on, losing)), asyncio.create_task(_back(server, back, losing))}
        self._open |= ways
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self._open -= ways
        for writer in (on, back):
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def close(self) -> None:
        """Ends what is open."""
        for way in tuple(self._open):
            way.cancel()
        await asyncio.sleep(0)

    async def _there(self, client: asyncio.StreamReader, on: asyncio.StreamWriter, losing: asyncio.Event) -> None:
        # A request begins a piece of its own, since its client waits for the answer to the one before.
        while piece := await client.read(PIECE_BYTES):
            match self._ordered(piece):
                case Loss.REQUEST:
                    return
                case Loss.ANSWER:
                    losing.set()
            on.write(piece)
            await on.drain()

    def _ordered(self, piece: bytes) -> Loss | None:
        method, _, rest = piece.partition(b" ")
        if method not in (b"GET", b"POST"):
            return None
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        found = next((end for end in self._losses if path.endswith(end)), None)
        return self._losses.pop(found) if found is not None else None


async def _back(server: asyncio.StreamReader, back: asyncio.StreamWriter, losing: asyncio.Event) -> None:
    while piece := await server.read(PIECE_BYTES):
        if losing.is_set():
            return
        back.write(piece)
        await back.drain()


@asynccontextmanager
async def relay(port: int) -> AsyncIterator[tuple[str, Relay]]:
    """A running one, and its URL."""
    made = Relay(port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", made
        await made.close()

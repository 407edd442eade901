"""clamd over a socket: INSTREAM and VERSION, nothing more.

Written on bare sockets since clamd may answer and hang up while the stream is still being sent: then the answer lies
in the receive buffer, and stream classes (asyncio's, and the PyPI client's) throw it away with the broken pipe.
Protocol: clamd(8), `z` form: commands and answers end with NUL, chunks carry a 4-byte big-endian length, 0 ends.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from services.common.errors import Code, MediaError

ANSWER_LIMIT_BYTES = 4096
CHUNK_LIMIT_BYTES = 1 << 20
_REFUSAL = "INSTREAM size limit exceeded"


class Clamd:
    """One connection for each question, as clamd likes it.

    Args:
        address: The path of its unix socket; or the host and port it listens at, which nobody but the scanner should
            reach: clamd asks nobody who they are.
    """

    def __init__(self, address: str | tuple[str, int]) -> None:
        self._family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._address = address

    async def version(self) -> str:
        """The engine's and its signatures' version, in clamd's words."""
        with self._connection() as conn:
            loop = asyncio.get_running_loop()
            with _as_unavailable():
                await loop.sock_connect(conn, self._address)
                await loop.sock_sendall(conn, b"zVERSION\x00")
            return await _answer(conn)

    async def scan(self, chunks: AsyncIterator[bytes]) -> str:
        """Streams all chunks, then returns the answer.

        Raises:
            MediaError: SCANNER_UNAVAILABLE, clamd is away, hung up without a word, or spoke before the end (other
                than to refuse the length); what `chunks` raises passes through.
        """
        loop = asyncio.get_running_loop()
        with self._connection() as conn:
            with _as_unavailable():
                await loop.sock_connect(conn, self._address)
                await loop.sock_sendall(conn, b"zINSTREAM\x00")
            async for chunk in chunks:
                if not await _sent(conn, chunk):
                    return await _refusal(conn)
            if not await _send(conn, b"\x00\x00\x00\x00"):
                return await _refusal(conn)
            return await _answer(conn)

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        conn = socket.socket(self._family, socket.SOCK_STREAM)
        conn.setblocking(False)
        try:
            yield conn
        finally:
            conn.close()


async def _sent(conn: socket.socket, chunk: bytes) -> bool:
    """Sends one chunk in as many frames as it takes; an empty one would end the stream, and is no frame at all."""
    view = memoryview(chunk)
    for at in range(0, len(view), CHUNK_LIMIT_BYTES):
        frame = view[at : at + CHUNK_LIMIT_BYTES]
        if not (await _send(conn, len(frame).to_bytes(4, "big")) and await _send(conn, frame)):
            return False
    return True


async def _send(conn: socket.socket, data: bytes | memoryview) -> bool:
    """False when clamd has hung up."""
    try:
        await asyncio.get_running_loop().sock_sendall(conn, data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


async def _refusal(conn: socket.socket) -> str:
    """What clamd said before it hung up. Only a refusal counts: a verdict on half a stream is none."""
    answer = await _answer(conn)
    if not answer.startswith(_REFUSAL):
        raise MediaError(Code.SCANNER_UNAVAILABLE, why=f"clamd broke off: {answer[:200]!r}")
    return answer


async def _answer(conn: socket.socket) -> str:
    """Everything up to the first NUL; anything that ends without one is half an answer."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    with _as_unavailable():
        while not data.endswith(b"\x00") and len(data) < ANSWER_LIMIT_BYTES:
            piece = await loop.sock_recv(conn, ANSWER_LIMIT_BYTES)
            if not piece:
                break
            data += piece
    answer, end, _ = bytes(data).partition(b"\x00")
    if not end:
        raise MediaError(Code.SCANNER_UNAVAILABLE, why=f"clamd hung up in the middle: {bytes(data[:200])!r}")
    return answer.decode("utf-8", "replace")


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise MediaError(Code.SCANNER_UNAVAILABLE, why=f"clamd: {exc}") from exc

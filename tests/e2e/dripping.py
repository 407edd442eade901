"""Clients that send next to nothing, for as long as they are let."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

EVERY_S = 0.2


@dataclass(slots=True)
class Slow:
    """One request: its head, the first bytes of its body at once, then a byte now and then.

    Attributes:
        drips: What comes byte by byte, endlessly; empty: nothing more comes.
        status, code: What it was answered; 0: the connection was closed without a word.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    begins: bytes = b""
    drips: bytes = b"x"
    status: int = 0
    code: str = ""
    sent_bytes: int = field(default=0)

    async def run(self, host: str, port: int) -> "Slow":
        """Until it is answered or cut."""
        reader, writer = await asyncio.open_connection(host, port)
        answer = bytearray()
        reading = asyncio.create_task(_read(reader, answer))
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in self.headers.items())]
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + self.begins)
            await writer.drain()
            self.sent_bytes = len(self.begins)
            while not answer and not (await asyncio.wait({reading}, timeout=EVERY_S))[0]:
                if self.drips:
                    at = self.sent_bytes % len(self.drips)
                    writer.write(self.drips[at : at + 1])
                    await writer.drain()
                    self.sent_bytes += 1
        except ConnectionError:
            pass  # Cut; the answer, if there was one, has been read.
        finally:
            await reading
            writer.close()
        self._answered(bytes(answer))
        return self

    def _answered(self, answer: bytes) -> None:
        head, _, body = answer.partition(b"\r\n\r\n")
        if head:
            self.status = int(head.split(b" ")[1])
        if body.startswith(b"{"):
            self.code = json.loads(body)["error"]["code"]


async def slow_headers(host: str, port: int) -> float:
    """A head that never ends. Returns after how many seconds it was cut."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, writer = await asyncio.open_connection(host, port)
    reading = asyncio.create_task(_read(reader, bytearray()))
    writer.write(b"POST /v1/media HTTP/1.1\r\nHost: x\r\n")
    number = 0
    try:
        while not (await asyncio.wait({reading}, timeout=1.0))[0]:
            writer.write(f"a{number}: b\r\n".encode())
            await writer.drain()
            number += 1
    except ConnectionError:
        pass  # Cut while it was written to.
    finally:
        await reading
        writer.close()
    return loop.time() - began


async def _read(reader: asyncio.StreamReader, into: bytearray) -> None:
    """All that comes, until the connection is closed in whatever way."""
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            into += data

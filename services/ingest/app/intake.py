"""One file on its way into quarantine, in constant memory."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Coroutine
from typing import TypeVar

from services.common.errors import Code, MediaError
from services.ingest.domain.formats import Format, Kind
from services.ingest.ports import Store, Stored

T = TypeVar("T")

PART_BYTES = 8 << 20
PARTS_IN_FLIGHT = 2  # with the one being filled: at most 24 MiB for each upload


class Intake:
    """Counts, hashes and stores what is written. A file of one part is a plain object, a larger one a multipart upload.

    The caller starts the multipart upload when `wants_multipart`, so that it can note its id before bytes go there.
    """

    def __init__(self, store: Store, key: str, format_: Format) -> None:
        self._store = store
        self._key = key
        self._format = format_
        self._sha256 = hashlib.sha256()
        self._filling = bytearray()
        self._flying: deque[asyncio.Task[tuple[int, str]]] = deque()
        self._unfinished: set[asyncio.Task[object]] = set()
        self._parts: list[tuple[int, str]] = []
        self._started = 0
        self.multipart_id = ""
        self.size_bytes = 0

    @property
    def held_bytes(self) -> int:
        """What is in memory."""
        return len(self._filling) + PART_BYTES * sum(not part.done() for part in self._flying)

    @property
    def wants_multipart(self) -> bool:
        """The first part is full, and there is no multipart upload yet."""
        return not self.multipart_id and len(self._filling) > PART_BYTES

    async def start_multipart(self) -> str:
        """Begins the multipart upload. Returns its id."""
        return await asyncio.shield(self._task(self._begin()))

    def take(self, chunk: bytes) -> None:
        """Counts and keeps bytes; `flush` sends them.

        Raises:
            MediaError: MEDIA_TOO_LARGE, as soon as the limit of this format is passed.
        """
        self.size_bytes += len(chunk)
        limit = self._format.request_limit_bytes
        if self.size_bytes > limit:
            raise too_large(self._format, self.size_bytes)
        self._sha256.update(chunk)
        self._filling += chunk

    async def flush(self) -> None:
        """Sends every full part, and waits while too many are under way. Needs the multipart upload."""
        while len(self._filling) > PART_BYTES:
            data = bytes(memoryview(self._filling)[:PART_BYTES])
            del self._filling[:PART_BYTES]
            await self._send(data)

    async def finish(self) -> Stored:
        """Makes the object out of its parts.

        Returns:
            What the store itself says of it now.

        Raises:
            MediaError: UNAVAILABLE, the store holds another number of bytes than were written.
        """
        if not self.multipart_id:
            whole = self._store.put(self._key, bytes(self._filling), self._format.content_type)
        else:
            await self._send(bytes(self._filling))
            while self._flying:
                await self._land()
            whole = self._store.complete(self._key, self.multipart_id, sorted(self._parts))
        await asyncio.shield(self._task(whole))
        self._filling.clear()
        stored = await self._store.head(self._key)
        if stored is None or stored.size != self.size_bytes:
            raise MediaError(Code.UNAVAILABLE, why=f"{self.size_bytes} bytes written, {stored} stored")
        return stored

    async def settle(self) -> None:
        """Waits for whatever is under way, however it ends, so that nothing arrives after it was undone."""
        await asyncio.gather(*self._unfinished, return_exceptions=True)

    def sha256(self) -> str:
        """Lower-case hex over everything written."""
        return self._sha256.hexdigest()

    async def _send(self, data: bytes) -> None:
        if len(self._flying) >= PARTS_IN_FLIGHT:
            await self._land()
        self._started += 1
        self._flying.append(self._task(self._put(self._started, data)))

    async def _begin(self) -> str:
        self.multipart_id = await self._store.start_multipart(self._key, self._format.content_type)
        return self.multipart_id

    async def _put(self, number: int, data: bytes) -> tuple[int, str]:
        return number, await self._store.put_part(self._key, self.multipart_id, number, data)

    async def _land(self) -> None:
        self._parts.append(await asyncio.shield(self._flying[0]))
        self._flying.popleft()

    def _task(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """A task of its own: a request to the store cannot be called back, so `settle` has to see it end."""
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return task


def too_large(format_: Format, size_bytes: int) -> MediaError:
    """Says which limit was passed, and for a video what to use instead."""
    error = MediaError(
        Code.MEDIA_TOO_LARGE,
        kind="gif" if format_.name == "gif" else str(format_.kind),
        size=size_bytes,
        limit=format_.request_limit_bytes,
    )
    if format_.kind is Kind.VIDEO:
        error.details["use"] = "resumable"
    return error

"""One request's bytes on their way into an upload, in constant memory: nothing counts before it is durable."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TypeVar

from services.common.errors import Code, MediaError
from services.ingest.app.admitting import recognise
from services.ingest.domain.formats import SNIFF_BYTES
from services.ingest.domain.upload import (
    LEAST_PART_BYTES,
    MOST_PARTS,
    Digest,
    Part,
    Phase,
    Upload,
    check_format,
    past_end,
)
from services.ingest.ports import SecondOpinion, Store, UploadChange, UploadRef, UploadTable

log = logging.getLogger(__name__)

T = TypeVar("T")

PART_BYTES = 8 << 20  # with the one being filled and the one in flight: at most 24 MiB for each request
LEASE_S = 15.0
_ANY_TYPE = "application/octet-stream"


class LostError(Exception):
    """Somebody else writes now, or the upload is over: nothing of this writer's counts any more."""


class RefusedError(Exception):
    """The bytes themselves are not taken, however often they come."""

    def __init__(self, error: MediaError) -> None:
        super().__init__(str(error))
        self.error = error


class Writer:
    """The one holder of an upload's current epoch.

    Cancelled at any await it can still `keep` what it took. With a digest nothing counts before it agrees.
    """

    def __init__(
        self,
        table: UploadTable,
        store: Store,
        opinion: SecondOpinion,
        upload: Upload,
        *,
        new_id: Callable[[str], str],
        digest: Digest | None = None,
    ) -> None:
        self.upload = upload
        self._table = table
        self._store = store
        self._opinion = opinion
        self._new_id = new_id
        self._digest = digest
        self._hash = hashlib.new(digest.algorithm, usedforsecurity=False) if digest else None
        self._parts = list(upload.parts)
        self._filling = bytearray()
        self._head = b""
        self._content_type = upload.content_type
        self._taken = upload.offset
        self._opened = False
        self._flying: asyncio.Task[Part] | None = None
        self._unfinished: set[asyncio.Task[object]] = set()

    @property
    def held_bytes(self) -> int:
        """What is in memory."""
        flying = self._flying is not None and not self._flying.done()
        return len(self._filling) + (PART_BYTES if flying else 0)

    async def _open(self) -> None:
        """Reads the tail back, with which the next part begins; not before there are bytes to come after it."""
        if self._opened:
            return
        tail = bytearray()
        if self.upload.tail_bytes:
            async for chunk in self._store.read(self.upload.tail_key):
                tail += chunk
        self._filling += tail
        self._head = bytes(tail[:SNIFF_BYTES])
        self._opened = True

    async def take(self, chunk: bytes) -> None:
        """Counts bytes, and sends them on once they fill a part.

        Raises:
            MediaError: MEDIA_TOO_LARGE, past the declared end: nothing of this chunk was taken; UNAVAILABLE.
            RefusedError, LostError.
        """
        await self._open()
        if self._taken + len(chunk) > self.upload.size_bytes:
            raise past_end(self.upload)
        if self._hash is not None:
            self._hash.update(chunk)
        self._taken += len(chunk)
        self._filling += chunk
        self._head += chunk[: SNIFF_BYTES - len(self._head)]
        if self._digest is None:
            await self._look()
        while len(self._filling) >= PART_BYTES:
            await self._send(PART_BYTES)

    async def keep(self, *, whole: bool, seal: bool = False) -> Upload:
        """Makes durable what was taken, and lets go of the upload, unless all of it is here and to be sealed.

        Args:
            whole: The client sent all it wanted to send.   seal: it is done with the upload if that was its end.

        Raises:
            MediaError: CHECKSUM_MISMATCH, and nothing of the piece is kept; UNAVAILABLE. RefusedError, LostError.
        """
        await self.settle()
        await self._land()
        if whole:
            await self._open()
        if not self._opened or (self._digest is not None and not whole):
            return await self._commit(Upload.released, wake=True)
        if not self._agrees():
            await self.leave()
            raise MediaError(Code.CHECKSUM_MISMATCH, upload_id=self.upload.upload_id)
        self._digest = None
        await self._look()
        final = seal and whole and self._taken == self.upload.size_bytes and not self.upload.partial
        if self._filling and (len(self._filling) >= LEAST_PART_BYTES or (final and self.upload.multipart_id)):
            await self._send(len(self._filling))
            await self._land()
        tail_key = await self._put_tail()

        def kept(row: Upload) -> Upload:
            return replace(self._now(row, tail_key), finishing=row.finishing or final)

        return await self._commit(kept if final else lambda row: kept(row).released(), wake=not final)

    async def leave(self) -> None:
        """Lets go of the upload as it was last stored. Raises: MediaError UNAVAILABLE, LostError."""
        await self.settle()
        await self._commit(Upload.released, wake=True)

    async def settle(self) -> None:
        """Waits for whatever is under way, however it ends, so that nothing arrives after it was undone."""
        # Shielded: who is cancelled while it waits must not end what it waits for.
        await asyncio.shield(asyncio.gather(*self._unfinished, return_exceptions=True))

    async def _look(self) -> None:
        """As soon as the first bytes are here: what is not taken is not stored to its end."""
        enough = len(self._head) >= SNIFF_BYTES or self._taken == self.upload.size_bytes
        if self._content_type or self.upload.partial or not enough:
            return
        try:
            format_ = await recognise(self._opinion, self._head)
            check_format(self.upload, format_)
        except MediaError as error:
            raise RefusedError(error) from error
        self._content_type = format_.content_type

    async def _send(self, size: int) -> None:
        await self._land()
        number = self.upload.next_part
        if number > MOST_PARTS:
            raise MediaError(Code.UPLOAD_EXPIRED, upload_id=self.upload.upload_id, reason="interrupted too often")
        if not self.upload.multipart_id:
            await asyncio.shield(self._task(self._begin()))
        await self._commit(lambda row: replace(row, next_part=number + 1))
        data = bytes(memoryview(self._filling)[:size])
        del self._filling[:size]
        self._flying = self._task(self._put(number, data))

    async def _begin(self) -> None:
        """Its id is stored before anything goes there; if it cannot be, it ends at once."""
        key = self.upload.quarantine_key
        multipart_id = await self._store.start_multipart(key, self._content_type or _ANY_TYPE)
        try:
            await self._commit(lambda row: replace(row, multipart_id=multipart_id))
        except LostError:
            await self._store.abort(key, multipart_id)
            raise

    async def _put(self, number: int, data: bytes) -> Part:
        upload = self.upload
        try:
            etag = await self._store.put_part(upload.quarantine_key, upload.multipart_id, number, data)
        except MediaError as exc:
            if exc.code is not Code.NOT_FOUND:
                raise
            raise MediaError(Code.UNAVAILABLE, why=f"{upload.upload_id}: its parts are gone") from exc
        return Part(number, etag, len(data))

    async def _land(self) -> None:
        if self._flying is None:
            return
        part = await asyncio.shield(self._flying)
        self._parts.append(part)
        self._flying = None
        if self._digest is None:
            await self._commit(lambda row: self._now(row, ""))

    def _now(self, row: Upload, tail_key: str) -> Upload:
        """What is stored, as it stands: told twice it is the same."""
        tail_bytes = len(self._filling) if tail_key else 0
        return replace(
            row,
            parts=tuple(self._parts),
            tail_key=tail_key,
            tail_bytes=tail_bytes,
            content_type=self._content_type,
        )

    async def _put_tail(self) -> str:
        """Stores what fills no part. Returns its key, "" where there is nothing."""
        if not self._filling:
            return ""
        if len(self._parts) == len(self.upload.parts) and len(self._filling) == self.upload.tail_bytes:
            return self.upload.tail_key
        key = f"{self.upload.media_id}/{self._new_id('tail')}"
        data = bytes(self._filling)
        await asyncio.shield(self._task(self._store.put(key, data, self._content_type or _ANY_TYPE)))
        return key

    def _agrees(self) -> bool:
        if self._digest is None or self._hash is None:
            return True
        return hmac.compare_digest(self._hash.digest(), self._digest.value)

    async def _commit(self, change: Callable[[Upload], Upload], *, wake: bool = False) -> Upload:
        def fenced(row: Upload, now: object) -> UploadChange | None:
            if row.epoch != self.upload.epoch or row.phase is not Phase.RECEIVING:
                return None
            return UploadChange(upload=change(row), wake=wake)

        before = self.upload
        done = await self._table.change(UploadRef(before.workspace_id, before.upload_id), fenced)
        if done is None:
            raise LostError(before.upload_id)
        self.upload = done
        if before.tail_key and before.tail_key != done.tail_key:
            await self._forget(before.tail_key)
        return done

    async def _forget(self, tail_key: str) -> None:
        try:
            await self._store.delete(tail_key)
        except MediaError as exc:  # It goes with the rest, at the end.
            log.warning("old tail stays for now", extra={"upload_id": self.upload.upload_id, "code": exc.code})

    def _task(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """A task of its own: a request to the store cannot be called back, so `settle` has to see it end."""
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return task

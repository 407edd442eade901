"""Uploads in pieces: begun, asked about, added to, ended."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.ingest.app.admitting import Door, Place
from services.ingest.app.guarding import ended, first, guard, until
from services.ingest.app.piecing import LostError, RefusedError, Writer
from services.ingest.app.sealing import Sealing, drop
from services.ingest.app.stretching import Whole, stretched
from services.ingest.app.turns import Turn
from services.ingest.domain import texts
from services.ingest.domain import upload as rules
from services.ingest.domain.formats import Kind
from services.ingest.domain.upload import LIFETIME, Phase, Piece, Refusal, Upload
from services.ingest.ports import SecondOpinion, Store, UploadChange, UploadRef, UploadTable, Wakeups

log = logging.getLogger(__name__)

LATE_S = 60.0  # a request to the store that was under way when an upload ended is over by then
_UPLOAD_ID = re.compile(r"upl_[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client says of a file before its first byte."""

    filename: str
    size_bytes: int
    kind: Kind | None = None
    alt_text: str | None = None
    sha256: str = ""
    partial: bool = False


class Resuming:
    """The use cases of CreateUpload, GetUpload, AppendUpload and DeleteUpload."""

    def __init__(
        self,
        table: UploadTable,
        quarantine: Store,
        opinion: SecondOpinion,
        wakeups: Wakeups,
        sealing: Sealing,
        door: Door,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[str], str],
    ) -> None:
        self._table = table
        self._store = quarantine
        self._opinion = opinion
        self._wakeups = wakeups
        self._sealing = sealing
        self._door = door
        self._now = now
        self._new_id = new_id

    async def create(self, caller: CallContext, wanted: Wanted) -> Upload:
        """Begins an upload, which takes its place and its bytes of the quota from here on.

        Raises:
            MediaError: MEDIA_TOO_LARGE, MEDIA_EMPTY, INVALID_REQUEST, QUOTA_EXCEEDED, SCANNER_UNAVAILABLE,
                UPSTREAM_BUSY.
        """
        rules.check_declared(wanted.size_bytes, wanted.kind, wanted.sha256)
        alt_text = texts.check_alt_text(wanted.alt_text)
        await self._door.admit(caller.workspace_id)
        now, media_id = self._now(), self._new_id("med")
        upload = Upload(
            workspace_id=caller.workspace_id,
            upload_id=self._new_id("upl"),
            media_id=media_id,
            size_bytes=wanted.size_bytes,
            filename=texts.clean_filename(wanted.filename),
            alt_text=alt_text,
            kind=wanted.kind,
            sha256=wanted.sha256,
            partial=wanted.partial,
            plan=caller.plan,
            request_id=caller.request_id,
            quarantine_key=f"{media_id}/{self._new_id('obj')}",
            created_at=now,
            expires_at=now + LIFETIME,
        )
        await self._table.add(upload, quota=self._door.quota(caller.plan))
        return upload

    async def get(self, ref: UploadRef) -> Upload:
        """As it stands, refused ones too. Raises MediaError: UPLOAD_NOT_FOUND, UPLOAD_EXPIRED."""
        upload = await self._table.find(known(ref))
        if upload is None:
            raise rules.unknown(ref.upload_id)
        if upload.phase is not Phase.REJECTED:
            rules.check_alive(upload, self._now())
        return upload

    async def delete(self, ref: UploadRef) -> None:
        """No byte more. A media item it has become is none of its business. Raises MediaError: UPLOAD_NOT_FOUND."""
        held = False

        def step(row: Upload, now: datetime) -> UploadChange:
            nonlocal held
            if row.phase is Phase.DELETED:
                raise rules.unknown(row.upload_id)
            held = row.held(now)
            return UploadChange(upload=row.end(Phase.DELETED, now + timedelta(seconds=LATE_S)), wake=held)

        gone = await self._table.change(known(ref), step)
        if gone is None:
            raise rules.unknown(ref.upload_id)
        if gone.in_store and not held:  # else whoever writes finds out, and cleans up when its requests are over
            await self._drop(gone)

    async def append(self, ref: UploadRef, piece: Piece, body: AsyncIterator[bytes | Whole]) -> Upload:
        """Takes bytes at the end of what is here, and seals the upload once all are.

        The newest request writes: an older one is asked to store what it has and to leave, or is fenced off. What
        comes back as the offset is durable, and so is what a cut-off body brought unless the piece has a digest.

        Raises:
            MediaError: UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_COMPLETE, UPLOAD_OFFSET_CONFLICT with the true
                offset, UPLOAD_LOCKED for the older of two; LENGTH_MISMATCH, MEDIA_TOO_LARGE, CHECKSUM_MISMATCH;
                MEDIA_TYPE_UNSUPPORTED, MEDIA_TYPE_MISMATCH, and then for ever; UPSTREAM_BUSY, UNAVAILABLE.
        """
        with self._wakeups.watch(known(ref).upload_id) as woken:
            upload, taken = await self._claim(ref, piece, woken)
            if not taken:
                return upload
            writer = Writer(self._table, self._store, self._opinion, upload, new_id=self._new_id, digest=piece.digest)
            try:
                with self._door.place() as place:
                    return await self._write(self._receive(writer, piece, body, place), writer, woken)
            except MediaError as error:
                if error.code is Code.UPSTREAM_BUSY:
                    await self._leave(writer)
                raise

    async def concat(self, caller: CallContext, upload_ids: Sequence[str], wanted: Wanted) -> Upload:
        """Puts partial uploads together to a file, as if it had come at once. They stay until their time is over, so
        that whoever heard no answer may ask again.

        Raises:
            MediaError: as `get`, `create` and `append`; INVALID_REQUEST, one of them is not partial, or not whole.
        """
        stretches = [await self.get(UploadRef(caller.workspace_id, upload_id)) for upload_id in upload_ids]
        size_bytes = rules.check_stretches(stretches)
        upload = await self.create(caller, replace(wanted, size_bytes=size_bytes))
        return await self.append(_ref(upload), Piece(offset=0), stretched(self._store, stretches))

    async def finish(self, ref: UploadRef) -> None:
        """Seals an upload whose writer died before it could."""
        await self.append(ref, Piece(), _nothing())

    async def _claim(self, ref: UploadRef, piece: Piece, woken: asyncio.Event) -> tuple[Upload, bool]:
        """The upload, and whether this request now writes to it."""
        began = asyncio.get_running_loop().time()
        while True:
            woken.clear()
            waited_s = asyncio.get_running_loop().time() - began
            turn = Turn(piece, waited_s)
            upload = await self._table.change(ref, turn.step)
            if turn.seen is None:
                raise rules.unknown(ref.upload_id)
            if turn.taken and upload is not None:
                return upload, True
            if not turn.waits:
                return turn.seen, False
            await until(woken, 0.5)

    async def _write(
        self, receiving: Coroutine[object, object, Upload], writer: Writer, woken: asyncio.Event
    ) -> Upload:
        work = asyncio.create_task(receiving)
        guarding = asyncio.create_task(guard(self._table, writer.upload, woken))
        try:
            return await first(work, guarding, writer)
        except LostError as exc:
            await writer.settle()
            raise await self._why(writer.upload) from exc
        except RefusedError as refused:
            await writer.settle()
            await self._reject(writer.upload, refused.error)
            raise refused.error from refused
        except asyncio.CancelledError:
            await ended(work)
            await asyncio.shield(self._keep(writer))
            raise
        except MediaError as error:
            if await self._keep(writer):
                raise
            raise await self._why(writer.upload) from error
        finally:
            await ended(work)
            await ended(guarding)

    async def _receive(self, writer: Writer, piece: Piece, body: AsyncIterator[bytes | Whole], place: Place) -> Upload:
        whole = False
        async for chunk in body:
            if isinstance(chunk, Whole):
                whole = True
                break
            await writer.take(chunk)
            await place.holds(writer.held_bytes)
        upload = await writer.keep(whole=whole or piece.offset is None, seal=not piece.open)
        return await self._sealing.seal(upload) if upload.finishing else upload

    async def _keep(self, writer: Writer) -> bool:
        """Stores what arrived before it broke off, where it can. False: the upload is another's, or over."""
        try:
            await writer.keep(whole=False)
        except LostError:
            return False
        except (MediaError, RefusedError) as exc:
            log.info("piece not kept", extra={"upload_id": writer.upload.upload_id, "why": str(exc)})
            return await self._leave(writer)
        return True

    async def _leave(self, writer: Writer) -> bool:
        """False: it had been lost already."""
        try:
            await writer.leave()
        except LostError:
            return False
        except MediaError as exc:  # The lease runs out, and who comes next need not even wait for that.
            log.info("lease not ended", extra={"upload_id": writer.upload.upload_id, "why": str(exc)})
        return True

    async def _reject(self, upload: Upload, error: MediaError) -> None:
        def step(row: Upload, now: datetime) -> UploadChange | None:
            if row.epoch != upload.epoch or row.phase is not Phase.RECEIVING:
                return None
            refused = row.reject(Refusal(error.code, error.details), now + timedelta(seconds=LATE_S))
            return UploadChange(upload=refused, wake=True)

        refused = await self._table.change(_ref(upload), step)
        if refused is not None:
            await self._drop(refused)

    async def _why(self, upload: Upload) -> MediaError:
        """Why a writer lost its upload; if it is over, its last bytes go now."""
        row = await self._table.find(_ref(upload))
        if row is None:
            return rules.unknown(upload.upload_id)
        if row.phase in rules.ENDED:
            await self._drop(row)
        try:
            rules.check_alive(row, self._now())
        except MediaError as error:
            return error
        return rules.locked(row)

    async def _drop(self, upload: Upload) -> None:
        try:
            await drop(self._store, upload)
        except MediaError as exc:
            log.warning("left for the sweeper", extra={"upload_id": upload.upload_id, "code": exc.code})


def known(ref: UploadRef) -> UploadRef:
    """The same, unless it cannot be one of ours. Raises MediaError: UPLOAD_NOT_FOUND."""
    if not _UPLOAD_ID.fullmatch(ref.upload_id):
        raise rules.unknown(ref.upload_id)
    return ref


def _ref(upload: Upload) -> UploadRef:
    return UploadRef(upload.workspace_id, upload.upload_id)


async def _nothing() -> AsyncIterator[bytes | Whole]:
    yield Whole()

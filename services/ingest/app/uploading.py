"""Takes one upload in: admits, recognises, stores, seals. Until it is sealed nothing of it stays."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.ingest.app.admitting import Door, Place, recognise
from services.ingest.app.frames import End, Frame, Frames, Start
from services.ingest.app.intake import Intake
from services.ingest.app.judging import LEASE_S as VERDICT_LEASE_S
from services.ingest.app.prompting import Prompt
from services.ingest.domain import texts
from services.ingest.domain.formats import Format
from services.ingest.domain.media import GONE, Media, Sealed, State, expiry
from services.ingest.domain.quotas import Quota
from services.ingest.ports import Announcement, Change, MediaTable, Ref, Row, SecondOpinion, Store

log = logging.getLogger(__name__)

# A writer that says nothing for this long is gone: twice the longest pause a client may make.
LEASE_S = 60.0
SEALED_GRACE_S = 2.0  # unless it is sought here, the event drives the scan; after this the sweeper does
SAME_REQUEST_FOR = timedelta(hours=24)  # as long as an idempotency key means anything


class Uploading:
    """The use case of UploadMedia."""

    def __init__(
        self,
        table: MediaTable,
        quarantine: Store,
        opinion: SecondOpinion,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[str], str],
        door: Door,
        prompt: Prompt,
    ) -> None:
        self._table = table
        self._store = quarantine
        self._opinion = opinion
        self._now = now
        self._new_id = new_id
        self._door = door
        self._prompt = prompt

    async def upload(self, caller: CallContext, stream: AsyncIterator[Frame]) -> Media:
        """Stores one file. Returns it sealed, its scan owed.

        Raises:
            MediaError: SCANNER_UNAVAILABLE and UPSTREAM_BUSY before a byte is read; MEDIA_MISSING_FILE, MEDIA_EMPTY,
                MEDIA_TYPE_UNSUPPORTED, MEDIA_TOO_LARGE, MEDIA_TYPE_MISMATCH, MULTIPART_MALFORMED, INVALID_REQUEST;
                QUOTA_EXCEEDED, with the first bytes or once the file is whole;
                UNAVAILABLE when a store is.
        """
        await self._door.admit(caller.workspace_id)
        with self._door.place() as place:
            frames = Frames(stream)
            start = await frames.start()
            head = await frames.head()
            format_ = await recognise(self._opinion, head)
            media = self._draft(caller, start, format_)
            intake = Intake(self._store, media.quarantine_key, format_)
            intake.take(head)
            writer = _Writer(self._table, intake, media, place, self._now)
            return await self._store_and_seal(writer, frames, format_, self._door.quota(caller.plan))

    def _draft(self, caller: CallContext, start: Start, format_: Format) -> Media:
        media_id, now = self._new_id("med"), self._now()
        return Media(
            workspace_id=caller.workspace_id,
            media_id=media_id,
            state=State.RECEIVING,
            kind=format_.kind,
            content_type=format_.content_type,
            filename=texts.clean_filename(start.filename),
            quarantine_key=f"{media_id}/{self._new_id('obj')}",
            active_key=f"sources/{media_id}/{self._new_id('obj')}",
            created_at=now,
            expires_at=expiry(now, caller.plan),
            request_id=caller.request_id,
            idempotency_key=caller.idempotency_key,
        )

    async def _store_and_seal(self, writer: "_Writer", frames: Frames, format_: Format, quota: Quota) -> Media:
        """The row is there before the bytes are, so that a crash leaves nothing nobody knows of."""
        intake, media = writer.intake, writer.media
        await self._table.add(media, lease_s=LEASE_S, quota=quota)
        sealed = None
        try:
            while (chunk := await frames.chunk()) is not None:
                intake.take(chunk)
                await writer.advance()
            alt_text = _agreed(frames.end, format_)
            if (twin := await self._twin(media, intake.sha256())) is not None:
                return twin
            await writer.advance()
            stored = await intake.finish()
            about = Sealed(media.quarantine_key, stored.etag, stored.size, intake.sha256())
            sealed = await self._seal(media, about, alt_text, quota)
            return sealed
        finally:
            if sealed is None:
                # Shielded: the caller going away is what most often ends an upload here.
                await asyncio.shield(self._undo(intake, writer.media))

    async def _twin(self, media: Media, sha256: str) -> Media | None:
        """Whoever asked before may have died between storing the file and hearing so."""
        if media.idempotency_key is None:
            return None
        return await self._table.twin(media, sha256, media.created_at - SAME_REQUEST_FOR)

    async def _seal(self, media: Media, sealed: Sealed, alt_text: str | None, quota: Quota) -> Media:
        with self._prompt.seat() as seat:

            def seal(row: Row) -> Change | None:
                if row.media.state is not State.RECEIVING or row.media.epoch != media.epoch:
                    return None
                after = row.media.seal(sealed, alt_text)
                due_at = row.now + timedelta(seconds=SEALED_GRACE_S)
                if seat is not None:
                    return Change(media=after, release=False, lease_s=VERDICT_LEASE_S, due_at=due_at, quota=quota)
                return Change(media=after, announce=(Announcement.SEALED,), due_at=due_at, quota=quota)

            done = await self._table.change(Ref(media.workspace_id, media.media_id), seal)
            if done is None:
                raise MediaError(Code.UNAVAILABLE, why="the upload took so long that it was given up")
            log.info("sealed", extra={"media_id": media.media_id, "size_bytes": sealed.size_bytes})
            if seat is not None:
                seat.take(done)
        return done

    async def _undo(self, intake: Intake, media: Media) -> None:
        """Leaves nothing behind; where even that fails, the sweeper does it once the lease is over."""
        await intake.settle()
        try:
            await undo(self._table, self._store, replace(media, multipart_id=intake.multipart_id))
        except MediaError as exc:
            log.warning("left for the sweeper", extra={"media_id": media.media_id, "code": exc.code})


async def undo(table: MediaTable, store: Store, media: Media) -> None:
    """Removes an upload that was never sealed: its parts, its object, its row."""
    known = await table.find(Ref(media.workspace_id, media.media_id))
    if known is not None and known.state not in GONE | {State.RECEIVING}:
        return  # sealed after all: the commit arrived, only its answer did not
    if media.multipart_id:
        await store.abort(media.quarantine_key, media.multipart_id)
    await store.delete(media.quarantine_key)
    await table.discard(media)


class _Writer:
    """Moves bytes on, and keeps saying that somebody is still at it."""

    def __init__(
        self, table: MediaTable, intake: Intake, media: Media, place: Place, now: Callable[[], datetime]
    ) -> None:
        self._table = table
        self._place = place
        self._now = now
        self._told_at = media.created_at
        self.intake = intake
        self.media = media

    async def advance(self) -> None:
        await self._place.holds(self.intake.held_bytes)
        if self.intake.wants_multipart:
            self.media = replace(self.media, multipart_id=await self.intake.start_multipart())
            await self._renew()
        elif self._now() - self._told_at > timedelta(seconds=LEASE_S / 4):
            await self._renew()
        await self.intake.flush()

    async def _renew(self) -> None:
        self._told_at = self._now()
        if not await self._table.renew(self.media, lease_s=LEASE_S):
            raise MediaError(Code.UNAVAILABLE, why="the upload was given up")


def _agreed(end: End, format_: Format) -> str | None:
    if end.kind is not None and end.kind is not format_.kind:
        raise MediaError(Code.MEDIA_TYPE_MISMATCH, kind=str(end.kind), found=format_.content_type)
    return texts.check_alt_text(end.alt_text)

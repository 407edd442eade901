"""The end of an upload in pieces: one object, checked, and from there the way of every other file."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from services.common.errors import Code, MediaError
from services.ingest.app.judging import digest
from services.ingest.app.piecing import LostError, RefusedError
from services.ingest.app.uploading import SEALED_GRACE_S
from services.ingest.domain.formats import BY_CONTENT_TYPE
from services.ingest.domain.media import Media, Sealed, State, expiry
from services.ingest.domain.upload import Phase, Upload
from services.ingest.ports import Store, Stored, UploadChange, UploadRef, UploadTable

log = logging.getLogger(__name__)


class Sealing:
    """Makes a media item of a whole upload. Each step may be the last before a crash; the next try finds it done."""

    def __init__(
        self, table: UploadTable, store: Store, *, now: Callable[[], datetime], new_id: Callable[[str], str]
    ) -> None:
        self._table = table
        self._store = store
        self._now = now
        self._new_id = new_id

    async def seal(self, upload: Upload) -> Upload:
        """The upload, complete: its item is there, and its scan owed. The caller holds its epoch.

        Raises:
            RefusedError: CHECKSUM_MISMATCH, the file is not the declared one. LostError: not ours any more.
            MediaError: UNAVAILABLE.
        """
        key, stored = await self._object(upload)
        sha256 = await digest(self._store.read(key, if_match=stored.etag))
        if upload.sha256 and sha256 != upload.sha256:
            raise RefusedError(MediaError(Code.CHECKSUM_MISMATCH, upload_id=upload.upload_id, found=sha256))
        media = self._draft(upload).seal(Sealed(key, stored.etag, stored.size, sha256), upload.alt_text)

        def complete(row: Upload, now: datetime) -> UploadChange | None:
            if row.epoch != upload.epoch or row.phase is not Phase.RECEIVING:
                return None
            done = replace(row.released(), phase=Phase.COMPLETE, finishing=False, in_store=False, due_at=None)
            return UploadChange(upload=done, sealed=media, scan_at=now + timedelta(seconds=SEALED_GRACE_S), wake=True)

        done = await self._table.change(UploadRef(upload.workspace_id, upload.upload_id), complete)
        if done is None:
            raise LostError(upload.upload_id)
        log.info("sealed", extra={"media_id": media.media_id, "size_bytes": stored.size})
        return done

    async def _object(self, upload: Upload) -> tuple[str, Stored]:
        """A file of no part is its tail; else its parts become the object, or have become it before a crash."""
        key = upload.quarantine_key if upload.multipart_id else upload.tail_key
        stored: Stored | None = None
        if upload.multipart_id:
            parts = [(part.number, part.etag) for part in upload.parts]
            try:
                stored = await self._store.complete(key, upload.multipart_id, parts)
            except MediaError as exc:
                if exc.code is not Code.NOT_FOUND:
                    raise
            # A writer killed between starting one and noting it leaves it open.
            await self._store.abort_all(f"{upload.media_id}/")
        stored = stored or await self._store.head(key)
        if stored is None or stored.size != upload.size_bytes:
            raise MediaError(Code.UNAVAILABLE, why=f"{upload.size_bytes} bytes written, {stored} stored")
        return key, stored

    def _draft(self, upload: Upload) -> Media:
        now = self._now()
        return Media(
            workspace_id=upload.workspace_id,
            media_id=upload.media_id,
            state=State.RECEIVING,
            kind=BY_CONTENT_TYPE[upload.content_type].kind,
            content_type=upload.content_type,
            filename=upload.filename,
            quarantine_key=upload.quarantine_key,
            active_key=f"sources/{upload.media_id}/{self._new_id('obj')}",
            created_at=now,
            expires_at=expiry(now, upload.plan),
            request_id=upload.request_id,
        )


async def drop(store: Store, upload: Upload) -> None:
    """Removes every byte of an upload that will never be sealed, those of a writer that died unseen too."""
    if upload.multipart_id:
        await store.abort(upload.quarantine_key, upload.multipart_id)
    await store.abort_all(f"{upload.media_id}/")
    await store.delete_prefix(f"{upload.media_id}/")

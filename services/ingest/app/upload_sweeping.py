"""Drives on uploads in pieces that nobody drives: whole but unsealed, past their time, or ended with bytes left."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.ingest.app.resuming import LATE_S, Resuming
from services.ingest.app.sealing import drop
from services.ingest.app.sweeping import BATCH, each
from services.ingest.domain.upload import ENDED, Phase, Upload
from services.ingest.ports import Store, UploadChange, UploadChores, UploadRef, UploadTable

# A whole upload is sealed whenever it was begun; one that cannot be sealed for so long never will be.
SEALING_GRACE = timedelta(hours=1)


class UploadSweeping:
    """Each method is one round of one chore, for `Runtime.every`."""

    def __init__(self, table: UploadTable, chores: UploadChores, quarantine: Store, resuming: Resuming) -> None:
        self._table = table
        self._chores = chores
        self._store = quarantine
        self._resuming = resuming

    async def unsealed(self) -> None:
        """All bytes were acknowledged, and whoever was to seal them died."""
        await each(await self._chores.unsealed(BATCH), self._resuming.finish)

    async def ended(self) -> None:
        """Uploads past their time, and what ended ones left behind."""
        await each(await self._chores.overdue(BATCH), self._expire)
        await each(await self._chores.spent(BATCH), self._sweep)
        await self._chores.forget()

    async def _expire(self, ref: UploadRef) -> None:
        def step(row: Upload, now: datetime) -> UploadChange | None:
            grace = SEALING_GRACE if row.finishing else timedelta()
            if row.phase is not Phase.RECEIVING or row.held(now) or row.expires_at + grace > now:
                return None
            return UploadChange(upload=row.end(Phase.EXPIRED, now + timedelta(seconds=LATE_S)))

        expired = await self._table.change(ref, step)
        if expired is not None:
            await drop(self._store, expired)

    async def _sweep(self, upload: Upload) -> None:
        """Again, once no request that was under way at the end can still be."""
        await drop(self._store, upload)

        def step(row: Upload, now: datetime) -> UploadChange | None:
            return UploadChange(upload=replace(row, in_store=False)) if row.phase in ENDED else None

        await self._table.change(UploadRef(upload.workspace_id, upload.upload_id), step)

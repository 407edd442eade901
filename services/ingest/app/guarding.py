"""A writer's lease: kept while it writes, and the writing ended when somebody else wants the upload."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from services.common.errors import MediaError
from services.ingest.app.piecing import LEASE_S, LostError, Writer
from services.ingest.domain.upload import Upload
from services.ingest.ports import UploadChange, UploadRef, UploadTable

log = logging.getLogger(__name__)

T = TypeVar("T")


async def guard(table: UploadTable, upload: Upload, woken: asyncio.Event) -> bool:
    """Keeps the lease. Returns once the writer has to leave: True, in order; False, it has been fenced off."""
    left = False

    def renew(row: Upload, now: datetime) -> UploadChange | None:
        nonlocal left
        left = row.epoch == upload.epoch and row.lease_until is None
        if row.epoch != upload.epoch or left:
            return None
        return UploadChange(upload=replace(row, lease_until=now + timedelta(seconds=LEASE_S)))

    while not left:
        await until(woken, LEASE_S / 3)
        woken.clear()
        try:
            kept = await table.change(UploadRef(upload.workspace_id, upload.upload_id), renew)
        except MediaError as exc:  # What it stores meanwhile is fenced by the epoch, lease or not.
            log.warning("lease not renewed", extra={"upload_id": upload.upload_id, "code": exc.code})
            continue
        if kept is None and not left:
            return False
        if kept is not None and kept.stop_epoch == kept.epoch:
            return True
    never: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    return await never  # The writer left by itself: nothing to guard.


async def first(work: "asyncio.Task[Upload]", guarding: "asyncio.Task[bool]", writer: Writer) -> Upload:
    """What the work came to. Raises: what the work does; LostError, its guard saw that it has to end."""
    await asyncio.wait((work, guarding), return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        return work.result()
    await ended(work)
    if guarding.result():
        await writer.keep(whole=False)
    raise LostError(writer.upload.upload_id)


async def until(woken: asyncio.Event, within_s: float) -> None:
    """Waits for the event, or so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await woken.wait()


async def ended(task: "asyncio.Task[T]") -> None:
    """Cancels a task, and sees it end."""
    task.cancel()
    await asyncio.wait({task})

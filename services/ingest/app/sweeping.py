"""Drives on what ought to have moved by itself: events are lost, processes are killed, stores are away for a while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from services.common.errors import MediaError
from services.ingest.app.cleaning import Cleaning
from services.ingest.app.describing import Describing
from services.ingest.app.judging import PROMOTED_GRACE_S, Judging
from services.ingest.app.removing import Removing
from services.ingest.app.uploading import undo
from services.ingest.domain.media import EXPIRING_BEFORE, State, backoff_s
from services.ingest.ports import Announcement, Change, Chores, MediaTable, Ref, Row, Store

log = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 50
AT_ONCE = 4
REMIND_MOST_S = 600.0


class Sweeping:
    """Each method is one round of one chore, for `Runtime.every`."""

    def __init__(
        self,
        table: MediaTable,
        chores: Chores,
        quarantine: Store,
        judging: Judging,
        removing: Removing,
        describing: Describing,
        cleaning: Cleaning,
    ) -> None:
        self._table = table
        self._chores = chores
        self._quarantine = quarantine
        self._judging = judging
        self._removing = removing
        self._describing = describing
        self._cleaning = cleaning

    async def scans(self) -> None:
        """Verdicts that are owed: nobody asked, or the scanner was away, or whoever asked died."""
        due = await self._chores.due(State.SCANNING, BATCH)
        await each(due, self._judging.judge)

    async def renditions(self) -> None:
        """Tells the transcoder again of what it never answered."""
        due = await self._chores.due(State.PROCESSING, BATCH)
        await each(due, self._remind)
        await each(await self._chores.uncovered(BATCH), self._describing.remind)

    async def uploads(self) -> None:
        """Uploads whose writer died."""
        await each(await self._chores.abandoned(BATCH), self._abandon)

    async def expiries(self) -> None:
        """Items whose time is over or nearly so, and pins nobody ended."""
        await self._chores.forget_pins()
        await each(await self._chores.ending(BATCH, EXPIRING_BEFORE), self._removing.warn)
        await each(await self._chores.ended(BATCH), self._removing.expire)

    async def litter(self) -> None:
        """Bytes nothing needs any more."""
        await each(await self._chores.litter(BATCH), self._cleaning.sweep)

    async def _remind(self, ref: Ref) -> None:
        def step(row: Row) -> Change | None:
            if row.media.state is not State.PROCESSING or not row.due:
                return None
            media = replace(row.media, version=row.media.version + 1, tries=row.media.tries + 1)
            wait_s = backoff_s(media.tries + 1, first_s=PROMOTED_GRACE_S, most_s=REMIND_MOST_S)
            return Change(media=media, announce=(Announcement.PROMOTED,), due_at=row.now + timedelta(seconds=wait_s))

        await self._table.change(ref, step)

    async def _abandon(self, ref: Ref) -> None:
        # The claim's new epoch stops the writer, should it only have been slow.
        row = await self._table.claim(ref, State.RECEIVING, lease_s=60.0)
        if row is not None:
            await undo(self._table, self._quarantine, row.media)


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """A few at a time. One that fails must not keep the others waiting: it is due again in the next round."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with places:
            try:
                await work(item)
            except MediaError as exc:
                log.warning("left for the next round", extra={"code": exc.code, "why": str(exc)})

    await asyncio.gather(*(one(item) for item in items))

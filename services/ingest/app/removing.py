"""The end of an item: deleted by its owner or expired, held back only by pins."""

from datetime import datetime

from services.ingest.app.cleaning import Cleaning
from services.ingest.app.reading import known, unknown
from services.ingest.domain.media import GONE, Media, State
from services.ingest.ports import Announcement, Change, MediaTable, Ref, Row


class Removing:
    """The use cases of DeleteMedia, PinMedia, UnpinMedia and of expiry."""

    def __init__(self, table: MediaTable, cleaning: Cleaning) -> None:
        self._table = table
        self._cleaning = cleaning

    async def delete(self, ref: Ref) -> None:
        """From the answer on the item is unknown, and its URLs too unless a publish in flight still needs them.

        Raises:
            MediaError: MEDIA_NOT_FOUND.
        """
        before: list[Row] = []

        def step(row: Row) -> Change | None:
            if not row.media.visible(row.now):
                return None
            before.append(row)
            return _gone(row, State.DELETED)

        done = await self._table.change(known(ref), step)
        if done is None:
            raise unknown(ref)
        (row,) = before
        if row.media.state not in (State.RECEIVING, State.SCANNING):
            # There somebody may be writing right now; the sweeper comes when they are done.
            await self._cleaning.clean(done, pinned=row.pinned)

    async def expire(self, ref: Ref) -> None:
        """Ends an item whose time is over; a pin puts it off."""

        def step(row: Row) -> Change | None:
            due = row.media.expires_at <= row.now and row.media.state not in GONE and not row.pinned
            return _gone(row, State.EXPIRED) if due else None

        await self._table.change(ref, step)

    async def warn(self, ref: Ref) -> None:
        """Tells, once, that an item ends soon."""

        def step(row: Row) -> Change | None:
            if row.end_told or row.media.state is not State.READY or not row.media.ends_soon(row.now):
                return None
            # No claim and no sweeper is concerned.
            return Change(media=row.media, announce=(Announcement.EXPIRING,), release=False)

        await self._table.change(ref, step)

    async def pin(self, ref: Ref, holder: str, until: datetime) -> Media:
        """Raises MediaError: MEDIA_NOT_FOUND."""
        media = await self._table.pin(known(ref), holder, until)
        if media is None:
            raise unknown(ref)
        return media

    async def unpin(self, ref: Ref, holder: str) -> None:
        """Ends a pin, or finds it ended."""
        await self._table.unpin(known(ref), holder)


def _gone(row: Row, state: State) -> Change:
    announce = () if row.pinned else (Announcement.DELETED,)
    return Change(media=row.media.tombstone(state), announce=announce, due_at=row.now, release=False)

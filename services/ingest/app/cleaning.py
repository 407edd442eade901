"""Removes stored bytes that nothing needs any more."""

import logging

from services.common.errors import MediaError
from services.ingest.domain.media import GONE, Media, State, backoff_s
from services.ingest.ports import Announcement, Change, Chores, Litter, MediaTable, Ref, Row, Store

log = logging.getLogger(__name__)

AGAIN_FIRST_S, AGAIN_MOST_S = 60.0, 86_400.0
_UNSCANNED = frozenset((State.RECEIVING, State.SCANNING))
_USELESS = GONE | {State.REJECTED}


class Cleaning:
    """Deletes by state, never by count: what it is told to delete belongs to an item that can never need it again."""

    def __init__(self, table: MediaTable, chores: Chores, quarantine: Store, active: Store) -> None:
        self._table = table
        self._chores = chores
        self._quarantine = quarantine
        self._active = active

    async def clean(self, media: Media, *, pinned: bool = False) -> None:
        """What can go at once, right after a change. What cannot be deleted now stays for the sweeper."""
        quarantine = media.state not in _UNSCANNED
        active = media.state in _USELESS and not pinned
        if quarantine or active:
            await self.sweep(Litter(media, quarantine=quarantine, active=active))

    async def sweep(self, litter: Litter) -> None:
        """Deletes the bytes, notes that they are gone, and tells of a deletion that had to wait for its pins."""
        media = litter.media
        try:
            if litter.quarantine:
                await self._empty_quarantine(media)
            if litter.active:
                await self._empty_active(media)
            await self._chores.swept(media, quarantine=litter.quarantine, active=litter.active)
        except MediaError as exc:
            wait_s = backoff_s(media.tries + 1, first_s=AGAIN_FIRST_S, most_s=AGAIN_MOST_S)
            log.warning("bytes not deleted yet", extra={"media_id": media.media_id, "code": exc.code})
            await self._chores.put_off(media, wait_s)
            return
        if litter.active and media.state in GONE:
            await self._table.change(Ref(media.workspace_id, media.media_id), _tell)

    async def _empty_quarantine(self, media: Media) -> None:
        if media.multipart_id:
            await self._quarantine.abort(media.quarantine_key, media.multipart_id)
        await self._quarantine.delete_prefix(f"{media.media_id}/")

    async def _empty_active(self, media: Media) -> None:
        await self._active.delete_prefix(f"sources/{media.media_id}/")
        if media.state in GONE:
            # The transcoder is told too, but from the answer to a DELETE on no URL may work, told or not.
            await self._active.delete_prefix(f"cdn/{media.media_id}/")


def _tell(row: Row) -> Change | None:
    if row.deletion_told or row.pinned or row.media.state not in GONE:
        return None
    return Change(media=row.media, announce=(Announcement.DELETED,))

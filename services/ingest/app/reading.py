"""What callers ask about their media."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import Code, MediaError, Violation
from services.ingest.app.following import Following
from services.ingest.domain.formats import Kind
from services.ingest.domain.media import GONE, SETTLED, Media, State, read_range
from services.ingest.ports import MediaTable, Query, Ref, Store, Wakeups

POLL_S = 1.0  # a wakeup may be lost; this is then how late we are
WATCH_POLL_S = 5.0  # the same for those who listen for long, of whom there may be many
_MEDIA_ID = re.compile(r"med_[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first; `next_id` begins the next page, None on the last."""

    media: list[Media]
    next_id: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """Part of the original bytes. first and last are inclusive."""

    media: Media
    first: int
    last: int
    chunks: AsyncIterator[bytes]


class Reading:
    """The use cases of GetMedia, ListMedia, WatchMedia, DownloadSource, and the wait after an upload."""

    def __init__(self, table: MediaTable, active: Store, wakeups: Wakeups, *, now: Callable[[], datetime]) -> None:
        self._table = table
        self._active = active
        self._wakeups = wakeups
        self._now = now
        self.following = Following(wakeups, now=now)

    async def get(self, ref: Ref) -> Media:
        """Raises MediaError: MEDIA_NOT_FOUND."""
        media = await self._table.find(known(ref))
        if media is None or not media.visible(self._now()):
            raise unknown(ref)
        return media

    async def page(self, workspace_id: str, query: Query) -> Page:
        """Raises MediaError: INVALID_REQUEST, a cursor that is none of ours."""
        if query.before is not None and not _MEDIA_ID.fullmatch(query.before):
            raise MediaError(Code.INVALID_REQUEST, violations=(Violation("cursor", "Not a cursor of this list."),))
        rows = await self._table.page(workspace_id, query)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return Page(rows, rows[-1].media_id if more else None)

    async def settled(self, ref: Ref, wait_s: float) -> Media:
        """The item once there is something to say, or as it stands after `wait_s` seconds: an image when it is
        settled, a video at its verdict, since encoding one takes longer than a client should be kept waiting.

        Raises:
            MediaError: the bytes were refused, for the reason the item carries; MEDIA_NOT_FOUND, deleted meanwhile.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        with self._wakeups.watch(ref.media_id) as changed:
            while True:
                changed.clear()
                media = await self.get(ref)
                left_s = until - loop.time()
                if _worth_saying(media) or left_s <= 0:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, POLL_S)):
                        await changed.wait()
        if media.state is State.REJECTED and media.fault is not None:
            raise media.fault.to_error()
        return media

    async def changes(self, ref: Ref) -> AsyncIterator[tuple[Media, Mapping[str, int]]]:
        """The item now, with how far its films are, and again whenever that changed, for as long as anybody listens.

        Raises:
            MediaError: MEDIA_NOT_FOUND, from the beginning or since it is gone.
        """
        shown: tuple[Media, Mapping[str, int]] | None = None
        with self._wakeups.watch(ref.media_id) as changed:
            while True:
                changed.clear()
                now = (await self.get(ref), self.following.of(ref))
                if now != shown:
                    yield now
                    shown = now
                with suppress(TimeoutError):
                    async with asyncio.timeout(WATCH_POLL_S):
                        await changed.wait()

    async def source(self, ref: Ref, first: int | None, last: int | None) -> Source:
        """The owner's own bytes.

        Raises:
            MediaError: MEDIA_NOT_FOUND; MEDIA_NOT_READY, not scanned yet; MEDIA_REJECTED, they are gone;
                RANGE_NOT_SATISFIABLE.
        """
        media = await self.get(ref)
        if media.state in (State.RECEIVING, State.SCANNING):
            raise MediaError(Code.MEDIA_NOT_READY, media_id=ref.media_id)
        if media.state in GONE | {State.REJECTED} or not media.active_etag:
            raise MediaError(Code.MEDIA_REJECTED, media_id=ref.media_id)
        start, end = read_range(media.size_bytes, first, last)
        chunks = self._active.read(media.active_key, first=start, last=end, if_match=media.active_etag)
        return Source(media, start, end, chunks)


def _worth_saying(media: Media) -> bool:
    return media.state in SETTLED or (media.kind is Kind.VIDEO and media.state is State.PROCESSING)


def known(ref: Ref) -> Ref:
    """The same, unless it cannot be one of ours: no such text reaches the database.

    Raises:
        MediaError: MEDIA_NOT_FOUND.
    """
    if not _MEDIA_ID.fullmatch(ref.media_id):
        raise unknown(ref)
    return ref


def unknown(ref: Ref) -> MediaError:
    """The one answer for unknown, deleted, expired and somebody else's."""
    return MediaError(Code.MEDIA_NOT_FOUND, media_id=ref.media_id)

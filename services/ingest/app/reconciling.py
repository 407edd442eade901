"""Compares what is stored with what rows say: what no row needs is removed, what a row misses is told."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ingest.app.sweeping import each
from services.ingest.domain.reconciliation import IN_PARTS, PREFIX, Found, Place, item_of
from services.ingest.ports import ListedStore, Meter, Owed, Walk, Walks

log = logging.getLogger(__name__)

PAGE = 500
LEASE_S = 300.0
REST_S = 6 * 3600.0  # between two walks over the same place


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a walk. next: what the walk goes on after, "" at the end. seen_bytes: of all objects on it."""

    orphans: Sequence[Found]
    missing: Sequence[Owed]
    foreign: Sequence[str]
    next: str
    seen_bytes: int


class Reconciling:
    """Walks over both buckets a page at a time. Several processes may: each takes another place."""

    def __init__(
        self,
        walks: Walks,
        quarantine: ListedStore,
        active: ListedStore,
        meter: Meter,
        *,
        now: Callable[[], datetime],
        page: int = PAGE,
    ) -> None:
        self._walks = walks
        self._quarantine = quarantine
        self._active = active
        self._meter = meter
        self._now = now
        self._page = page

    async def round(self) -> None:
        """One page of the place that waited longest. A page that fails is due again once its lease is over."""
        walk = await self._walks.take(lease_s=LEASE_S)
        if walk is None:
            return
        page = await self.look(walk.place, walk.after)
        self._tell(walk.place, page)
        await each(page.orphans, lambda found: self._remove(walk.place, found))
        # Not what the row says by now: whoever repeats a page because a lease ended must not count it twice. A walk's
        # first page begins anew: a version that counts nothing may have ended the one before.
        seen_bytes = page.seen_bytes + (walk.seen_bytes if walk.after else 0)
        await self._walks.move(Walk(walk.place, page.next, seen_bytes), wait_s=0 if page.next else REST_S)

    async def look(self, place: Place, after: str) -> Page:
        """What is wrong on the next page; nothing is changed."""
        if place in IN_PARTS:
            uploads, following = await self._store(place).open_uploads(after, self._page)
            return await self._judged(place, [Found(*one) for one in uploads], (), following)
        objects = await self._store(place).page(PREFIX.get(place, ""), after, self._page)
        listed = [Found(key, changed_at, size_bytes=size) for key, changed_at, size in objects]
        last = listed[-1].key if len(listed) == self._page else ""
        missing, last = await self._missing(place, after, last, {found.key for found in listed})
        # Where rows were too many for one page, the objects behind the last one come with the next.
        return await self._judged(place, [found for found in listed if not last or found.key <= last], missing, last)

    async def _judged(self, place: Place, listed: Sequence[Found], missing: Sequence[Owed], following: str) -> Page:
        now = self._now()
        old = [found for found in listed if found.old(now)]
        items = {found.key: item for found in old if (item := item_of(found.key)) is not None}
        needed = await self._walks.needed(place, items) if items else ()
        return Page(
            orphans=[found for found in old if found.key in items and found.key not in needed],
            missing=missing,
            foreign=[found.key for found in old if found.key not in items],
            next=following,
            seen_bytes=sum(found.size_bytes for found in listed),
        )

    async def _missing(self, place: Place, after: str, last: str, keys: set[str]) -> tuple[list[Owed], str]:
        """What rows say is in this stretch and is not, and where the stretch ends."""
        owed = await self._walks.owed(place, after=after, last=last, limit=self._page)
        if len(owed) == self._page:
            last = owed[-1].key
        missing = [one for one in owed if one.key not in keys and await self._gone(place, one)]
        return missing, last

    async def _gone(self, place: Place, one: Owed) -> bool:
        """The list is older than the row: the object may have come since, or the row be done with it."""
        if await self._store(place).head(one.key) is not None:
            return False
        before = one.key[:-1]
        return one in await self._walks.owed(place, after=before, last=one.key, limit=self._page)

    async def _remove(self, place: Place, found: Found) -> None:
        store = self._store(place)
        if place in IN_PARTS:
            await store.abort(found.key, found.upload_id)
        else:
            await store.delete(found.key)
        self._meter.removed(place)
        log.info("orphan removed", extra={"place": place, "key": found.key})

    def _tell(self, place: Place, page: Page) -> None:
        self._meter.compared(place, len(page.orphans), len(page.missing), len(page.foreign))
        for one in page.missing:
            log.error("object missing", extra={"place": place, "media_id": one.ref.media_id, "key": one.key})
        for key in page.foreign:
            log.warning("a key of no stage's; left alone", extra={"place": place, "key": key})

    def _store(self, place: Place) -> ListedStore:
        return self._quarantine if place in (Place.QUARANTINE, Place.QUARANTINE_PARTS) else self._active

"""Long films in segments: whoever holds the item encodes one after the other, and whoever is idle helps.

Each is stored as soon as it is encoded, so that a process that dies costs one segment, not the film.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from services.common.claims import ClaimLostError, hold
from services.common.errors import Code, MediaError
from services.platforms import catalog
from services.transcoder.app.ending import to_the_end
from services.transcoder.app.fetching import fetch_source
from services.transcoder.domain import cutting
from services.transcoder.domain import item as rules
from services.transcoder.domain.item import Item
from services.transcoder.domain.segments import Cut, Encoded
from services.transcoder.domain.work import InputFault, Progress, untold
from services.transcoder.ports import Encoding, Engine, Meter, Onlookers, Ref, Scratch, Segments, Store, Taken, Wakeups

log = logging.getLogger(__name__)

LEASE_S = 15.0
LOOK_S = 1.0  # for segments whose claim ran out, which nobody tells of
LEFT_BATCH = 20
MP4 = "video/mp4"


class Segmenting:
    """Use cases around segments.

    Args:
        segment_s: See domain.cutting.cut.
    """

    def __init__(
        self,
        segments: Segments,
        wakeups: Wakeups,
        store: Store,
        engine: Engine,
        scratch: Scratch,
        onlookers: Onlookers,
        meter: Meter,
        *,
        segment_s: int,
    ) -> None:
        self._segments = segments
        self._wakeups = wakeups
        self._store = store
        self._engine = engine
        self._scratch = scratch
        self._onlookers = onlookers
        self._meter = meter
        self._segment_s = segment_s

    async def encode(self, item: Item, source: Path, presets: Sequence[str], folder: Path) -> Encoded | None:
        """Everything of a claimed item that is encoded for these presets, in segments. Returns when all are there.

        Args:
            source: Its bytes.   folder: Where the segments go; made if there are any.

        Returns:
            None: it is as well encoded at once.

        Raises:
            InputFault, MediaError: As the engine's.
        """
        cut = await self._cut(item, source, presets)
        if cut is None:
            return None
        await self._segments.open(item, presets, cut)
        with self._wakeups.watch(item.media_id) as changed:
            while True:
                changed.clear()
                found = await self._found(item, cut)
                if None not in found.values():
                    break
                taken = await self._segments.take(item, lease_s=LEASE_S)
                if taken is None:
                    await _while_unchanged(changed)
                    continue
                done = sum(one is not None for one in found.values())
                async with self._given_back(taken):
                    await self._make(taken, source, partial(self._tell, item, done, cut.of), by="holder")
        await self._fetch(item, found, folder)
        return Encoded(str(folder), cut.of, cut.seconds)

    async def take(self) -> Taken | None:
        """A segment to help with, whoever holds its item."""
        return await self._segments.help(lease_s=LEASE_S)

    async def help(self, taken: Taken) -> None:
        """Encodes and stores it. What goes wrong is left to the holder of its item."""
        try:
            async with self._given_back(taken), self._scratch.folder() as room:
                source = room.path / "source"
                await fetch_source(self._store, taken.item, source)
                await self._make(taken, source, untold, by="helper")
        except (InputFault, MediaError) as exc:
            log.warning("could not help", extra={**_named(taken), "why": str(exc)})

    async def litter(self) -> None:
        """A round of the chore: segments that were joined, or never will be."""
        for item in await self._segments.left(LEFT_BATCH):
            await self._store.delete_prefix(item.segments_prefix)
            await self._segments.forget(Ref(item.workspace_id, item.media_id))

    async def _cut(self, item: Item, source: Path, presets: Sequence[str]) -> Cut | None:
        found, known = item.finding, catalog.presets("video")
        if item.kind != "video" or found is None:
            return None
        cut = cutting.cut(self._segment_s, found.width, found.height, found.duration_s)
        if cut is None:
            return None
        async with self._scratch.folder() as folder:
            look = replace(rules.request(item, source, ()), thumbhash=False)
            result = await self._engine.run(look, folder.path, deadline_s=_deadline_s(item), progress=untold)
        return cut if cutting.pays([known[one] for one in presets if one in known], result.probe) else None

    async def _found(self, item: Item, cut: Cut) -> Mapping[int, Encoding | None]:
        found = await self._segments.find(item)
        if len(found) != cut.of:
            raise MediaError(Code.UNAVAILABLE, why=f"{len(found)} of {cut.of} segments are known")
        return found

    async def _make(self, taken: Taken, source: Path, progress: Progress, *, by: str) -> None:
        try:
            work, kept = self._encoded(taken, source, progress), partial(self._kept, taken)
            digests = await hold(work, kept, lease_s=LEASE_S, name=f"{taken.item.media_id}/{taken.segment.n}")
        except ClaimLostError:
            log.info("somebody else has the segment, or nobody needs it", extra=_named(taken))
            return
        if await self._segments.made(taken, digests):
            self._meter.segment(by)

    async def _encoded(self, taken: Taken, source: Path, progress: Progress) -> Sequence[str]:
        item = taken.item
        request = replace(rules.request(item, source, taken.presets), segment=taken.segment)
        async with self._scratch.folder() as folder:
            result = await self._engine.run(request, folder.path, deadline_s=_deadline_s(item), progress=progress)
            stored = [
                self._store.put_file(
                    _key(item, taken.segment.n, taken.epoch, one), await folder.output(f"{one}.mp4"), MP4
                )
                for one in result.segments
            ]
            await to_the_end(stored)
        return result.segments

    async def _kept(self, taken: Taken) -> bool:
        """As of an item's claim."""
        try:
            return await self._segments.renew(taken, lease_s=LEASE_S)
        except MediaError as exc:
            log.warning("claim not renewed", extra={**_named(taken), "why": str(exc)})
            return True

    @asynccontextmanager
    async def _given_back(self, taken: Taken) -> AsyncIterator[None]:
        """The claim, where the work breaks off."""
        try:
            yield
        except BaseException as exc:
            await self._segments.release(taken, tried=isinstance(exc, Exception))
            raise

    async def _fetch(self, item: Item, found: Mapping[int, Encoding | None], folder: Path) -> None:
        await asyncio.to_thread(folder.mkdir)
        for n, encoding in found.items():
            assert encoding is not None
            for digest in encoding.digests:
                key = _key(item, n, encoding.epoch, digest)
                stored = await self._store.head(key)
                if stored is None:
                    await self._segments.again(item)
                    raise MediaError(Code.UNAVAILABLE, why=f"{key} is gone")
                await self._store.fetch(key, folder / Encoded.name(n, digest), if_match=stored.etag)

    def _tell(self, item: Item, done: int, of: int, percent: Mapping[str, int]) -> None:
        through = {preset: (100 * done + one) // of for preset, one in percent.items()}
        self._onlookers.tell(Ref(item.workspace_id, item.media_id), through)


def _key(item: Item, n: int, epoch: int, digest: str) -> str:
    """Under the claim's epoch, so that whoever lost it overwrites nothing."""
    return f"{item.segments_prefix}{n}-{epoch}-{digest}.mp4"


def _deadline_s(item: Item) -> float:
    return rules.deadline_s(item.kind, item.source.size_bytes)


def _named(taken: Taken) -> dict[str, object]:
    return {"media_id": taken.item.media_id, "segment": taken.segment.n}


async def _while_unchanged(changed: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_S):
            await changed.wait()
    except TimeoutError:
        return

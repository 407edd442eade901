"""One job: everything pending of one item, from the stored source to the word that tells of it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from services.common.claims import ClaimLostError, hold
from services.common.errors import Code, MediaError
from services.transcoder.app.adopting import Adopting
from services.transcoder.app.ending import to_the_end
from services.transcoder.app.fetching import fetch_source
from services.transcoder.app.segmenting import Segmenting
from services.transcoder.domain import item as rules
from services.transcoder.domain.item import EXTENSIONS, Finding, Item, Variant
from services.transcoder.domain.work import InputFault, Rendition, Status, WorkRequest, WorkResult
from services.transcoder.ports import Change, Engine, Folder, Items, Meter, Onlookers, Ref, Scratch, Store, Wakeups

log = logging.getLogger(__name__)

LEASE_S = 15.0  # what a killed process delays an item by, at most


class Making:
    """The use case behind every claimed item."""

    def __init__(
        self,
        items: Items,
        wakeups: Wakeups,
        store: Store,
        engine: Engine,
        scratch: Scratch,
        onlookers: Onlookers,
        meter: Meter,
        segmenting: Segmenting,
    ) -> None:
        self._items = items
        self._wakeups = wakeups
        self._store = store
        self._engine = engine
        self._scratch = scratch
        self._onlookers = onlookers
        self._meter = meter
        self._segmenting = segmenting
        self._adopting = Adopting(items, store)

    async def make(self, item: Item, looked_at: Callable[[Item], None] = lambda item: None) -> None:
        """Takes a claimed item to its end, or notes when to try again. What is told is told in the same transaction.

        Args:
            looked_at: Told what is known of it, before what takes long.

        Raises:
            MediaError: UNAVAILABLE, not even that could be noted; the claim runs out.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome = await self._outcome(item, looked_at)
        elapsed_s = loop.time() - began
        self._meter.job(item.kind, outcome, elapsed_s)
        shown = {"media_id": item.media_id, "kind": item.kind, "outcome": outcome, "tries": item.tries}
        log.info("job ended", extra=shown | {"elapsed_s": round(elapsed_s, 3)})

    async def _outcome(self, item: Item, looked_at: Callable[[Item], None]) -> str:
        if item.tries > rules.MOST_TRIES:
            # Whoever worked at it died each time, and wrote nothing.
            return await self._give_up(item, Code.PROCESSING_FAILED, "its workers died")
        try:
            # A deletion ends the claim, and says so.
            with self._wakeups.watch(item.media_id) as changed:
                work, kept, lost = self._work(item, looked_at), partial(self._kept, item), partial(self._lost, item)
                return await hold(work, kept, lease_s=LEASE_S, name=item.media_id, changed=changed, lost=lost)
        except ClaimLostError:
            return await self._withdraw(item)
        except InputFault as fault:
            code = fault.code
            log.info("refused", extra={"media_id": item.media_id, "code": code, "detail": fault.detail})
            return await self._end(item, "refused", lambda row: row.refused(code))
        except MediaError as exc:
            if exc.code is Code.OBJECT_CHANGED:
                return await self._give_up(item, Code.OBJECT_CHANGED, str(exc))
            if item.tries >= rules.most_tries(exc.code):
                return await self._give_up(item, Code.PROCESSING_FAILED, str(exc))
            return await self._postpone(item, exc)
        except asyncio.CancelledError:
            await self._hand_back(item)
            raise

    async def _kept(self, item: Item) -> bool:
        """A database that is away takes nothing from us yet: what is written in the end is fenced all the same."""
        try:
            return await self._items.renew(item, lease_s=LEASE_S)
        except MediaError as exc:
            log.warning("claim not renewed", extra={"media_id": item.media_id, "why": str(exc)})
            return True

    async def _lost(self, item: Item) -> bool:
        """Whether somebody else has it, or nobody may."""
        try:
            row = await self._items.find(_ref(item))
        except MediaError as exc:
            log.warning("claim not looked at", extra={"media_id": item.media_id, "why": str(exc)})
            return False
        return row is None or row.gone or row.epoch != item.epoch

    async def _work(self, item: Item, looked_at: Callable[[Item], None]) -> str:
        adopted = await self._adopting.adopt(item)
        if adopted is not None:
            item = await self._forward(item, *adopted, last=False)
            for _ in adopted[1]:
                self._meter.variant("copied")
        if not item.pending:
            await self._write(item, lambda row: Change(item=row, release=True))
            return "copied"
        async with self._scratch.folder() as room:
            source = room.path / "source"
            await fetch_source(self._store, item, source)
            *first, last = rules.passes(item)
            for presets in first:
                item = await self._pass(item, rules.request(item, source, presets), last=False)
                looked_at(item)
            request = replace(rules.request(item, source, last), thumbhash=not first)
            encoded = await self._segmenting.encode(item, source, last, room.path / "segments")
            await self._pass(item, replace(request, encoded=encoded), last=True)
        return "made"

    async def _pass(self, item: Item, request: WorkRequest, *, last: bool) -> Item:
        deadline_s = rules.deadline_s(item.kind, item.source.size_bytes)
        async with self._scratch.folder() as folder:
            progress = partial(self._onlookers.tell, _ref(item))
            result = await self._engine.run(request, folder.path, deadline_s=deadline_s, progress=progress)
            if result.unjoinable:
                log.error("encoded at once", extra={"media_id": item.media_id, "why": result.unjoinable})
            variants = await self._store_all(item, folder, request.presets, result)
            done = await self._forward(item, _finding(item, result), variants, last=last)
        for one in variants:
            self._meter.variant(one.how or one.status or "failed")
        return done

    async def _store_all(self, item: Item, folder: Folder, presets: Sequence[str], result: WorkResult) -> list[Variant]:
        """Stores every distinct file once, and says what each preset became."""
        made = {one.preset: one for one in result.renditions}
        keys: dict[str, str] = {}
        new: list[tuple[str, str, str]] = []
        held = {one.key: one for one in item.variants.values() if one.key}
        for preset in presets:
            one = made.get(preset)
            if one is None or one.status is not Status.READY or one.file is None or one.file in keys:
                continue
            if one.content_type not in EXTENSIONS:
                raise MediaError(Code.INTERNAL, why=f"{preset} came out as {one.content_type}")
            keys[one.file] = key = item.key_for(preset, one.digest, one.content_type)
            if key not in held:
                new.append((key, one.file, one.content_type))
        await to_the_end([self._put(folder, *one) for one in new])
        await self._check_source(item, list(keys.values()))
        return [_variant(item.variants[preset], made.get(preset), keys, held) for preset in presets]

    async def _put(self, folder: Folder, key: str, file: str, content_type: str) -> None:
        await self._store.put_file(key, await folder.output(file), content_type)

    async def _check_source(self, item: Item, keys: Sequence[str]) -> None:
        """Ingest deletes a source together with what is served of it. Should the word of that be late, or lost, nothing
        may come after it."""
        found = await self._store.head(item.source.key)
        if found is None or found.etag != item.source.etag:
            for key in keys:
                await self._store.delete(key)
            raise MediaError(Code.UNAVAILABLE, why=f"{item.source.key} went in the meantime")

    async def _forward(self, item: Item, finding: Finding, variants: Sequence[Variant], *, last: bool) -> Item:
        def step(row: Item) -> Change:
            # Covers of a moment that was changed meanwhile stay to be made.
            same = row.cover_at_s == item.cover_at_s
            kept = [one for one in variants if same or not rules.is_cover(item.kind, one.preset)]
            return Change(item=row.made(finding, kept), tell=True, release=last, wait_s=0.0)

        return await self._write(item, step)

    async def _write(self, item: Item, make: Callable[[Item], Change]) -> Item:
        """Changes the item, which others may have touched since it was claimed, if the claim still holds."""

        def fenced(row: Item) -> Change | None:
            return make(row) if row.epoch == item.epoch and not row.gone else None

        done = await self._items.change(_ref(item), fenced)
        if done is None:
            raise ClaimLostError(item.media_id)
        return done

    async def _end(self, item: Item, outcome: str, ended: Callable[[Item], Item]) -> str:
        try:
            await self._write(item, lambda row: Change(item=ended(row), tell=True, release=True))
        except ClaimLostError:
            return await self._withdraw(item)
        return outcome

    async def _give_up(self, item: Item, code: Code, why: str) -> str:
        log.error("given up", extra={"media_id": item.media_id, "code": code, "tries": item.tries, "why": why})
        return await self._end(item, "failed", lambda row: row.failed(code))

    async def _postpone(self, item: Item, exc: MediaError) -> str:
        """Whatever went wrong, it was not the file."""
        log.warning("job postponed", extra={"media_id": item.media_id, "code": exc.code, "why": str(exc)})
        wait_s = rules.backoff_s(item.tries)
        try:
            await self._write(item, lambda row: Change(item=row, release=True, wait_s=wait_s))
        except ClaimLostError:
            return await self._withdraw(item)
        return "postponed"

    async def _hand_back(self, item: Item) -> None:
        """The process ends: somebody else shall go on, at once."""
        try:
            await self._write(item, lambda row: Change(item=row.untried(), release=True, wait_s=0.0))
        except ClaimLostError:
            await self._withdraw(item)

    async def _withdraw(self, item: Item) -> str:
        """Objects stored for an item that was deleted meanwhile must not stay."""
        known = await self._items.find(_ref(item))
        if known is None or known.gone:
            await self._store.delete_prefix(item.prefix)
        return "lost"


def _finding(item: Item, result: WorkResult) -> Finding:
    probe = result.probe
    return Finding(
        width=probe.width,
        height=probe.height,
        duration_s=probe.duration_s,
        has_audio=probe.has_audio,
        thumbhash=result.thumbhash or (item.finding.thumbhash if item.finding else ""),
        fit=result.fit,
        catalog=rules.catalog_digest(item.kind),
    )


def _variant(asked: Variant, made: Rendition | None, keys: Mapping[str, str], held: Mapping[str, Variant]) -> Variant:
    if made is None or (made.status is Status.READY and made.file is None):
        return replace(asked, status=Status.FAILED, reason=Code.PROCESSING_FAILED.value)
    key = keys[made.file] if made.status is Status.READY and made.file else None
    if key is not None and key in held:
        # A digest names what was done. An encoder that had more to do at once may have made other bytes of it, and
        # those that are served stay.
        return replace(held[key], preset=asked.preset, preset_digest=asked.preset_digest, eager=asked.eager)
    return replace(
        asked,
        status=made.status,
        how=made.how if key else None,
        digest=made.digest,
        key=key,
        content_type=made.content_type if key else "",
        size_bytes=made.size_bytes if key else 0,
        width=made.width if key else 0,
        height=made.height if key else 0,
        duration_s=made.duration_s if key else 0.0,
        reason=None if key else made.reason or Code.PROCESSING_FAILED.value,
    )


def _ref(item: Item) -> Ref:
    return Ref(item.workspace_id, item.media_id)

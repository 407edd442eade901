"""Variants somebody asks for: answered at once when they are settled, made when they are not."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.common.errors import Code, MediaError
from services.platforms import catalog
from services.platforms.catalog import Preset
from services.transcoder.domain.item import Item, Variant, blames_file, current
from services.transcoder.domain.work import Status
from services.transcoder.ports import Change, Items, Ref, Wakeups

POLL_S = 1.0  # a wake-up may be lost; this is then how late we are
APPEAR_S = 1.0  # ingest answers its caller a moment before we hear of the item
KIND_UNSUPPORTED = "kind_unsupported"


@dataclass(frozen=True, slots=True)
class Answer:
    """How things stand. cover: of a video, where the platform takes one."""

    item: Item
    variant: Variant
    cover: Variant | None = None


class Patience:
    """How long somebody still waits for changes of an item."""

    def __init__(self, event: asyncio.Event, wait_s: float) -> None:
        self._event = event
        self._until = asyncio.get_running_loop().time() + wait_s

    @property
    def left_s(self) -> float:
        """Seconds, not below 0."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def at_most(self, wait_s: float) -> "Patience":
        """The same, or less of it."""
        return Patience(self._event, min(wait_s, self.left_s))

    async def changed(self) -> bool:
        """It is worth another look. False: the time is over."""
        left_s = self.left_s
        if not left_s:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left_s, POLL_S)):
                await self._event.wait()
        self._event.clear()
        return True


class Ensuring:
    """The use cases of CreateVariant and EnsureVariant. Waiting never takes longer than `wait_s` seconds."""

    def __init__(self, items: Items, wakeups: Wakeups, *, wake: Callable[[], None]) -> None:
        self._items = items
        self._wakeups = wakeups
        self._wake = wake

    async def create(self, ref: Ref, preset_id: str, wait_s: float) -> Answer:
        """One preset.

        Raises:
            MediaError: PRESET_UNKNOWN; MEDIA_NOT_FOUND; MEDIA_REJECTED or what failed, nothing can be made of it.
        """
        if preset_id not in catalog.presets():
            raise MediaError(Code.PRESET_UNKNOWN, preset=preset_id)
        with self._wakeups.watch(ref.media_id) as changed:
            patience = Patience(changed, wait_s)
            item = await self._appeared(ref, patience, Code.MEDIA_NOT_FOUND)
            preset = catalog.presets(item.kind).get(preset_id)
            if preset is None:
                return Answer(item, _rejected(preset_id, KIND_UNSUPPORTED))
            item = await self._made(item, [preset], patience)
        return Answer(item, item.variants[preset.id])

    async def ensure(
        self, ref: Ref, platform_id: str, preset_id: str, wait_s: float, *, cover_at_s: float | None = None
    ) -> Answer:
        """The variant a platform would publish.

        Args:
            preset_id: Empty: the one that fits.
            cover_at_s: The moment its cover shows, where ingest's word of it may not be here yet. None: whatever it is.

        Raises:
            MediaError: PLATFORM_UNKNOWN, PRESET_UNKNOWN; MEDIA_NOT_FOUND, it is gone; MEDIA_NOT_READY, it was not
                heard of yet (who asks has it from ingest) or not looked at yet; MEDIA_REJECTED or what failed.
        """
        platform = catalog.load().get(platform_id)
        if platform is None:
            raise MediaError(Code.PLATFORM_UNKNOWN, platform=platform_id)
        if preset_id and preset_id not in catalog.presets():
            raise MediaError(Code.PRESET_UNKNOWN, preset=preset_id)
        with self._wakeups.watch(ref.media_id) as changed:
            patience = Patience(changed, wait_s)
            item = await self._appeared(ref, patience, Code.MEDIA_NOT_READY)
            if not preset_id:
                item = await self._until(item, lambda item: item.finding is not None, patience)
            chosen = _explicit(item, preset_id) if preset_id else _fitting(item, platform)
            if isinstance(chosen, Variant):
                return Answer(item, chosen)
            cover = platform.cover if item.kind == "video" else None
            if cover and cover_at_s is not None:
                item = await self._until(item, lambda item: item.cover_at_s == cover_at_s, patience)
            item = await self._made(item, [chosen, *([cover] if cover else [])], patience)
        return Answer(item, item.variants[chosen.id], _cover(item, cover, cover_at_s))

    async def _appeared(self, ref: Ref, patience: Patience, absent: Code) -> Item:
        soon = patience.at_most(APPEAR_S)
        while (item := await self._items.find(ref)) is None and await soon.changed():
            pass
        if item is None:
            raise MediaError(absent, media_id=ref.media_id)
        return _usable(item)

    async def _made(self, item: Item, presets: Sequence[Preset], patience: Patience) -> Item:
        """The item with those presets settled, or as it stands when the time is over."""

        def done(item: Item) -> bool:
            return all(current(item.variants.get(preset.id), preset) for preset in presets)

        if not done(item):
            item = await self._wanted(item, presets)
        return await self._until(item, done, patience)

    async def _wanted(self, item: Item, presets: Sequence[Preset]) -> Item:
        def step(row: Item) -> Change | None:
            missing = [preset for preset in presets if not _on_its_way(row.variants.get(preset.id), preset)]
            if row.gone or row.fault is not None or not missing:
                return None
            for preset in missing:
                row = row.want(preset)
            return Change(item=row, tell=True, wanted=tuple(preset.id for preset in missing))

        changed = await self._items.change(_ref(item), step)
        self._wake()
        return changed or await self._again(item)

    async def _until(self, item: Item, done: Callable[[Item], bool], patience: Patience) -> Item:
        while not done(item) and await patience.changed():
            item = await self._again(item)
        return item

    async def _again(self, item: Item) -> Item:
        found = await self._items.find(_ref(item))
        if found is None:
            raise _unknown(_ref(item))
        return _usable(found)


def _usable(item: Item) -> Item:
    """The item. Raises: MediaError, nothing can be made of it any more."""
    if item.gone:
        raise _unknown(_ref(item))
    if item.fault is None:
        return item
    if blames_file(item.fault):
        raise MediaError(Code.MEDIA_REJECTED, media_id=item.media_id)
    raise MediaError(Code.PROCESSING_FAILED, why=item.fault)


def _explicit(item: Item, preset_id: str) -> Preset | Variant:
    return catalog.presets(item.kind).get(preset_id) or _rejected(preset_id, KIND_UNSUPPORTED)


def _fitting(item: Item, platform: catalog.Platform) -> Preset | Variant:
    """What the finding says; where the platform is newer than the finding, its first default: the engine decides."""
    if item.finding is None:
        raise MediaError(Code.MEDIA_NOT_READY, media_id=item.media_id)
    fit = item.finding.fit.get(platform.id)
    if fit is not None and not fit.ok:
        return _rejected(fit.preset or "", fit.reason or KIND_UNSUPPORTED)
    named = catalog.presets(item.kind).get(fit.preset) if fit and fit.preset else None
    defaults = (one for one in platform.presets if one.of == item.kind and one.default and not one.animated)
    return named or next(defaults, None) or _rejected("", KIND_UNSUPPORTED)


def _cover(item: Item, cover: Preset | None, at_s: float | None) -> Variant | None:
    """Pending, as long as the item's covers show another moment than that."""
    if cover is None:
        return None
    if at_s is not None and item.cover_at_s != at_s:
        return Variant(preset=cover.id, preset_digest=cover.digest, eager=False)
    return item.variants[cover.id]


def _rejected(preset_id: str, reason: str) -> Variant:
    return Variant(preset=preset_id, preset_digest="", eager=False, status=Status.REJECTED, reason=reason)


def _on_its_way(variant: Variant | None, preset: Preset) -> bool:
    return variant is not None and variant.preset_digest == preset.digest


def _unknown(ref: Ref) -> MediaError:
    """The one answer for unknown, deleted, and somebody else's."""
    return MediaError(Code.MEDIA_NOT_FOUND, media_id=ref.media_id)


def _ref(item: Item) -> Ref:
    return Ref(item.workspace_id, item.media_id)

"""Same bytes, same workspace: what another item has already is copied, not made."""

from dataclasses import replace

from services.common.errors import Code, MediaError
from services.transcoder.app.ending import to_the_end
from services.transcoder.domain.item import Finding, Item, Variant, catalog_digest, is_cover
from services.transcoder.domain.work import Status
from services.transcoder.ports import Items, Store


class Adopting:
    """Finds a twin of an item and copies its objects."""

    def __init__(self, items: Items, store: Store) -> None:
        self._items = items
        self._store = store

    async def adopt(self, item: Item) -> tuple[Finding, list[Variant]] | None:
        """What a twin knows, and its variants under the item's own keys. None: there is nothing to take over."""
        twin = await self._items.twin(item, catalog_digest(item.kind))
        if twin is None or twin.finding is None:
            return None
        usable = [one for preset in item.pending if (one := _usable(item, twin, preset)) is not None]
        keys = sorted({one.key for one in usable if one.key})
        sizes = {one.key: one.size_bytes for one in usable}
        copied = dict(zip(keys, await to_the_end([self._copy(item, key, sizes[key]) for key in keys]), strict=True))
        taken = [
            replace(one, key=one.key and copied[one.key], eager=item.variants[one.preset].eager)
            for one in usable
            if one.key is None or copied[one.key]
        ]
        return (twin.finding, taken) if taken else None

    async def _copy(self, item: Item, key: str, size_bytes: int) -> str | None:
        """Inside the store. None: the twin's object went, or is not what its row says."""
        target = item.key_like(key)
        try:
            source = await self._store.head(key)
            if source is None or source.size != size_bytes:
                return None
            await self._store.copy(self._store.bucket, key, target, if_match=source.etag)
        except MediaError as exc:
            if exc.code is Code.OBJECT_CHANGED:
                # Most likely an earlier try got that far.
                copy = await self._store.head(target)
                return target if copy is not None and copy.size == size_bytes else None
            if exc.code is Code.NOT_FOUND:
                return None
            raise
        return target


def _usable(item: Item, twin: Item, preset: str) -> Variant | None:
    mine, theirs = item.variants[preset], twin.variants.get(preset)
    if theirs is None or theirs.preset_digest != mine.preset_digest:
        return None
    if is_cover(item.kind, preset) and item.cover_at_s != twin.cover_at_s:
        return None
    return theirs if theirs.status in (Status.READY, Status.REJECTED) else None

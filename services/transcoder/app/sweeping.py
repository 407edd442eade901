"""Drives on what did not come about by itself. Work that is due needs no sweeper: the dispatcher asks for it."""

import logging

from services.common.errors import MediaError
from services.transcoder.ports import Chores, Items, Ref, Store

log = logging.getLogger(__name__)

BATCH = 50
AGAIN_AFTER_S = 60.0


class Sweeping:
    """Each method but `sweep` is one round of one chore, for `Runtime.every`."""

    def __init__(self, items: Items, chores: Chores, store: Store) -> None:
        self._items = items
        self._chores = chores
        self._store = store

    async def litter(self) -> None:
        """Objects of items that are gone."""
        for ref in await self._chores.litter(BATCH):
            await self.sweep(ref)

    async def words(self) -> None:
        """Words on variants made on demand: ingest waits for none of them, and would not miss one."""
        await self._chores.retell(BATCH)

    async def sweep(self, ref: Ref) -> None:
        """Deletes everything served of a tombstone, or puts it off."""
        item = await self._items.find(ref)
        if item is None or not item.gone:
            return
        try:
            if item.token:
                await self._store.delete_prefix(item.prefix)
        except MediaError as exc:
            log.warning("objects not deleted yet", extra={"media_id": ref.media_id, "code": exc.code})
            await self._chores.put_off(ref, AGAIN_AFTER_S)
        else:
            await self._chores.swept(ref)
            log.info("objects deleted", extra={"media_id": ref.media_id})

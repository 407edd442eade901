"""What ingest says: an item is clean, or gone."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from math import inf

from services.common.seat import Seat
from services.platforms.catalog import Kind
from services.transcoder.app.making import LEASE_S
from services.transcoder.app.sweeping import Sweeping
from services.transcoder.domain.item import SOURCES, Item, Source, promoted
from services.transcoder.ports import Change, Items, Receipt, Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A clean source, and the moment its covers are to show. version: of ingest's word.

    ValueError: its key is not one of this item's sources, so that no word can make us serve another's bytes; or no film
    has such a moment.
    """

    ref: Ref
    kind: Kind
    content_type: str
    source: Source
    request_id: str
    cover_at_s: float | None = None
    version: int = 0

    def __post_init__(self) -> None:
        if self.cover_at_s is not None and not 0 <= self.cover_at_s < inf:
            raise ValueError(f"a cover at {self.cover_at_s} s")
        if not self.source.key.startswith(f"{SOURCES}/{self.ref.media_id}/"):
            raise ValueError(f"{self.source.key} is no source of {self.ref.media_id}")


class Receiving:
    """The use cases behind media_promoted and media_deleted.

    Args:
        new_token: At least 128 random bits, safe in a URL.   wake: there is work.
        seat: Room to work here, at once, at an item that is claimed as it is added; see Dispatcher.
    """

    def __init__(
        self,
        items: Items,
        sweeping: Sweeping,
        *,
        new_token: Callable[[], str],
        wake: Callable[[], None],
        seat: Callable[[Kind], AbstractAsyncContextManager[Seat[Item] | None]],
    ) -> None:
        self._items = items
        self._sweeping = sweeping
        self._new_token = new_token
        self._wake = wake
        self._seat = seat

    async def promoted(self, promotion: Promotion, receipt: Receipt) -> None:
        """Takes an item on. Of a known one ingest has not heard, or not to the end: it is told again. Or it is to have
        other covers."""
        item = promoted(
            workspace_id=promotion.ref.workspace_id,
            media_id=promotion.ref.media_id,
            kind=promotion.kind,
            content_type=promotion.content_type,
            source=promotion.source,
            token=self._new_token(),
            request_id=promotion.request_id,
            cover_at_s=promotion.cover_at_s,
            source_version=promotion.version,
        )
        async with self._seat(item.kind) as seat:
            lease_s = LEASE_S if seat else None
            added = await self._items.add(item, tell=item.kind == "video", receipt=receipt, lease_s=lease_s)
            if seat is not None and added is not None:
                seat.take(added)
                return
        if added is None:
            await self._items.change(promotion.ref, partial(_known, promotion), receipt=receipt)
        self._wake()

    async def deleted(self, ref: Ref, receipt: Receipt) -> None:
        """Ends an item, known or not: what is said of it later comes too late."""
        await self._items.bury(ref, receipt=receipt)
        await self._sweeping.sweep(ref)


def _known(promotion: Promotion, item: Item) -> Change | None:
    if item.gone:
        return None
    return Change(item=item.covered(promotion.cover_at_s, promotion.version), tell=True)

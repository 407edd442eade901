"""Everything the transcoder does, wired to the world in memory."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path

from services.platforms.catalog import Kind
from services.transcoder.adapters.scratch import DiskScratch
from services.transcoder.app.dispatching import Dispatcher
from services.transcoder.app.ensuring import Ensuring
from services.transcoder.app.making import Making
from services.transcoder.app.receiving import Promotion, Receiving
from services.transcoder.app.segmenting import Segmenting
from services.transcoder.app.sweeping import Sweeping
from services.transcoder.domain.item import Item, Source, Variant
from services.transcoder.ports import Receipt, Ref
from tests.unit.transcoder.stage.fakes import Clock, Engine, Items, Meter, Segments, Store, etag, sha256

CONTENT_TYPES: dict[Kind, str] = {"image": "image/jpeg", "video": "video/mp4"}


class World:
    """One of each."""

    def __init__(
        self, folder: Path, *, workers: int = 2, films_bytes: int = 1 << 40, engine: Engine | None = None
    ) -> None:
        self.folder = folder
        self.clock = Clock()
        self.items = Items(self.clock)
        self.store = Store()
        self.engine = engine or Engine()
        self.meter = Meter()
        self.looked_at: list[tuple[Ref, Mapping[str, int]]] = []
        self._numbers = count(1)
        self.segments = Segments(self.items, self.clock)
        outside = (self.items, self.store, self.engine, DiskScratch(folder), self, self.meter)
        self.segmenting = Segmenting(self.segments, *outside, segment_s=10)
        self.making = Making(self.items, *outside, self.segmenting)
        self.dispatcher = Dispatcher(self.items, self.making, self.segmenting, workers=workers, films_bytes=films_bytes)
        self.sweeping = Sweeping(self.items, self.items, self.store)
        self.receiving = Receiving(
            self.items,
            self.sweeping,
            new_token=lambda: f"token{next(self._numbers)}",
            wake=self.dispatcher.wake,
            seat=self.dispatcher.seat,
        )
        self.ensuring = Ensuring(self.items, self.items, wake=self.dispatcher.wake)

    def tell(self, ref: Ref, percent: Mapping[str, int]) -> None:
        """ports.Onlookers."""
        self.looked_at.append((ref, percent))

    def promotion(self, kind: Kind = "image", data: bytes = b"source", workspace_id: str = "ws_1") -> Promotion:
        """A new item's, with its source in the bucket."""
        media_id = f"med_{next(self._numbers):026d}"
        key = f"sources/{media_id}/obj_1"
        self.store.objects[key] = data
        return Promotion(
            ref=Ref(workspace_id, media_id),
            kind=kind,
            content_type=CONTENT_TYPES[kind],
            source=Source(key, etag(data), len(data), sha256(data)),
            request_id="req_1",
        )

    async def promoted(self, kind: Kind = "image", data: bytes = b"source") -> Ref:
        promotion = self.promotion(kind, data)
        await self.receiving.promoted(promotion, self.receipt())
        return promotion.ref

    async def work(self) -> None:
        """All that is due now, one after the other."""
        while (item := await self.items.claim(("image", "video"), lease_s=15.0)) is not None:
            await self.making.make(item)

    async def rendered(self, kind: Kind = "image", data: bytes = b"source") -> Ref:
        ref = await self.promoted(kind, data)
        await self.work()
        return ref

    def item(self, ref: Ref) -> Item:
        return self.items.entries[ref].item

    def variant(self, ref: Ref, preset: str) -> Variant:
        return self.item(ref).variants[preset]

    def receipt(self) -> Receipt:
        return Receipt("c", f"evt_{next(self._numbers)}")

    def left_on_disk(self) -> list[Path]:
        return list(self.folder.iterdir())

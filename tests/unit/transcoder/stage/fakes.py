"""The transcoder's world in memory, with the rules the real one has: locks, claims, preconditions."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.common.errors import Code, MediaError
from services.platforms import catalog
from services.platforms.catalog import Kind
from services.transcoder.domain.costs import frame_px
from services.transcoder.domain.item import Item, Source
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.segments import Cut, Segment
from services.transcoder.domain.work import Fit, How, InputFault, Progress, Rendition, Status, WorkRequest, WorkResult
from services.transcoder.ports import Encoding, Receipt, Ref, Step, Taken

FILM = "0123abcd"  # digest of every segment


class Clock:
    """Seconds; stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


@dataclass(slots=True)
class Entry:
    """One row."""

    item: Item
    due_at: float | None
    lease_until: float = -1.0
    claimed: bool = False
    retell_at: float | None = None


class Items:
    """ports.Items and ports.Chores in one dict."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.entries: dict[Ref, Entry] = {}
        self.told: list[Item] = []
        self.wanted: list[str] = []
        self.receipts: set[Receipt] = set()
        self._watching: list[asyncio.Event] = []
        self.away = False

    def only(self) -> Item:
        (entry,) = self.entries.values()
        return entry.item

    async def add(self, item: Item, *, tell: bool, receipt: Receipt, lease_s: float | None = None) -> Item | None:
        ref = Ref(item.workspace_id, item.media_id)
        if ref in self.entries:
            return None
        self.receipts.add(receipt)
        item = item.told() if tell else item
        entry = self.entries[ref] = Entry(item, self._clock())
        if lease_s is not None:
            entry.item = item = item.claimed()
            entry.lease_until, entry.claimed = self._clock() + lease_s, True
        self.told += [item] if tell else []
        self.notify()
        return item

    async def find(self, ref: Ref) -> Item | None:
        entry = self.entries.get(ref)
        return self._seen(entry) if entry else None

    async def change(self, ref: Ref, step: Step, *, receipt: Receipt | None = None) -> Item | None:
        if receipt in self.receipts:
            return None
        if receipt:
            self.receipts.add(receipt)
        entry = self.entries.get(ref)
        change = step(self._seen(entry)) if entry else None
        if entry is None or change is None:
            return None
        before, item = entry.item, change.item.told() if change.tell else change.item
        entry.item = replace(item, epoch=before.epoch)
        if change.release:
            entry.lease_until, entry.claimed = -1.0, False
        if not item.pending or item.fault:
            entry.due_at = None
        elif change.wait_s is not None:
            entry.due_at = self._clock() + change.wait_s
        elif entry.due_at is None:
            entry.due_at = self._clock()
        if change.tell and before.settled:
            entry.retell_at = self._clock() + 60
        self.told += [item] if change.tell else []
        self.wanted += change.wanted
        self.notify()
        return item

    async def bury(self, ref: Ref, *, receipt: Receipt) -> None:
        if receipt in self.receipts:
            return
        self.receipts.add(receipt)
        blank = Item(
            workspace_id=ref.workspace_id,
            media_id=ref.media_id,
            kind="image",
            content_type="",
            source=Source("", "", 0, ""),
            token="",
        )
        entry = self.entries.setdefault(ref, Entry(blank, None))
        if not entry.item.gone:
            entry.item = replace(entry.item.tombstone(), epoch=entry.item.epoch + 1)
            entry.due_at, entry.retell_at = self._clock(), None
        self.notify()

    async def claim(self, kinds: Sequence[Kind], *, lease_s: float, most_px: int | None = None) -> Item | None:
        if self.away:
            raise MediaError(Code.UNAVAILABLE)
        due = [
            entry
            for entry in self.entries.values()
            if not entry.item.gone
            and entry.item.kind in kinds
            and entry.due_at is not None
            and entry.due_at <= self._clock() >= entry.lease_until
        ]
        if not due:
            return None
        entry = min(due, key=lambda entry: (entry.item.kind, entry.due_at or 0.0))
        if entry.item.kind == "video" and most_px is not None and frame_px(entry.item.finding) > most_px:
            return None
        entry.item = entry.item.claimed()
        entry.lease_until, entry.claimed = self._clock() + lease_s, True
        return self._seen(entry)

    async def renew(self, item: Item, *, lease_s: float) -> bool:
        entry = self.entries[Ref(item.workspace_id, item.media_id)]
        return not entry.item.gone and entry.item.epoch == item.epoch

    async def twin(self, item: Item, catalog: str) -> Item | None:
        return next(
            (
                other
                for entry in self.entries.values()
                if (other := entry.item).media_id != item.media_id
                and (other.workspace_id, other.source.sha256) == (item.workspace_id, item.source.sha256)
                and not other.gone
                and other.finding is not None
                and other.finding.catalog == catalog
            ),
            None,
        )

    async def litter(self, limit: int) -> Sequence[Ref]:
        now = self._clock()
        found = self.entries.items()
        return [ref for ref, e in found if e.item.gone and e.due_at is not None and e.due_at <= now][:limit]

    async def swept(self, ref: Ref) -> None:
        entry = self.entries[ref]
        entry.due_at = self._clock() + 120 if entry.claimed else None
        entry.claimed = False

    async def put_off(self, ref: Ref, wait_s: float) -> None:
        self.entries[ref].due_at = self._clock() + wait_s

    async def retell(self, limit: int) -> None:
        for entry in self.entries.values():
            if entry.retell_at is not None and entry.retell_at <= self._clock():
                entry.retell_at = None
                self.told.append(entry.item)

    @contextmanager
    def watch(self, key: str) -> Iterator[asyncio.Event]:
        """ports.Wakeups."""
        event = asyncio.Event()
        self._watching.append(event)
        try:
            yield event
        finally:
            self._watching.remove(event)

    def _seen(self, entry: Entry) -> Item:
        return replace(entry.item, held=entry.lease_until > self._clock())

    def notify(self) -> None:
        for event in self._watching:
            event.set()


@dataclass(slots=True)
class Row:
    """One segment."""

    cut: Cut
    presets: tuple[str, ...]
    digests: tuple[str, ...] | None = None
    epoch: int = 0
    tries: int = 0
    lease_until: float = -1.0


class Segments:
    """ports.Segments beside the items. lost: claims are, as soon as their work is done."""

    def __init__(self, items: Items, clock: Clock) -> None:
        self._items = items
        self._clock = clock
        self.rows: dict[Ref, dict[int, Row]] = {}
        self.lost = False

    async def open(self, item: Item, presets: Sequence[str], cut: Cut) -> None:
        known = self.rows.get(_ref(item), {})
        kept = {n: row for n, row in known.items() if (row.cut, row.presets) == (cut, tuple(presets))}
        self.rows[_ref(item)] = {n: kept.get(n) or Row(cut, tuple(presets)) for n in range(cut.of)}

    async def find(self, item: Item) -> Mapping[int, Encoding | None]:
        rows = self.rows.get(_ref(item), {})
        return {n: None if row.digests is None else Encoding(row.epoch, row.digests) for n, row in rows.items()}

    async def take(self, item: Item, *, lease_s: float) -> Taken | None:
        return self._claimed(item, lease_s, lambda row: True)

    async def help(self, *, lease_s: float) -> Taken | None:
        for ref in self.rows:
            item = await self._items.find(ref)
            if item is not None and item.held and not item.gone:
                taken = self._claimed(item, lease_s, lambda row: row.tries == 0)
                if taken is not None:
                    return taken
        return None

    def _claimed(self, item: Item, lease_s: float, fit: Callable[[Row], bool]) -> Taken | None:
        for n, row in self.rows.get(_ref(item), {}).items():
            if row.digests is None and row.lease_until < self._clock() and fit(row):
                row.epoch, row.tries, row.lease_until = row.epoch + 1, row.tries + 1, self._clock() + lease_s
                segment = Segment(n, row.cut.of, row.cut.seconds)
                return Taken(item=item, segment=segment, presets=row.presets, epoch=row.epoch)
        return None

    def _held(self, taken: Taken) -> Row | None:
        row = self.rows.get(_ref(taken.item), {}).get(taken.segment.n)
        return row if row is not None and row.epoch == taken.epoch and not self.lost else None

    async def renew(self, taken: Taken, *, lease_s: float) -> bool:
        return self._held(taken) is not None

    async def release(self, taken: Taken, *, tried: bool) -> None:
        if (row := self._held(taken)) is not None:
            row.lease_until = -1.0
            row.tries -= not tried

    async def made(self, taken: Taken, digests: Sequence[str]) -> bool:
        if (row := self._held(taken)) is not None:
            row.digests = tuple(digests)
        self._items.notify()
        return row is not None

    async def again(self, item: Item) -> None:
        for row in self.rows[_ref(item)].values():
            row.digests, row.tries, row.lease_until = None, 0, -1.0

    async def left(self, limit: int) -> Sequence[Item]:
        entries = [self._items.entries[ref] for ref in self.rows]
        return [one.item for one in entries if one.due_at is None or one.item.gone][:limit]

    async def forget(self, ref: Ref) -> None:
        del self.rows[ref]


def _ref(item: Item) -> Ref:
    return Ref(item.workspace_id, item.media_id)


@dataclass(frozen=True, slots=True)
class Info:
    """ports.Stored."""

    etag: str
    size: int


class Store:
    """A bucket. `fail` names methods that raise UNAVAILABLE; `before_put` runs before an object is there."""

    bucket = "active"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.copies: list[str] = []
        self.fail: set[str] = set()
        self.before_put: Callable[[], None] = lambda: None

    async def fetch(self, key: str, path: Path, *, if_match: str) -> str:
        self._check("fetch")
        if key not in self.objects:
            raise MediaError(Code.NOT_FOUND)
        if etag(self.objects[key]) != if_match:
            raise MediaError(Code.OBJECT_CHANGED)
        path.write_bytes(self.objects[key])
        return sha256(self.objects[key])

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        self._check("put_file")
        self.before_put()
        await asyncio.sleep(0)
        self.puts.append(key)
        self.objects[key] = path.read_bytes()

    async def head(self, key: str) -> Info | None:
        self._check("head")
        data = self.objects.get(key)
        return None if data is None else Info(etag(data), len(data))

    async def copy(self, src_bucket: str, src_key: str, dst_key: str, *, if_match: str) -> str:
        self._check("copy")
        assert src_bucket == self.bucket
        if src_key not in self.objects:
            raise MediaError(Code.NOT_FOUND)
        if dst_key in self.objects or etag(self.objects[src_key]) != if_match:
            raise MediaError(Code.OBJECT_CHANGED)
        self.copies.append(dst_key)
        self.objects[dst_key] = self.objects[src_key]
        return if_match

    async def delete(self, key: str) -> None:
        self._check("delete")
        self.objects.pop(key, None)

    async def delete_prefix(self, prefix: str) -> None:
        self._check("delete_prefix")
        self.objects = {key: data for key, data in self.objects.items() if not key.startswith(prefix)}

    def served(self) -> set[str]:
        return {key for key in self.objects if key.startswith("cdn/")}

    def _check(self, method: str) -> None:
        if method in self.fail:
            raise MediaError(Code.UNAVAILABLE)


@dataclass(slots=True)
class Engine:
    """ports.Engine that writes small real files: every preset of a platform shares one, as canonical encodes do.

    Attributes:
        gate: While it is closed, runs do not end.   error: raised instead of a result.   reject: preset to reason.
        misfit: platforms the source does not fit.   file: said to hold everything, whatever is written.
        broken: raised at a segment.   looks: of what it probes.
        noise: behind what is written, as by an encoder that gives other bytes each time.
    """

    requests: list[WorkRequest] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    gate: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    reject: dict[str, str] = field(default_factory=dict)
    misfit: dict[str, str] = field(default_factory=dict)
    forget: set[str] = field(default_factory=set)
    file: str | None = None
    noise: bytes = b""
    broken: InputFault | None = None
    cancelled: int = 0
    looks: Mapping[str, object] = field(default_factory=dict)

    async def run(self, request: WorkRequest, scratch: Path, *, deadline_s: float, progress: Progress) -> WorkResult:
        progress(dict.fromkeys(request.presets, 50))
        self.requests.append(request)
        self.deadlines.append(deadline_s)
        self.entered.set()
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if self.error is not None:
            raise self.error
        if request.segment is not None and self.broken is not None:
            raise self.broken
        if request.segment is not None:
            (scratch / f"{FILM}.mp4").write_bytes(f"segment {request.segment.n}".encode())
            return WorkResult(probe=self.probe(request), fit={}, thumbhash="", renditions=(), segments=(FILM,))
        presets = [preset for preset in request.presets if preset not in self.forget]
        return WorkResult(
            probe=self.probe(request),
            fit={name: self._fit(request, name) for name in catalog.load()},
            thumbhash="3OcRJYB4d3h/iIeHeEh3eIhw+j2w",
            renditions=tuple(self._rendition(request, preset, scratch) for preset in presets),
        )

    def probe(self, request: WorkRequest) -> Probe:
        return replace(probe(request, Path(request.source).stat().st_size), **self.looks)  # type: ignore[arg-type]

    def _rendition(self, request: WorkRequest, preset: str, scratch: Path) -> Rendition:
        if preset in self.reject:
            return Rendition(preset=preset, status=Status.REJECTED, digest="00000000", reason=self.reject[preset])
        film = request.kind == "video" and "cover" not in preset
        name = "film.mp4" if film else "display.jpg" if preset == "display" else "picture.jpg"
        data = Path(request.source).read_bytes() + name.encode() + self.noise
        (scratch / name).write_bytes(data)
        return Rendition(
            preset=preset,
            status=Status.READY,
            digest=hashlib.sha256(name.encode()).hexdigest()[:8],
            how=How.ENCODE,
            file=self.file or name,
            content_type="video/mp4" if film else "image/jpeg",
            size_bytes=len(data),
            width=64,
            height=48,
            duration_s=2.0 if film else 0.0,
        )

    def _fit(self, request: WorkRequest, platform: str) -> Fit:
        if platform in self.misfit:
            return Fit(ok=False, reason=self.misfit[platform], detail="It does not fit.")
        presets = catalog.load()[platform].presets
        named = [one.id for one in presets if one.of == request.kind and one.default and not one.animated]
        return Fit(ok=True, preset=named[0]) if named else Fit(ok=False, reason="kind_unsupported", detail="None.")


def probe(request: WorkRequest, size_bytes: int) -> Probe:
    film = request.kind == "video"
    return Probe(
        kind=request.kind,
        container="mov" if film else "jpeg",
        codec="h264" if film else "jpeg",
        width=640,
        height=480,
        coded_width=640,
        coded_height=480,
        size_bytes=size_bytes,
        duration_s=2.0 if film else 0.0,
        has_audio=film,
    )


class Meter:
    """ports.Meter that remembers."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Kind, str]] = []
        self.variants: list[str] = []
        self.segments: list[str] = []

    def job(self, kind: Kind, outcome: str, elapsed_s: float) -> None:
        self.jobs.append((kind, outcome))

    def films(self, taken_bytes: Callable[[], int], room_bytes: int) -> None:
        self.film_bytes = taken_bytes

    def segment(self, by: str) -> None:
        self.segments.append(by)

    def variant(self, how: str) -> None:
        self.variants.append(how)


def etag(data: bytes) -> str:
    return sha256(data)[:16]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

"""The world in memory, with the rules the real one has: locks, claims, preconditions."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.common.errors import Code, MediaError
from services.ingest.domain.media import GONE, Media, Sealed, State
from services.ingest.domain.quotas import Held, Quota, check
from services.ingest.domain.upload import ENDED, Phase, Upload
from services.ingest.ports import (
    Announcement,
    Backlog,
    Change,
    Litter,
    Outcome,
    Query,
    Receipt,
    Ref,
    Row,
    Step,
    UploadRef,
    UploadStep,
    Verdict,
)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass(slots=True)
class Entry:
    """One row."""

    media: Media
    lease_until: datetime | None = None
    due_at: datetime | None = None
    verdict: Verdict | None = None
    view_version: int = 0
    told: bool = False
    end_told: bool = False
    in_quarantine: bool = True
    in_active: bool = True
    pins: dict[str, datetime] = field(default_factory=dict)


class Table:
    """ports.MediaTable and ports.Chores in one dict."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.entries: dict[Ref, Entry] = {}
        self.sessions: dict[UploadRef, Upload] = {}
        self.announced: list[tuple[Announcement, Media]] = []
        self.receipts: set[Receipt] = set()
        self.owed = Backlog(0, 0)
        self.before_change: Callable[[], None] = lambda: None

    def only(self) -> Entry:
        (entry,) = self.entries.values()
        return entry

    def put(self, media: Media) -> Ref:
        ref = _ref(media)
        self.entries[ref] = Entry(media)
        return ref

    def held(self, workspace_id: str) -> Held:
        mine = [entry.media for ref, entry in self.entries.items() if ref.workspace_id == workspace_id]
        items = [media for media in mine if media.state not in GONE | {State.REJECTED}]
        rows = [row for ref, row in self.sessions.items() if ref.workspace_id == workspace_id]
        sessions = [row for row in rows if row.phase is Phase.RECEIVING]
        return Held(
            media=len(items) + len(sessions),
            bytes=sum(media.size_bytes for media in items) + sum(row.size_bytes for row in sessions),
            uploads=sum(media.state is State.RECEIVING for media in items) + sum(not row.whole for row in sessions),
        )

    async def add(self, media: Media, *, lease_s: float, quota: Quota) -> None:
        self.put(media)
        held = self.held(media.workspace_id)
        try:
            check(quota, replace(held, bytes=held.bytes + 1), Held(media=1, bytes=1, uploads=1))
        except MediaError:
            del self.entries[_ref(media)]
            raise
        self.only_of(media).lease_until = self._clock() + timedelta(seconds=lease_s)

    def only_of(self, media: Media) -> Entry:
        return self.entries[_ref(media)]

    async def find(self, ref: Ref) -> Media | None:
        entry = self.entries.get(ref)
        return entry.media if entry else None

    async def twin(self, media: Media, sha256: str, since: datetime) -> Media | None:
        return next(
            (
                known
                for entry in self.entries.values()
                if (known := entry.media).sha256 == sha256
                and known.idempotency_key == media.idempotency_key
                and known.workspace_id == media.workspace_id
                and known.state not in GONE | {State.RECEIVING}
                and known.created_at > since
            ),
            None,
        )

    async def page(self, workspace_id: str, query: Query) -> list[Media]:
        mine = [entry.media for ref, entry in self.entries.items() if ref.workspace_id == workspace_id]
        mine.sort(key=lambda media: media.media_id, reverse=True)
        return [m for m in mine if query.before is None or m.media_id < query.before][: query.limit + 1]

    async def change(self, ref: Ref, step: Step, *, receipt: Receipt | None = None) -> Media | None:
        self.before_change()
        if receipt in self.receipts:
            return None
        if receipt:
            self.receipts.add(receipt)
        entry = self.entries.get(ref)
        change = step(self._row(entry)) if entry else None
        if entry is None or change is None:
            return None
        before = entry.media
        self._store(entry, change)
        if change.quota is not None:
            try:
                check(change.quota, self.held(ref.workspace_id), Held(bytes=entry.media.size_bytes - before.size_bytes))
            except MediaError:
                entry.media = before
                raise
        return change.media

    async def claim(self, ref: Ref, state: State, *, lease_s: float) -> Row | None:
        entry = self.entries.get(ref)
        if entry is None or entry.media.state is not state or self._held(entry):
            return None
        entry.media = replace(entry.media, epoch=entry.media.epoch + 1)
        entry.lease_until = self._clock() + timedelta(seconds=lease_s)
        return self._row(entry)

    async def renew(self, media: Media, *, lease_s: float) -> bool:
        entry = self.entries.get(_ref(media))
        if entry is None or (entry.media.state, entry.media.epoch) != (media.state, media.epoch):
            return False
        entry.media = replace(entry.media, multipart_id=media.multipart_id)
        entry.lease_until = self._clock() + timedelta(seconds=lease_s)
        return True

    async def discard(self, media: Media) -> None:
        entry = self.entries.get(_ref(media))
        if entry and entry.media.state is State.RECEIVING:
            del self.entries[_ref(media)]

    async def backlog(self, workspace_id: str) -> Backlog:
        return self.owed

    async def pin(self, ref: Ref, holder: str, until: datetime) -> Media | None:
        entry = self.entries.get(ref)
        if entry is None or not entry.media.visible(self._clock()):
            return None
        entry.pins[holder] = until
        return entry.media

    async def unpin(self, ref: Ref, holder: str) -> None:
        if ref in self.entries:
            self.entries[ref].pins.pop(holder, None)

    async def due(self, state: State, limit: int) -> Sequence[Ref]:
        return [ref for ref, e in self.entries.items() if e.media.state is state and self._free(e)][:limit]

    async def abandoned(self, limit: int) -> Sequence[Ref]:
        found = self.entries.items()
        return [ref for ref, e in found if e.media.state is State.RECEIVING and not self._held(e)][:limit]

    async def ended(self, limit: int) -> Sequence[Ref]:
        now = self._clock()
        found = self.entries.items()
        return [ref for ref, e in found if e.media.state not in GONE and e.media.expires_at <= now][:limit]

    async def ending(self, limit: int, within: timedelta) -> Sequence[Ref]:
        now = self._clock()
        soon = {ref: e for ref, e in self.entries.items() if now < e.media.expires_at <= now + within}
        return [ref for ref, e in soon.items() if e.media.state is State.READY and not e.end_told][:limit]

    async def uncovered(self, limit: int) -> Sequence[Ref]:
        return [ref for ref, e in self.entries.items() if e.media.cover_owed(self._clock())][:limit]

    async def litter(self, limit: int) -> Sequence[Litter]:
        found = []
        for entry in self.entries.values():
            state, pinned = entry.media.state, self._row(entry).pinned
            quarantine = entry.in_quarantine and state not in (State.RECEIVING, State.SCANNING)
            useless = entry.in_active and state in GONE | {State.REJECTED}
            active = (useless or (state in GONE and not entry.told)) and not pinned
            if (quarantine or active) and self._free(entry):
                found.append(Litter(entry.media, quarantine=quarantine, active=active))
        return found[:limit]

    async def forget_pins(self) -> None:
        for entry in self.entries.values():
            entry.pins = {holder: until for holder, until in entry.pins.items() if until > self._clock()}

    async def swept(self, media: Media, *, quarantine: bool, active: bool) -> None:
        entry = self.only_of(media)
        entry.in_quarantine = entry.in_quarantine and not quarantine
        entry.in_active = entry.in_active and not active

    async def put_off(self, media: Media, wait_s: float) -> None:
        self.only_of(media).due_at = self._clock() + timedelta(seconds=wait_s)

    def _row(self, entry: Entry) -> Row:
        now = self._clock()
        return Row(
            entry.media,
            now,
            pinned=any(until > now for until in entry.pins.values()),
            view_version=entry.view_version,
            verdict=entry.verdict,
            deletion_told=entry.told,
            end_told=entry.end_told,
            due=entry.due_at is None or entry.due_at <= now,
        )

    def _store(self, entry: Entry, change: Change) -> None:
        entry.media = change.media
        entry.verdict = change.verdict or entry.verdict
        entry.view_version = change.view_version or entry.view_version
        if change.release:
            entry.lease_until, entry.due_at = None, change.due_at
        else:
            entry.due_at = change.due_at or entry.due_at
            if change.lease_s is not None:
                entry.lease_until = self._clock() + timedelta(seconds=change.lease_s)
        entry.told = entry.told or Announcement.DELETED in change.announce
        entry.end_told = entry.end_told or Announcement.EXPIRING in change.announce
        self.announced += [(announcement, change.media) for announcement in change.announce]

    def _held(self, entry: Entry) -> bool:
        return entry.lease_until is not None and entry.lease_until >= self._clock()

    def _free(self, entry: Entry) -> bool:
        return not self._held(entry) and (entry.due_at is None or entry.due_at <= self._clock())


class Uploads:
    """ports.UploadTable and ports.UploadChores in one dict; what is sealed goes to the table of media."""

    def __init__(self, clock: Clock, media: Table) -> None:
        self._clock = clock
        self._media = media
        self.rows: dict[UploadRef, Upload] = media.sessions

    async def add(self, upload: Upload, *, quota: Quota) -> None:
        ref = UploadRef(upload.workspace_id, upload.upload_id)
        self.rows[ref] = upload
        try:
            check(quota, self._media.held(ref.workspace_id), Held(media=1, bytes=upload.size_bytes, uploads=1))
        except MediaError:
            del self.rows[ref]
            raise

    async def find(self, ref: UploadRef) -> Upload | None:
        return self.rows.get(ref)

    async def change(self, ref: UploadRef, step: UploadStep) -> Upload | None:
        row = self.rows.get(ref)
        change = step(row, self._clock()) if row else None
        if change is None:
            return None
        self.rows[ref] = change.upload
        if change.sealed is not None:
            self._media.put(change.sealed)
            self._media.announced.append((Announcement.SEALED, change.sealed))
        return change.upload

    async def unsealed(self, limit: int) -> Sequence[UploadRef]:
        return [ref for ref, row in self._free() if row.phase is Phase.RECEIVING and row.finishing][:limit]

    async def overdue(self, limit: int) -> Sequence[UploadRef]:
        now = self._clock()
        return [ref for ref, row in self._free() if row.phase is Phase.RECEIVING and row.expires_at <= now][:limit]

    async def spent(self, limit: int) -> Sequence[Upload]:
        now = self._clock()
        ended = [row for _, row in self._free() if row.in_store and row.phase in ENDED]
        return [row for row in ended if row.due_at is not None and row.due_at <= now][:limit]

    async def forget(self) -> None:
        """Nothing here grows old enough."""

    def _free(self) -> list[tuple[UploadRef, Upload]]:
        return [(ref, row) for ref, row in self.rows.items() if not row.held(self._clock())]


@dataclass(frozen=True, slots=True)
class Info:
    """ports.Stored."""

    etag: str
    size: int


class Store:
    """A bucket with conditional writes. `fail` names methods that raise UNAVAILABLE."""

    def __init__(self, *others: "Store", name: str = "bucket") -> None:
        self.name = name
        self.others = {other.name: other for other in others}
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self._started = 0
        self.parts_under_way = self.most_parts_under_way = 0
        self.fail: set[str] = set()

    async def start_multipart(self, key: str, content_type: str) -> str:
        self._check("start_multipart")
        self._started += 1
        upload_id = f"{key} {self._started}"
        self.uploads[upload_id] = {}
        return upload_id

    async def put_part(self, key: str, upload_id: str, n: int, data: bytes) -> str:
        import asyncio

        self.parts_under_way += 1
        self.most_parts_under_way = max(self.most_parts_under_way, self.parts_under_way)
        await asyncio.sleep(0)
        self.parts_under_way -= 1
        self._check("put_part")
        self._open(upload_id)[n] = data
        return str(n)

    async def complete(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> Info:
        self._check("complete")
        held = self._open(upload_id)
        del self.uploads[upload_id]
        return await self.put(key, b"".join(held[n] for n, _ in parts), "")

    async def abort(self, key: str, upload_id: str) -> None:
        self._check("abort")
        self.uploads.pop(upload_id, None)

    async def abort_all(self, prefix: str) -> None:
        self._check("abort_all")
        self.uploads = {name: parts for name, parts in self.uploads.items() if not name.startswith(prefix)}

    async def put(self, key: str, data: bytes, content_type: str) -> Info:
        self._check("put")
        if key in self.objects:
            raise MediaError(Code.OBJECT_CHANGED)
        self.objects[key] = data
        return Info(etag(data), len(data))

    async def head(self, key: str) -> Info | None:
        self._check("head")
        data = self.objects.get(key)
        return None if data is None else Info(etag(data), len(data))

    async def copy(self, src_bucket: str, src_key: str, dst_key: str, *, if_match: str) -> str:
        self._check("copy")
        data = self.others[src_bucket].objects.get(src_key)
        if data is None or etag(data) != if_match:
            raise MediaError(Code.OBJECT_CHANGED)
        return (await self.put(dst_key, data, "")).etag

    async def delete(self, key: str) -> None:
        self._check("delete")
        self.objects.pop(key, None)

    async def delete_prefix(self, prefix: str) -> None:
        self._check("delete_prefix")
        self.objects = {key: data for key, data in self.objects.items() if not key.startswith(prefix)}

    async def read(
        self, key: str, *, first: int | None = None, last: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        self._check("read")
        data = self.objects[key]
        if if_match is not None and etag(data) != if_match:
            raise MediaError(Code.OBJECT_CHANGED)
        yield data[first or 0 : None if last is None else last + 1]

    def _open(self, upload_id: str) -> dict[int, bytes]:
        if upload_id not in self.uploads:
            raise MediaError(Code.NOT_FOUND)
        return self.uploads[upload_id]

    def _check(self, method: str) -> None:
        if method in self.fail:
            raise MediaError(Code.UNAVAILABLE)


class Scanner:
    """ports.Scanner: a word, or an error."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.outcome, self.threat = Outcome.CLEAN, ""
        self.code: Code | None = None
        self.types: list[str] = []
        self.error: MediaError | None = None
        self.scans = 0
        self.after: Callable[[], None] = lambda: None

    async def scan(self, sealed: Sealed, content_type: str) -> Verdict:
        self.scans += 1
        self.types.append(content_type)
        if self.error:
            raise self.error
        data = self._store.objects[sealed.key]
        verdict = Verdict(self.outcome, self.threat, Sealed(sealed.key, etag(data), len(data), sha256(data)), self.code)
        self.after()
        return verdict


def etag(data: bytes) -> str:
    return f'"{sha256(data)[:16]}"'


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _ref(media: Media) -> Ref:
    return Ref(media.workspace_id, media.media_id)

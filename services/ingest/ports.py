"""What ingest needs from the world, in its own words.

Every port raises MediaError; the retryable codes mean that nothing was decided and the same call may be made again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from services.common.errors import Code
from services.ingest.domain.formats import Kind
from services.ingest.domain.media import Media, Sealed, State
from services.ingest.domain.quotas import Quota
from services.ingest.domain.reconciliation import Place
from services.ingest.domain.upload import Upload


class Announcement(StrEnum):
    """What the other stages are told of a change, in the same transaction."""

    SEALED = "media_sealed"
    PROMOTED = "media_promoted"
    SETTLED = "media_settled"
    EXPIRING = "media_expiring"
    DELETED = "media_deleted"


class Outcome(StrEnum):
    """What the scanner found."""

    CLEAN = "clean"
    INFECTED = "infected"
    UNSCANNABLE = "unscannable"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The scanner's word about exactly `about`. threat is empty when clean; code is set when malformed."""

    outcome: Outcome
    threat: str
    about: Sealed
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A locked media item, with what its transaction can see beside it."""

    media: Media
    now: datetime
    pinned: bool
    view_version: int = 0
    verdict: Verdict | None = None
    deletion_told: bool = False
    end_told: bool = False  # that it is near
    due: bool = True  # a sweeper may look at it


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a row. Whatever is left out stays as it was."""

    media: Media
    announce: tuple[Announcement, ...] = ()
    view_version: int | None = None
    verdict: Verdict | None = None
    due_at: datetime | None = None  # when a sweeper looks at it next, unless something happens before
    quota: Quota | None = None  # what its workspace may hold, where the item grows
    release: bool = True  # ends the claim, and forgets the old `due_at`
    lease_s: float | None = None  # how long the claim goes on, where it does


Step = Callable[[Row], Change | None]


@dataclass(frozen=True, slots=True)
class Ref:
    """Names one media item across workspaces, for the sweepers."""

    workspace_id: str
    media_id: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Names one delivery of an event, so that its effect happens once."""

    consumer: str
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One page of a workspace's media, newest first. `before` is the last id of the page before."""

    limit: int
    before: str | None = None
    kind: Kind | None = None
    state: State | None = None
    name_part: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Media whose scan is owed and has failed before, or is long overdue: of one workspace, and of all."""

    workspace: int
    total: int


@dataclass(frozen=True, slots=True)
class Litter:
    """An item with stored bytes it has no more use for, and in which of the two buckets."""

    media: Media
    quarantine: bool
    active: bool


class MediaTable(Protocol):
    """The truth about media. Each call is one transaction; changes wake up whoever waits for the item."""

    async def add(self, media: Media, *, lease_s: float, quota: Quota) -> None:
        """Raises MediaError: QUOTA_EXCEEDED, there is no room for an item of a single byte."""
        ...

    async def find(self, ref: Ref) -> Media | None:
        """Tombstones included."""
        ...

    async def twin(self, media: Media, sha256: str, since: datetime) -> Media | None:
        """The item that an earlier request with the same idempotency key stored from the same bytes after `since`."""
        ...

    async def page(self, workspace_id: str, query: Query) -> list[Media]: ...

    async def change(self, ref: Ref, step: Step, *, receipt: Receipt | None = None) -> Media | None:
        """Locks the row, lets `step` decide, stores what it says with its events.

        Returns:
            The item as it stands now; None when there is none, when `step` wants no change, or when the receipt's
            event has had its effect already.

        Raises:
            MediaError: QUOTA_EXCEEDED, and nothing has changed.
        """
        ...

    async def claim(self, ref: Ref, state: State, *, lease_s: float) -> Row | None:
        """Takes an item in `state` that nobody holds, under a new epoch. None: not there, or somebody has it."""
        ...

    async def renew(self, media: Media, *, lease_s: float) -> bool:
        """Keeps a claim. False: it was lost, and whatever is under way must not be finished."""
        ...

    async def discard(self, media: Media) -> None:
        """Forgets an item whose bytes never arrived whole."""
        ...

    async def backlog(self, workspace_id: str) -> Backlog: ...

    async def pin(self, ref: Ref, holder: str, until: datetime) -> Media | None:
        """None when there is no such item, or no longer."""
        ...

    async def unpin(self, ref: Ref, holder: str) -> None: ...


class Chores(Protocol):
    """What sweepers ask across all workspaces. Everything here is safe to be told twice, to two replicas at once."""

    async def due(self, state: State, limit: int) -> Sequence[Ref]:
        """Unclaimed items in `state` that ought to have moved on by now."""
        ...

    async def abandoned(self, limit: int) -> Sequence[Ref]:
        """Items in `receiving` whose writer is gone."""
        ...

    async def ended(self, limit: int) -> Sequence[Ref]:
        """Items past their expiry that nothing pins."""
        ...

    async def ending(self, limit: int, within: timedelta) -> Sequence[Ref]:
        """Ready items that expire within that time, and of which nobody was told so yet."""
        ...

    async def uncovered(self, limit: int) -> Sequence[Ref]:
        """Items of whose covers the transcoder should have heard by now."""
        ...

    async def litter(self, limit: int) -> Sequence[Litter]:
        """Bytes without a use, of items nobody is at work on."""
        ...

    async def forget_pins(self) -> None:
        """Removes pins that ran out."""
        ...

    async def swept(self, media: Media, *, quarantine: bool, active: bool) -> None:
        """Notes which bytes are gone."""
        ...

    async def put_off(self, media: Media, wait_s: float) -> None:
        """Counts a failed try; the next is due after `wait_s` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class UploadRef:
    """Names one upload in pieces across workspaces, for the sweepers."""

    workspace_id: str
    upload_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadChange:
    """What becomes of an upload, and with it, of nothing or of the sealed item it has become."""

    upload: Upload
    sealed: Media | None = None
    scan_at: datetime | None = None  # when a sweeper looks at the sealed item
    wake: bool = False  # somebody waits for this upload


UploadStep = Callable[[Upload, datetime], UploadChange | None]


class UploadTable(Protocol):
    """The truth about uploads in pieces. Each call is one transaction."""

    async def add(self, upload: Upload, *, quota: Quota) -> None:
        """Raises MediaError: QUOTA_EXCEEDED."""
        ...

    async def find(self, ref: UploadRef) -> Upload | None: ...

    async def change(self, ref: UploadRef, step: UploadStep) -> Upload | None:
        """Locks the row, lets `step` decide (what it raises changes nothing), stores what it says.

        Returns:
            The upload as it stands now; None when there is none, or when `step` wants no change.
        """
        ...


class UploadChores(Protocol):
    """What the sweeper of uploads asks across all workspaces, about those nobody writes to."""

    async def unsealed(self, limit: int) -> Sequence[UploadRef]:
        """Whole, and their client done with them."""
        ...

    async def overdue(self, limit: int) -> Sequence[UploadRef]:
        """Past their time."""
        ...

    async def spent(self, limit: int) -> Sequence[Upload]:
        """Ended, with bytes that may still be stored."""
        ...

    async def forget(self) -> None:
        """Removes what ended so long ago that nobody asks any more."""
        ...


class Wakeups(Protocol):
    """Tells when a media item or an upload changed."""

    def watch(self, key: str) -> AbstractContextManager[asyncio.Event]:
        """Set by whatever is said about `key` while inside."""
        ...

    def wake(self, key: str) -> None:
        """As if something was said about `key`, to this process alone."""
        ...


class Stored(Protocol):
    """A stored object as the store itself sees it."""

    @property
    def etag(self) -> str: ...
    @property
    def size(self) -> int: ...


class Store(Protocol):
    """One bucket. OBJECT_CHANGED: the precondition did not hold."""

    async def start_multipart(self, key: str, content_type: str) -> str: ...
    async def put_part(self, key: str, upload_id: str, n: int, data: bytes) -> str: ...
    async def complete(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> Stored: ...
    async def abort(self, key: str, upload_id: str) -> None: ...
    async def abort_all(self, prefix: str) -> None: ...
    async def put(self, key: str, data: bytes, content_type: str) -> Stored: ...
    async def head(self, key: str) -> Stored | None: ...
    async def copy(self, src_bucket: str, src_key: str, dst_key: str, *, if_match: str) -> str: ...
    async def delete(self, key: str) -> None: ...
    async def delete_prefix(self, prefix: str) -> None: ...
    def read(
        self, key: str, *, first: int | None = None, last: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]: ...


class ListedStore(Store, Protocol):
    """A bucket that can be walked over: its objects in the order of their keys' bytes, uploads in the store's own."""

    async def page(self, prefix: str, after: str, limit: int) -> Sequence[tuple[str, datetime, int]]:
        """The first objects behind the key `after`, when each was stored, its bytes. Fewer than `limit`: the last."""
        ...

    async def open_uploads(self, after: str, limit: int) -> tuple[Sequence[tuple[str, datetime, str]], str]:
        """Uploads in parts, when each was begun, and its id; then what to pass for those after them, "" at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Walk:
    """How far the comparison of one place has come: the last key seen, or the store's mark; "" before the first.

    seen_bytes: What was seen on the way there.
    """

    place: Place
    after: str
    seen_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Owed:
    """An object that an item's row says is stored."""

    ref: Ref
    key: str


class Walks(Protocol):
    """What the comparison of stores with rows asks, and remembers."""

    async def take(self, *, lease_s: float) -> Walk | None:
        """The walk that waited longest, for this long nobody else's. None: nothing is due."""
        ...

    async def move(self, walk: Walk, *, wait_s: float) -> None:
        """Notes how far it is, and gives it back; it goes on after `wait_s` seconds. What a whole one saw is kept."""
        ...

    async def needed(self, place: Place, items: Mapping[str, str]) -> Collection[str]:
        """Of these keys, each with the item it belongs to, those whose bytes a row needs, or another chore removes."""
        ...

    async def owed(self, place: Place, *, after: str, last: str, limit: int) -> Sequence[Owed]:
        """Objects that must be there, behind the key `after` and up to `last` ("": all), in the order of keys."""
        ...


class Meter(Protocol):
    """Numbers for operators."""

    def compared(self, place: str, orphans: int, missing: int, foreign: int) -> None: ...
    def removed(self, place: str) -> None: ...
    def settled(self, state: str, elapsed_s: float) -> None:
        """The last eager rendition of an item, and how long after its row was made."""


class Scanner(Protocol):
    """Gives the verdict. SCANNER_UNAVAILABLE: none was reached. OBJECT_CHANGED: the object is not the sealed one."""

    async def scan(self, sealed: Sealed, content_type: str) -> Verdict: ...


class SecondOpinion(Protocol):
    """What somebody else's type table calls these first bytes: a MIME type."""

    async def __call__(self, head: bytes) -> str: ...


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An open file; its name is not clean. The chunks come once, or raise MediaError MEDIA_URL_UNREACHABLE."""

    filename: str
    chunks: AsyncIterator[bytes]


class Remote(Protocol):
    """Files on the public internet."""

    def open(self, url: str) -> AbstractAsyncContextManager[RemoteFile]:
        """The file at `url`, its first bytes there.

        Raises:
            MediaError: MEDIA_URL_NOT_ALLOWED, it is none, or leads to where nothing may be fetched from;
                MEDIA_URL_UNREACHABLE, there is no file, or not in time; UPSTREAM_BUSY, too many are open.
        """

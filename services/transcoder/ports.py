"""What the transcoder needs from the world, in its own words.

Every port raises MediaError; the retryable codes mean that nothing was decided and the same call may be made again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.platforms.catalog import Kind
from services.transcoder.domain.item import Item
from services.transcoder.domain.segments import Cut, Segment
from services.transcoder.domain.work import Progress, WorkRequest, WorkResult


@dataclass(frozen=True, slots=True)
class Ref:
    """Names one media item."""

    workspace_id: str
    media_id: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Names one delivery of an event, so that its effect happens once."""

    consumer: str
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of an item.

    Attributes:
        tell: Ingest hears the whole view of it, under its new version.   wanted: presets asked for on demand.
        release: Ends the claim.   wait_s: before pending presets are worked at next; None: as it was.
    """

    item: Item
    tell: bool = False
    wanted: tuple[str, ...] = ()
    release: bool = False
    wait_s: float | None = None


Step = Callable[[Item], Change | None]


class Items(Protocol):
    """The truth about items. Each call is one transaction; changes wake up whoever waits for the item."""

    async def add(self, item: Item, *, tell: bool, receipt: Receipt, lease_s: float | None = None) -> Item | None:
        """Stores a new item, and that the event was heard.

        Args:
            lease_s: It is claimed by the caller from the first, for so long, as by `claim`.

        Returns:
            The item as it stands now. None: there is one already, live or gone.
        """
        ...

    async def find(self, ref: Ref) -> Item | None:
        """Tombstones included."""
        ...

    async def change(self, ref: Ref, step: Step, *, receipt: Receipt | None = None) -> Item | None:
        """Locks the item, lets `step` decide, stores what it says with its events.

        Returns:
            The item as it stands now; None when there is none, when `step` wants no change, or when the receipt's
            event has had its effect already.
        """
        ...

    async def bury(self, ref: Ref, *, receipt: Receipt) -> None:
        """Leaves a tombstone, whether or not there was an item."""
        ...

    async def claim(self, kinds: Sequence[Kind], *, lease_s: float, most_px: int | None = None) -> Item | None:
        """Takes an item with something due to be made that nobody holds, under a new epoch: images before videos, and
        of each the longest queued. Counts the try.

        Args:
            most_px: Of a video's frame; one nobody looked at yet counts as large as any. None: any.

        Returns:
            None: there is none, or the first in the queue is a video that is too large; those behind it wait too.
        """
        ...

    async def renew(self, item: Item, *, lease_s: float) -> bool:
        """Keeps a claim. False: it was lost, and whatever is under way must not be finished."""
        ...

    async def twin(self, item: Item, catalog: str) -> Item | None:
        """Another live item of the same workspace made of the same bytes, whose finding is of that catalog; the one
        with the most of `item`'s pending presets."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A segment of an item's films, to be encoded under a claim. presets: they are made for.   epoch: of the claim."""

    item: Item
    segment: Segment
    presets: tuple[str, ...]
    epoch: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """What became of a segment: the digests of its films, stored under that claim's epoch."""

    epoch: int
    digests: tuple[str, ...]


class Segments(Protocol):
    """Segments of the films under way. Whatever becomes of one wakes up whoever waits for its item."""

    async def open(self, item: Item, presets: Sequence[str], cut: Cut) -> None:
        """All of the cut are there from now on; those of other cuts, or made for other presets, are forgotten."""
        ...

    async def find(self, item: Item) -> Mapping[int, Encoding | None]:
        """All there are, by number; None: not encoded yet."""
        ...

    async def take(self, item: Item, *, lease_s: float) -> Taken | None:
        """One of the item's to be encoded that nobody holds. For whoever holds the item."""
        ...

    async def help(self, *, lease_s: float) -> Taken | None:
        """One that nobody tried, of an item that somebody else holds: the longest queued item's first."""
        ...

    async def renew(self, taken: Taken, *, lease_s: float) -> bool:
        """Keeps a claim. False: it was lost."""
        ...

    async def release(self, taken: Taken, *, tried: bool) -> None:
        """Gives a claim back. tried: it might not work, so nobody shall help with it any more."""
        ...

    async def made(self, taken: Taken, digests: Sequence[str]) -> bool:
        """It is stored. False: the claim was lost, and nobody will use it."""
        ...

    async def again(self, item: Item) -> None:
        """What was stored is gone: all are to be encoded anew."""
        ...

    async def left(self, limit: int) -> Sequence[Item]:
        """Those with segments that nobody needs any more, since nothing of them is due."""
        ...

    async def forget(self, ref: Ref) -> None:
        """Forgets such segments, once what was stored is deleted."""
        ...


class Chores(Protocol):
    """What sweepers ask across all workspaces. Everything here is safe to be told twice, to two replicas at once."""

    async def litter(self, limit: int) -> Sequence[Ref]:
        """Tombstones that may still have objects."""
        ...

    async def swept(self, ref: Ref) -> None:
        """Their objects are gone. While a job that was under way could still be storing some, it is due again."""
        ...

    async def put_off(self, ref: Ref, wait_s: float) -> None:
        """Sweep it after `wait_s` seconds."""
        ...

    async def retell(self, limit: int) -> None:
        """Tells again, once, of items whose latest word nobody would ask for if it was lost."""
        ...


class Wakeups(Protocol):
    """Tells when an item changed."""

    def watch(self, key: str) -> AbstractContextManager[asyncio.Event]:
        """Set by whatever is said about `key` while inside."""
        ...


class Stored(Protocol):
    """A stored object as the store itself sees it."""

    @property
    def etag(self) -> str: ...
    @property
    def size(self) -> int: ...


class Store(Protocol):
    """The active bucket. OBJECT_CHANGED: the precondition did not hold. NOT_FOUND: no such object."""

    @property
    def bucket(self) -> str: ...
    async def fetch(self, key: str, path: Path, *, if_match: str) -> str:
        """Into a new file; returns the lower-case hex SHA-256 of what was written."""
        ...

    async def put_file(self, key: str, path: Path, content_type: str) -> None: ...
    async def head(self, key: str) -> Stored | None: ...
    async def copy(self, src_bucket: str, src_key: str, dst_key: str, *, if_match: str) -> str: ...
    async def delete(self, key: str) -> None: ...
    async def delete_prefix(self, prefix: str) -> None: ...


class Engine(Protocol):
    """Decodes and encodes, in a process that can do nothing else."""

    async def run(self, request: WorkRequest, scratch: Path, *, deadline_s: float, progress: Progress) -> WorkResult:
        """Rendition.file is a path below scratch, an empty folder; several presets may share one. Cancelling it ends
        the work. Progress is told about twice a second.

        Raises:
            InputFault: the file's fault, final.
            MediaError: UNAVAILABLE, ours; DEADLINE_EXCEEDED, nobody knows whose.
        """
        ...


class Folder(Protocol):
    """One job's own folder."""

    @property
    def path(self) -> Path: ...
    async def output(self, name: str) -> Path:
        """A regular file below it. The name comes from a process that handled hostile bytes.

        Raises:
            MediaError: INTERNAL, it names anything else.
        """
        ...


class Scratch(Protocol):
    """Room on the disk."""

    def folder(self) -> AbstractAsyncContextManager[Folder]:
        """A new folder, gone with everything in it at the end."""
        ...


class Onlookers(Protocol):
    """Who looks at an item meanwhile. They may miss anything."""

    def tell(self, ref: Ref, percent: Mapping[str, int]) -> None:
        """Percent by preset. Takes no time, and never fails."""
        ...


class Meter(Protocol):
    """Numbers for those who watch."""

    def job(self, kind: Kind, outcome: str, elapsed_s: float) -> None: ...
    def films(self, taken_bytes: Callable[[], int], room_bytes: int) -> None:
        """How much memory videos take at any moment, by estimate, and may take together."""
        ...

    def segment(self, by: str) -> None:
        """One encoded and stored by whoever holds the item, "holder", or helps, "helper"."""
        ...

    def variant(self, how: str) -> None:
        """One preset settled: how it was made, "copied", "rejected" or "failed"."""
        ...

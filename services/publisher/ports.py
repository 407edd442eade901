"""What the publisher needs from the world, in its own words.

Where a method says so it raises MediaError; anything else a port raises is an infrastructure fault, to be tried again.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.publisher.domain.account import Account, AccountFilter
from services.publisher.domain.delivery import Again, Counters, Stop
from services.publisher.domain.post import JSON, MediaRef, Post, PostStatus, Target, TargetError, TargetStatus


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: every lookup and every row is of this workspace, and of this mode."""

    workspace_id: str
    live: bool


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of a newest-first list ended."""

    created_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What the publisher wants to know of a media item. status and kind are the names of the public API."""

    media_id: str
    kind: str
    status: str
    content_type: str = ""
    size_bytes: int = 0
    alt_text: str | None = None
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    thumbnail_time: float | None = None
    error: TargetError | None = None
    misfits: Mapping[str, str] = field(default_factory=dict)  # platform id -> why it cannot take this item
    presets: Mapping[str, str] = field(default_factory=dict)  # platform id -> the preset it would use


@dataclass(frozen=True, slots=True)
class Spent:
    """What a month has used: targets published, and targets meant for it that are not settled yet."""

    used: int
    open_targets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPost:
    """A post to be kept, with the facts about its media."""

    post: Post
    plan: str
    media: Sequence[MediaFacts]
    idempotency_key: str | None
    request_id: str


class Posts(Protocol):
    """Posts as the caller sees them."""

    async def by_key(self, caller: Caller, idempotency_key: str) -> Post | None:
        """The post this key made in the last 24 h."""

    async def add(self, caller: Caller, new: NewPost) -> bool:
        """Keeps the post and announces its targets, in one transaction. False: the key was used meanwhile.

        Raises:
            MediaError: QUOTA_EXCEEDED, by what others have added by now.
        """

    async def get(self, caller: Caller, post_id: str) -> Post | None: ...

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None, status: PostStatus | None
    ) -> Sequence[Post]:
        """Up to `limit` posts, newest first."""

    def watch(self, post_id: str) -> AbstractContextManager[asyncio.Event]:
        """Set when the post is settled while inside."""
        ...

    async def spent(self, caller: Caller, period: str) -> Spent: ...


class Changes(Protocol):
    """What callers may still do to their posts."""

    async def hold(self, caller: Caller, post_id: str, media_ids: Collection[str]) -> None:
        """From now on the post needs these items: no pin on them is let go. To be called before they are pinned."""

    async def replace(self, caller: Caller, new: NewPost) -> bool:
        """Makes the post, its targets and media what `new` says; what it needs no more may be let go.

        False, and nothing is changed: it is no longer the version `new` was made of, or a target is due.

        Raises:
            MediaError: QUOTA_EXCEEDED.
        """

    async def cancel(self, caller: Caller, post_id: str) -> bool:
        """Ends the targets that nothing was sent of, whoever works on them. False: there are none."""

    async def requeue(self, caller: Caller, post_id: str, of: Collection[TargetStatus], *, plan: str) -> bool:
        """Makes the targets in these states due, as if they were new but for their handles. False: there are none.

        Raises:
            MediaError: QUOTA_EXCEEDED.
        """


class Accounts(Protocol):
    """Connected accounts, without their credentials."""

    async def put(self, caller: Caller, account: Account, sealed: "SealedBytes") -> bool:
        """Keeps an account; one of the same id is replaced. False: that one is of another platform or mode."""

    async def get(self, caller: Caller, account_id: str) -> Account | None: ...

    async def same(self, caller: Caller, platform: str, external_id: str, service_url: str | None) -> Account | None:
        """The caller's account that the platform knows by that id, the newest if there are several."""

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None, only: AccountFilter
    ) -> Sequence[Account]:
        """Up to `limit` accounts, newest first."""

    async def delete(self, caller: Caller, account_id: str) -> bool:
        """Forgets the account and its credentials. False: there is none."""

    async def sealed(self, caller: Caller, account_id: str) -> "SealedBytes | None": ...

    async def replace_credentials(
        self, caller: Caller, account_id: str, sealed: "SealedBytes", *, instead_of: bytes
    ) -> None:
        """After the platform gave new ones. They are dropped if the credentials are no longer the blob `instead_of`."""

    def renewing(
        self, caller: Caller, account_id: str, blob: bytes, lease_s: float
    ) -> AbstractAsyncContextManager[bool]:
        """The right to renew the credentials, of one process at a time, for at most `lease_s`.

        False: another holds it, or the credentials are no longer `blob`.
        """
        ...

    async def accept(self, caller: Caller, account_id: str, sealed: "SealedBytes", *, instead_of: bytes) -> None:
        """The same for credentials the platform takes: the account is active, and is tried again in a week."""

    async def take_unverified(self, limit: int) -> Sequence[tuple[Caller, str]]:
        """Up to `limit` active accounts that it is time to try again; nobody is given them again for an hour."""

    async def invalidate(self, caller: Caller, account_id: str, blob: bytes) -> bool:
        """Marks the account invalid, unless its credentials are no longer `blob`. False: they are not."""


class SealedBytes(Protocol):
    """Sealed credentials, opaque outside the vault."""

    @property
    def key_version(self) -> int: ...

    @property
    def blob(self) -> bytes: ...


class Vault(Protocol):
    """Seals credentials, each for one account of one workspace, and what was prepared, each step for one target."""

    async def seal(self, workspace_id: str, account_id: str, credentials: Mapping[str, str]) -> SealedBytes: ...

    async def open(self, workspace_id: str, account_id: str, sealed: SealedBytes) -> Mapping[str, str]:
        """Raises an infrastructure fault when the seal is broken."""

    async def seal_step(self, claim: "Claim", step: str, state: Mapping[str, JSON]) -> SealedBytes: ...

    async def open_steps(self, claim: "Claim", steps: Mapping[str, SealedBytes]) -> Mapping[str, Mapping[str, JSON]]:
        """Raises an infrastructure fault when a seal is broken."""


class MediaSource(Protocol):
    """The ingest stage. Raises MediaError as it does."""

    async def get(self, media_id: str) -> MediaFacts: ...

    async def upload_image(self, data: bytes, alt_text: str | None, idempotency_key: str | None) -> MediaFacts:
        """Stores an image; with a key that stored these bytes before, what it stored then."""

    async def import_url(self, url: str, kind: str, alt_text: str | None, idempotency_key: str) -> MediaFacts:
        """Stores the file at a URL; with a key that stored the same bytes before, what it stored then."""

    async def pin(self, media_id: str, holder: str, until: datetime) -> MediaFacts: ...

    async def unpin(self, media_id: str, holder: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A variant as the transcoder made it. size_bytes, pixels, seconds."""

    preset: str
    url: str
    content_type: str
    size_bytes: int
    width: int
    height: int
    duration_s: float | None = None
    alt_text: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The variant to publish, with a video's cover where the platform has one."""

    rendition: Rendition
    cover: Rendition | None


@dataclass(frozen=True, slots=True)
class Pending:
    """Not made yet."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be made; code says why."""

    error: TargetError


class Variants(Protocol):
    """The transcoder stage. Raises MediaError as it does."""

    async def ensure(
        self, media_id: str, platform: str, preset: str = "", *, thumbnail_time: float | None = None
    ) -> Ready | Pending | Refused:
        """preset: its id; "" for the one that fits.   thumbnail_time: seconds, whose frame its cover has to show."""
        ...


class RenditionGoneError(Exception):
    """The file the transcoder told of is not served any more: it has to be asked anew."""


class Files(Protocol):
    """Rendition bytes, from where they are served."""

    def read(self, url: str, size_bytes: int) -> AsyncIterator[bytes]:
        """The file in pieces. Raises RenditionGoneError, or an infrastructure fault when it is not size_bytes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on one target until the lease ends. epoch tells this claim from every other."""

    workspace_id: str
    post_id: str
    index: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The renditions a target publishes: decided once, so that what was prepared stays true after a crash."""

    assets: tuple[Rendition, ...]
    cover: Rendition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One intent to publish. outcome is None while nobody knows how it ended."""

    number: int
    handle: str
    prepared: Mapping[str, JSON]
    since: datetime
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All that is known of a claimed target.

    progress and sealed hold what was prepared, by step; what an older version wrote is in progress at once.
    media_alt holds the items' own alt texts at the time of the post; import_errors why files could not be fetched, by
    the import's id.
    """

    claim: Claim
    live: bool
    request_id: str
    post: Post
    target: Target
    counters: Counters
    chosen: Chosen | None
    progress: Mapping[str, Mapping[str, JSON]]
    last_attempt: Attempt | None
    media_alt: Mapping[str, str | None]
    import_errors: Mapping[str, TargetError] = field(default_factory=dict)
    traceparent: str = ""
    sealed: Mapping[str, SealedBytes] = field(default_factory=dict)

    @property
    def media(self) -> tuple[MediaRef, ...]:
        """What this target publishes."""
        return self.post.media_for(self.target)

    @property
    def open_attempt(self) -> Attempt | None:
        """The intent that may have reached the platform."""
        last = self.last_attempt
        return last if last is not None and last.outcome is None else None


@dataclass(frozen=True, slots=True)
class Published:
    """Where the platform put it. looked_up: as in platforms.Receipt."""

    platform_post_id: str
    url: str | None
    looked_up: bool = False


class LeaseLostError(Exception):
    """Another worker has this target now; what this one wanted to write was not written."""


class Deliveries(Protocol):
    """Targets as the engine sees them. Every write raises LeaseLostError unless the claim still holds."""

    async def claim(self, limit: int, lease_s: float) -> Sequence[Claim]:
        """Up to `limit` targets that are due and that nobody works on, longest due first."""

    async def next_due_s(self, within_s: float) -> float | None:
        """Seconds until a target becomes due; None if none does within that time."""

    async def extend(self, claim: Claim, lease_s: float) -> None: ...

    async def load(self, claim: Claim) -> Work: ...

    async def choose(self, claim: Claim, chosen: Chosen, counters: Counters) -> None: ...

    async def save_progress(self, claim: Claim, step: str, sealed: SealedBytes) -> None: ...

    async def intend(self, claim: Claim, handle: str, prepared: Mapping[str, JSON], counters: Counters) -> Attempt:
        """Commits the next intent. An open one before it is closed as absent."""

    async def published(self, claim: Claim, number: int, published: Published) -> bool:
        """Result, usage and state in one transaction. Does not need the lease: the platform's word is enough.

        False, and nothing is written: it was only looked up, and is known as another target's of the account.
        """

    async def again(self, claim: Claim, again: Again, error: TargetError | None) -> None:
        """Puts the target back. With an error, an open intent is closed as not sent; else it stays open."""

    async def hand_back(self, claim: Claim) -> None:
        """Makes the target due at once, as it is: its worker stops."""

    async def stop(self, claim: Claim, stop: Stop) -> None:
        """Settles the target without success."""

    async def media_settled(self, workspace_id: str, media_id: str) -> None:
        """Makes the targets that wait for this item due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What was prepared of a target that came to its end without it. claim: its last; the rest as of Work."""

    claim: Claim
    live: bool
    platform: str
    account_id: str
    progress: Mapping[str, Mapping[str, JSON]]
    sealed: Mapping[str, SealedBytes]


class Leftovers(Protocol):
    """What stopped and canceled targets left."""

    async def take(self, limit: int) -> Sequence[Leftover]:
        """Up to `limit`, which nobody is given again."""


class Meter(Protocol):
    """What operators count."""

    def settled(self, platform: str, status: str) -> None:
        """A target came to its end, which is one of the public target statuses."""

    def called(self, platform: str, outcome: str, elapsed_s: float) -> None:
        """A mutation ended: "published", "underway", the fault of a refusal, or "unknown"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportClaim:
    """The right to fetch one file of a post until the lease ends. wanted: some target still waits for it."""

    workspace_id: str
    post_id: str
    import_id: str
    epoch: int
    url: str
    kind: str
    alt_text: str | None
    plan: str
    live: bool
    request_id: str
    due_at: datetime
    tries: int
    wanted: bool


class Imports(Protocol):
    """Files of posts that are still to be fetched. A claim that was lost changes nothing any more."""

    async def claim(self, limit: int, lease_s: float) -> Sequence[ImportClaim]:
        """Up to `limit` that are due and that nobody fetches, longest due first."""

    async def done(self, claim: ImportClaim, facts: MediaFacts) -> bool:
        """The post has that item now, and its targets go on. False: the claim was lost, or the post changed."""

    async def again(self, claim: ImportClaim, delay_s: float) -> None:
        """Puts it back."""

    async def failed(self, claim: ImportClaim, error: TargetError) -> None:
        """It cannot be had; targets that wait for it go on, and find out."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A media item held by a post that no longer needs it."""

    workspace_id: str
    post_id: str
    media_id: str


class Pins(Protocol):
    """What is held in ingest and may be let go."""

    async def ended(self, limit: int) -> Sequence[Pin]: ...

    def letting_go(self, pin: Pin) -> AbstractAsyncContextManager[bool]:
        """False: it is needed again, gone, or being let go by another. While inside, `Changes.hold` waits.

        Left without an exception, it is let go for good.
        """
        ...

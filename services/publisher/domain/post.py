"""What a post is, and how its state follows from its targets'. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

MAX_TARGETS = 25
MAX_INLINE_BYTES = 1_000_000
MAX_SCHEDULE_DAYS = 365


class TargetStatus(StrEnum):
    """Life of one target. The names are those of the public API."""

    SCHEDULED = "scheduled"
    WAITING_MEDIA = "waiting_media"
    QUEUED = "queued"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    CANCELED = "canceled"


class PostStatus(StrEnum):
    """Life of a post. The names are those of the public API."""

    SCHEDULED = "scheduled"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    PARTIALLY_PUBLISHED = "partially_published"
    FAILED = "failed"
    CANCELED = "canceled"


SETTLED = frozenset({TargetStatus.PUBLISHED, TargetStatus.FAILED, TargetStatus.UNCONFIRMED, TargetStatus.CANCELED})
SETTLED_POSTS = frozenset(PostStatus) - {PostStatus.SCHEDULED, PostStatus.PUBLISHING}


def post_status(targets: Collection[TargetStatus]) -> PostStatus:
    """The state of a post whose targets are in these states.

    Canceled targets do not count beside others. `published` means that every one is known to be live: an unconfirmed
    target beside published ones makes the post partially published, alone it makes it failed.
    """
    present = set(targets)
    if present == {TargetStatus.SCHEDULED}:
        return PostStatus.SCHEDULED
    if present - SETTLED:
        return PostStatus.PUBLISHING
    counted = present - {TargetStatus.CANCELED}
    if not counted:
        return PostStatus.CANCELED
    if counted == {TargetStatus.PUBLISHED}:
        return PostStatus.PUBLISHED
    return PostStatus.PARTIALLY_PUBLISHED if TargetStatus.PUBLISHED in counted else PostStatus.FAILED


@dataclass(frozen=True, slots=True)
class MediaRef:
    """One media item of a post; alt_text overrides the item's own.

    While a file is still to be fetched from `url`, media_id is the import's id, and no item has it; `kind` is what the
    caller said it is.
    """

    media_id: str
    alt_text: str | None = None
    url: str | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class TargetError:
    """Why a target is not published: a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One account a post goes to. text and media, where not None, replace the post's."""

    index: int
    platform: str
    account_id: str
    text: str | None = None
    media: tuple[MediaRef, ...] | None = None
    options: Mapping[str, JSON] = field(default_factory=dict)
    status: TargetStatus = TargetStatus.QUEUED
    preset: str | None = None
    platform_post_id: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    error: TargetError | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One text with media for many targets. Times are aware UTC."""

    post_id: str
    live: bool
    text: str
    media: tuple[MediaRef, ...]
    targets: tuple[Target, ...]
    created_at: datetime
    scheduled_at: datetime | None = None
    version: int = 1  # grows with every change

    @property
    def status(self) -> PostStatus:
        """Derived from the targets'."""
        return post_status([target.status for target in self.targets])

    @property
    def settled(self) -> bool:
        """Whether nothing will change any more without an order of the caller's."""
        return self.status in SETTLED_POSTS

    def text_for(self, target: Target) -> str:
        """The text this target publishes."""
        return self.text if target.text is None else target.text

    def media_for(self, target: Target) -> tuple[MediaRef, ...]:
        """The media this target publishes."""
        return self.media if target.media is None else target.media

    def media_ids(self) -> tuple[str, ...]:
        """Every media item any target publishes, each once, in the order first named."""
        return tuple(dict.fromkeys(ref.media_id for ref in self._refs() if ref.url is None))

    def imports(self) -> tuple[MediaRef, ...]:
        """Every file that is still to be fetched, each once."""
        return tuple({ref.media_id: ref for ref in self._refs() if ref.url is not None}.values())

    def _refs(self) -> tuple[MediaRef, ...]:
        return (*self.media, *(ref for target in self.targets for ref in self.media_for(target)))

"""What an endpoint can be told of, and how it is put. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.common.errors import Violation
from services.publisher.domain.post import JSON, PostStatus, TargetStatus

# Receivers buffer what they verify; Standard Webhooks recommends to stay below 20 kB.
MAX_BODY_BYTES = 20_000
SHORT_CHARS = 200


class EventType(StrEnum):
    """The names are those of the public API. TEST is sent on order only."""

    MEDIA_READY = "media.ready"
    MEDIA_REJECTED = "media.rejected"
    MEDIA_FAILED = "media.failed"
    MEDIA_EXPIRING = "media.expiring"
    MEDIA_EXPIRED = "media.expired"
    MEDIA_DELETED = "media.deleted"
    VARIANT_FAILED = "variant.failed"
    POST_SCHEDULED = "post.scheduled"
    POST_PUBLISHED = "post.published"
    POST_FAILED = "post.failed"
    POST_PARTIALLY_PUBLISHED = "post.partially_published"
    POST_UNCONFIRMED = "post.unconfirmed"
    ACCOUNT_INVALID = "account.invalid"
    TEST = "webhook.test"


OFFERED = tuple(kind for kind in EventType if kind is not EventType.TEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something that happened, before it has an id.

    Attributes:
        cause: What may be told once: the same cause makes no second event.
        live: Which mode's endpoints hear of it; None: both, as of media, which have no mode.
        data: The resource as the API shows it, or the documented part of it.
    """

    cause: str
    type: EventType
    live: bool | None
    happened_at: datetime
    data: Mapping[str, JSON]


def envelope(event_id: str, workspace_id: str, news: News) -> dict[str, JSON]:
    """The body of an event, before it is text. Times are RFC 3339 with milliseconds, as everywhere in the API."""
    moment = news.happened_at
    return {
        "id": event_id,
        "type": news.type.value,
        "createdAt": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
        "workspaceId": workspace_id,
        "data": dict(news.data),
    }


def shortened(news: News) -> News:
    """The same with the short members of its data alone: for one whose body would pass MAX_BODY_BYTES."""
    short = {
        name: value
        for name, value in news.data.items()
        if not isinstance(value, list | dict) and len(str(value)) <= SHORT_CHARS
    }
    return replace(news, data=short)


def subscription_problems(events: Sequence[str]) -> list[Violation]:
    """What is wrong with a list of event types."""
    if not events:
        return [Violation("events", "must name at least one event")]
    offered = ", ".join(OFFERED)
    return [
        Violation(f"events[{index}]", f"must be one of {offered}")
        for index, name in enumerate(events)
        if name not in OFFERED
    ]


def media_settled(status: str) -> EventType | None:
    """What a media item of this public status is told as; None while it is not settled."""
    return {
        "ready": EventType.MEDIA_READY,
        "rejected": EventType.MEDIA_REJECTED,
        "failed": EventType.MEDIA_FAILED,
    }.get(status)


def post_settled(status: PostStatus, targets: Collection[TargetStatus]) -> tuple[EventType, ...]:
    """What a settled post is told as.

    A target in doubt is always told. Such a post is not told as failed: who hears of a failure sends it again.
    """
    in_doubt = TargetStatus.UNCONFIRMED in targets
    outcome = {
        PostStatus.PUBLISHED: EventType.POST_PUBLISHED,
        PostStatus.PARTIALLY_PUBLISHED: EventType.POST_PARTIALLY_PUBLISHED,
        PostStatus.FAILED: None if in_doubt else EventType.POST_FAILED,
    }.get(status)
    found = (EventType.POST_UNCONFIRMED if in_doubt else None, outcome)
    return tuple(kind for kind in found if kind is not None)

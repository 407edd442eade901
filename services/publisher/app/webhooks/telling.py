"""What happened becomes an event for each endpoint that wants to hear of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.publisher.app.webhooks.ports import Occasions, Receipt, Resources
from services.publisher.domain.account import AccountStatus
from services.publisher.domain.post import JSON, PostStatus
from services.publisher.domain.webhooks import events
from services.publisher.domain.webhooks.events import EventType, News


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event of a stage: which one, and of what. version is the subject's."""

    receipt: Receipt
    workspace_id: str
    subject_id: str
    version: int
    happened_at: datetime


class Tell:
    """One use case for each thing that can happen. Stages' events only say where to look; what is told is read anew."""

    def __init__(self, occasions: Occasions, resources: Resources) -> None:
        self._occasions = occasions
        self._resources = resources

    async def media_settled(self, heard: Heard) -> int:
        """An item is ready, rejected or failed. One deleted since is told as that alone."""
        if not await self._wanted(heard, EventType.MEDIA_READY, EventType.MEDIA_REJECTED, EventType.MEDIA_FAILED):
            return 0
        item = await self._resources.media(heard.subject_id)
        kind = events.media_settled(str(item["status"])) if item is not None else None
        if item is None or kind is None:
            return 0
        return await self._tell(heard, [_news(heard, kind, item)])

    async def media_expiring(self, heard: Heard) -> int:
        """An item ends soon, unless it has ended since."""
        if not await self._wanted(heard, EventType.MEDIA_EXPIRING):
            return 0
        item = await self._resources.media(heard.subject_id)
        if item is None:
            return 0
        return await self._tell(heard, [_news(heard, EventType.MEDIA_EXPIRING, item)])

    async def media_gone(self, heard: Heard, *, expired: bool) -> int:
        """An item was deleted, or its time was over. One that is still there is not gone, whatever the event said."""
        kind = EventType.MEDIA_EXPIRED if expired else EventType.MEDIA_DELETED
        if not await self._wanted(heard, kind):
            return 0
        if await self._resources.media(heard.subject_id) is not None:
            return 0
        return await self._tell(heard, [_news(heard, kind, {"id": heard.subject_id})])

    async def variants_failed(self, heard: Heard, variants: Sequence[Mapping[str, JSON]]) -> int:
        """Variants of an item could not be made, through our fault; each is told once."""
        if not variants or not await self._wanted(heard, EventType.VARIANT_FAILED):
            return 0
        kind = EventType.VARIANT_FAILED
        news = [
            _news(heard, kind, {"mediaId": heard.subject_id, **variant}, once_for=variant["preset"])
            for variant in variants
        ]
        return await self._tell(heard, news)

    async def post_settled(self, heard: Heard) -> int:
        """Every target of a post has come to its end."""
        wanted = await self._occasions.wanted(heard.workspace_id)
        post = await self._resources.post(heard.workspace_id, heard.subject_id) if wanted else None
        if post is None:
            return 0
        # A post that is tried again settles again, in a later version of it.
        news = [
            _news(heard, kind, post.json, live=post.live, once_for=heard.version)
            for kind in events.post_settled(post.status, post.targets)
        ]
        return await self._tell(heard, news)

    async def post_scheduled(self, heard: Heard) -> int:
        """A post is held until its time. One that was published or canceled since is told as that."""
        if not await self._wanted(heard, EventType.POST_SCHEDULED):
            return 0
        post = await self._resources.post(heard.workspace_id, heard.subject_id)
        if post is None or post.status is not PostStatus.SCHEDULED:
            return 0
        kind = EventType.POST_SCHEDULED
        return await self._tell(heard, [_news(heard, kind, post.json, live=post.live, once_for=heard.version)])

    async def account_invalid(self, heard: Heard) -> int:
        """An account's platform refuses its credentials. One that was connected anew meanwhile is in order."""
        if not await self._wanted(heard, EventType.ACCOUNT_INVALID):
            return 0
        account = await self._resources.account(heard.workspace_id, heard.subject_id)
        if account is None or account.json["status"] != AccountStatus.INVALID:
            return 0
        # It may happen again, after credentials that worked for a while.
        once_for = heard.receipt.event_id
        kind = EventType.ACCOUNT_INVALID
        return await self._tell(heard, [_news(heard, kind, account.json, live=account.live, once_for=once_for)])

    async def _wanted(self, heard: Heard, *kinds: EventType) -> bool:
        return not (await self._occasions.wanted(heard.workspace_id)).isdisjoint(kinds)

    async def _tell(self, heard: Heard, news: Sequence[News]) -> int:
        return await self._occasions.tell(heard.workspace_id, heard.receipt, news) if news else 0


def _news(
    heard: Heard, kind: EventType, data: Mapping[str, JSON], *, live: bool | None = None, once_for: object = ""
) -> News:
    """once_for: what may come again of the same subject, and is then told again."""
    return News(
        cause=f"{heard.subject_id} {kind} {once_for}".rstrip(),
        type=kind,
        live=live,
        happened_at=heard.happened_at,
        data=data,
    )

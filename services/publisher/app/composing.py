"""Makes a post of a request that has no problems, and holds the media it names."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.publisher.app.reviewing import Review, usable
from services.publisher.domain.account import Account
from services.publisher.domain.post import MediaRef, Post, Target, TargetStatus
from services.publisher.domain.request import MediaInput, PostInput, TargetInput
from services.publisher.ports import MediaFacts, MediaSource

# Longer than any target may take from its due time on; a pin that outlives a crash ends here.
PIN_LIFE = timedelta(days=14)
IMPORT_ID_CHARACTERS = 32  # 128 bits


class Composer:
    """Shared by whoever creates and changes posts."""

    def __init__(self, media: MediaSource, now: Callable[[], datetime]) -> None:
        self._media = media
        self._now = now

    async def compose(self, blank: Post, wanted: PostInput, review: Review, *, key: str | None) -> Post:
        """`blank` with everything the request says. Its inline images are uploaded.

        key: under it each of them is stored once, however often the request comes.
        """
        facts = {**review.facts, **await self._store_inline(wanted, key)}
        now = self._now()
        scheduled = wanted.scheduled_at is not None and wanted.scheduled_at > now
        post = replace(blank, text=wanted.text, media=(), targets=(), scheduled_at=wanted.scheduled_at)
        post = replace(post, media=_refs(post, wanted.media, facts))
        by_id = {it.media_id: it for it in facts.values()}
        targets = []
        for n, (target, account) in enumerate(zip(wanted.targets, review.accounts, strict=True)):
            if account is None:
                raise ValueError("a target without an account passed the checks")
            made = _target(post, n, target, account, facts)
            waits = any(ref.url or by_id[ref.media_id].status != "ready" for ref in post.media_for(made))
            status = TargetStatus.WAITING_MEDIA if waits else TargetStatus.QUEUED
            targets.append(replace(made, status=TargetStatus.SCHEDULED if scheduled else status))
        return replace(post, targets=tuple(targets))

    async def pin(self, post: Post) -> Sequence[MediaFacts]:
        """Holds the post's media until long after it is due: a pin too many ends by itself, one too few loses bytes.

        Raises MEDIA_NOT_FOUND.
        """
        until = max(post.scheduled_at or post.created_at, self._now()) + PIN_LIFE
        return await asyncio.gather(*(self._media.pin(it, post.post_id, until) for it in post.media_ids()))

    async def unpin(self, post: Post) -> None:
        """Lets them go."""
        await asyncio.gather(*(self._media.unpin(it, post.post_id) for it in post.media_ids()))

    async def _store_inline(self, wanted: PostInput, key: str | None) -> dict[str, MediaFacts]:
        """Uploads every distinct image given as bytes. Keys are digests of the bytes."""
        distinct: dict[str, MediaInput] = {}
        for _, item in wanted.all_media():
            if item.data is not None:
                distinct.setdefault(_digest(item.data), item)
        stored = {}
        for n, (digest, item) in enumerate(distinct.items()):
            own = None if key is None else f"{key}/media/{n}"
            stored[digest] = usable(await self._media.upload_image(item.data or b"", item.alt_text, own))
        return stored


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refs(post: Post, items: Sequence[MediaInput], facts: Mapping[str, MediaFacts]) -> tuple[MediaRef, ...]:
    return tuple(_ref(post, item, facts) for item in items)


def _ref(post: Post, item: MediaInput, facts: Mapping[str, MediaFacts]) -> MediaRef:
    if item.url is not None:
        # The same file of the same post is one import, in whichever version of the post it is named.
        name = _digest(f"{post.post_id}|{item.kind}|{item.url}".encode())
        return MediaRef(f"imp_{name[:IMPORT_ID_CHARACTERS]}", item.alt_text, item.url, item.kind)
    key = item.media_id if item.data is None else _digest(item.data)
    return MediaRef(facts[key or ""].media_id, item.alt_text)


def _target(post: Post, n: int, wanted: TargetInput, account: Account, facts: Mapping[str, MediaFacts]) -> Target:
    return Target(
        index=n,
        platform=account.platform,
        account_id=account.account_id,
        text=wanted.text,
        media=_refs(post, wanted.media, facts) if wanted.media else None,
        options=wanted.options,
    )

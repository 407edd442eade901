"""Accepting posts, and showing them."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from services.common.errors import Code, MediaError
from services.publisher.app.checking import Checker
from services.publisher.app.resolving import Resolved, Resolver
from services.publisher.domain import plans, request
from services.publisher.domain.post import MediaRef, Post, PostStatus, Target, TargetStatus
from services.publisher.domain.request import MediaInput, PostInput, TargetInput
from services.publisher.ports import Caller, MediaFacts, MediaSource, NewPost, Position, Posts

log = logging.getLogger("publisher.posting")

UNUSABLE = frozenset({"rejected", "failed"})
# Longer than any target may take from its due time on; a pin that outlives a crash ends here.
PIN_LIFE = timedelta(days=14)
POLL_S = 1.0  # a waiting caller looks this often, woken or not: a wake-up may be lost with its connection


class CreatePost:
    """Use case: keep a post, or say everything that is wrong with it."""

    def __init__(
        self,
        *,
        posts: Posts,
        media: MediaSource,
        resolver: Resolver,
        checker: Checker,
        now: Callable[[], datetime],
        new_id: Callable[[str], str],
    ) -> None:
        self._posts = posts
        self._media = media
        self._resolver = resolver
        self._checker = checker
        self._now = now
        self._new_id = new_id

    async def __call__(
        self, caller: Caller, wanted: PostInput, *, plan: str, idempotency_key: str | None, request_id: str
    ) -> Post:
        """The new post, or the one this key made before.

        Raises:
            MediaError: POST_INVALID with every problem, INLINE_MEDIA_INVALID, MEDIA_NOT_FOUND, MEDIA_REJECTED,
                ACCOUNT_NOT_FOUND, QUOTA_EXCEEDED, and what storing inline media raises.
        """
        if idempotency_key is not None and (known := await self._posts.by_key(caller, idempotency_key)) is not None:
            return known
        resolved, facts = await self._check(caller, wanted)
        await self._check_quota(caller, plan, wanted)
        stored = await self._store_inline(wanted, idempotency_key)
        post = self._post(caller, wanted, resolved, {**facts, **stored})
        media = await self._pin(post)
        new = NewPost(post=post, plan=plan, media=media, idempotency_key=idempotency_key, request_id=request_id)
        try:
            added = await self._posts.add(caller, new)
        except MediaError as exc:
            if exc.code is Code.QUOTA_EXCEEDED:
                await self._unpin(post, media)
            raise
        if added:
            log.info("accepted", extra={"post_id": post.post_id, "targets": len(post.targets)})
            return post
        # Another request with this key was faster; its post is the answer, and ours holds nothing.
        await self._unpin(post, media)
        return await self._made_by(caller, idempotency_key)

    async def _check(self, caller: Caller, wanted: PostInput) -> tuple[Resolved, dict[str, MediaFacts]]:
        if violations := request.inline_problems(wanted):
            raise MediaError(Code.INLINE_MEDIA_INVALID, violations=violations)
        problems = request.problems(wanted, self._now())
        if problems:
            raise MediaError(Code.POST_INVALID, violations=problems)
        resolved = await self._resolver.resolve(caller, wanted.targets)
        facts = await self._facts(wanted)
        problems = [*resolved.problems, *self._checker.problems(wanted, resolved.accounts, facts, self._now())]
        if problems:
            raise MediaError(Code.POST_INVALID, violations=problems)
        return resolved, facts

    async def _facts(self, wanted: PostInput) -> dict[str, MediaFacts]:
        named = list(dict.fromkeys(item.media_id for _, item in wanted.all_media() if item.media_id is not None))
        facts = await asyncio.gather(*(self._media.get(media_id) for media_id in named))
        return dict(zip(named, map(_usable, facts), strict=True))

    async def _check_quota(self, caller: Caller, plan: str, wanted: PostInput) -> None:
        """Before anything is stored; checked once more, and surely, when the post is kept."""
        month = plans.due_period(self._now(), wanted.scheduled_at)
        spent = await self._posts.spent(caller, month)
        plans.check(plan, month, used=spent.used, open_targets=spent.open_targets, wanted=len(wanted.targets))

    async def _store_inline(self, wanted: PostInput, idempotency_key: str | None) -> dict[str, MediaFacts]:
        """Uploads every distinct image given as bytes, once even if the request is repeated after a crash.

        Keys are digests of the bytes.
        """
        distinct: dict[str, MediaInput] = {}
        for _, item in wanted.all_media():
            if item.data is not None:
                distinct.setdefault(_digest(item.data), item)
        stored = {}
        for n, (digest, item) in enumerate(distinct.items()):
            key = None if idempotency_key is None else f"{idempotency_key}/media/{n}"
            stored[digest] = _usable(await self._media.upload_image(item.data or b"", item.alt_text, key))
        return stored

    def _post(self, caller: Caller, wanted: PostInput, resolved: Resolved, facts: Mapping[str, MediaFacts]) -> Post:
        now = self._now()
        scheduled = wanted.scheduled_at is not None and wanted.scheduled_at > now
        post = Post(
            post_id=self._new_id("post"),
            live=caller.live,
            text=wanted.text,
            media=_refs(wanted.media, facts),
            targets=(),
            created_at=now,
            scheduled_at=wanted.scheduled_at,
        )
        by_id = {it.media_id: it for it in facts.values()}
        targets = []
        for n, (target, account) in enumerate(zip(wanted.targets, resolved.accounts, strict=True)):
            if account is None:
                raise ValueError("a target without an account passed the checks")
            made = _target(n, target, account.account_id, account.platform, facts)
            waits = any(by_id[ref.media_id].status != "ready" for ref in post.media_for(made))
            status = TargetStatus.WAITING_MEDIA if waits else TargetStatus.QUEUED
            targets.append(replace(made, status=TargetStatus.SCHEDULED if scheduled else status))
        return replace(post, targets=tuple(targets))

    async def _pin(self, post: Post) -> Sequence[MediaFacts]:
        """Holds the media before the post exists: a pin too many ends by itself, one too few loses bytes."""
        until = (post.scheduled_at or post.created_at) + PIN_LIFE
        return await asyncio.gather(*(self._media.pin(it, post.post_id, until) for it in post.media_ids()))

    async def _unpin(self, post: Post, media: Sequence[MediaFacts]) -> None:
        await asyncio.gather(*(self._media.unpin(it.media_id, post.post_id) for it in media))

    async def _made_by(self, caller: Caller, idempotency_key: str | None) -> Post:
        post = await self._posts.by_key(caller, idempotency_key or "")
        if post is None:
            raise MediaError(Code.UNAVAILABLE)
        return post


class ReadPosts:
    """Use cases: show one post, a page of them, or one as soon as it is settled."""

    def __init__(self, posts: Posts, now: Callable[[], datetime]) -> None:
        self._posts = posts
        self._now = now

    async def get(self, caller: Caller, post_id: str) -> Post:
        """Raises POST_NOT_FOUND."""
        post = await self._posts.get(caller, post_id)
        if post is None:
            raise MediaError(Code.POST_NOT_FOUND, post_id=post_id)
        return post

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None, status: PostStatus | None
    ) -> tuple[Sequence[Post], Position | None]:
        """A page, newest first, and where the next one starts."""
        found = await self._posts.page(caller, limit=limit + 1, after=after, status=status)
        last = found[limit - 1] if len(found) > limit else None
        return found[:limit], None if last is None else Position(last.created_at, last.post_id)

    async def settled(self, caller: Caller, post: Post, wait_s: float) -> Post:
        """The post once it is settled, or as it is after wait_s. A post held for later is not waited for."""
        if wait_s <= 0:
            return post
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        with self._posts.watch(post.post_id) as changed:
            while True:
                changed.clear()
                post = await self.get(caller, post.post_id)
                left_s = ends - loop.time()
                if post.settled or post.status is PostStatus.SCHEDULED or left_s <= 0:
                    return post
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, POLL_S)):
                        await changed.wait()

    async def usage(self, caller: Caller) -> tuple[str, int]:
        """The current month, and the targets published in it."""
        period = plans.period(self._now())
        return period, (await self._posts.spent(caller, period)).used


def _usable(facts: MediaFacts) -> MediaFacts:
    if facts.status in UNUSABLE:
        raise MediaError(Code.MEDIA_REJECTED, media_id=facts.media_id)
    return facts


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refs(items: Sequence[MediaInput], facts: Mapping[str, MediaFacts]) -> tuple[MediaRef, ...]:
    keys = [item.media_id if item.data is None else _digest(item.data) for item in items]
    return tuple(MediaRef(facts[key or ""].media_id, item.alt_text) for key, item in zip(keys, items, strict=True))


def _target(n: int, wanted: TargetInput, account_id: str, platform: str, facts: Mapping[str, MediaFacts]) -> Target:
    return Target(
        index=n,
        platform=platform,
        account_id=account_id,
        text=wanted.text,
        media=_refs(wanted.media, facts) if wanted.media else None,
        options=wanted.options,
    )

"""Accepting posts."""

import logging
from collections.abc import Callable
from datetime import datetime

from services.common.errors import Code, MediaError
from services.publisher.app.composing import Composer
from services.publisher.app.reviewing import Reviewer, keep_to_plan
from services.publisher.domain.post import Post
from services.publisher.domain.request import PostInput
from services.publisher.ports import Caller, NewPost, Posts

log = logging.getLogger("publisher.posting")


class CreatePost:
    """Use case: keep a post, or say everything that is wrong with it."""

    def __init__(
        self,
        *,
        posts: Posts,
        reviewer: Reviewer,
        composer: Composer,
        now: Callable[[], datetime],
        new_id: Callable[[str], str],
    ) -> None:
        self._posts = posts
        self._reviewer = reviewer
        self._composer = composer
        self._now = now
        self._new_id = new_id

    async def __call__(
        self, caller: Caller, wanted: PostInput, *, plan: str, idempotency_key: str | None, request_id: str
    ) -> Post:
        """The new post, or the one this key made before.

        Raises:
            MediaError: QUOTA_EXCEEDED, what a review raises, and what storing inline media raises.
        """
        if idempotency_key is not None and (known := await self._posts.by_key(caller, idempotency_key)) is not None:
            return known
        review = await self._reviewer.approve(caller, wanted)
        # Before anything is stored; checked once more, and surely, when the post is kept.
        await keep_to_plan(self._posts, caller, wanted, plan=plan, now=self._now())
        blank = Post(
            post_id=self._new_id("post"), live=caller.live, text="", media=(), targets=(), created_at=self._now()
        )
        post = await self._composer.compose(blank, wanted, review, key=idempotency_key)
        # Held before the post exists, so that there is no moment in which it could lose its media.
        media = await self._composer.pin(post)
        new = NewPost(post=post, plan=plan, media=media, idempotency_key=idempotency_key, request_id=request_id)
        try:
            added = await self._posts.add(caller, new)
        except MediaError as exc:
            if exc.code is Code.QUOTA_EXCEEDED:
                await self._composer.unpin(post)
            raise
        if added:
            log.info("accepted", extra={"post_id": post.post_id, "targets": len(post.targets)})
            return post
        # Another request with this key was faster; its post is the answer, and ours holds nothing.
        await self._composer.unpin(post)
        return await self._made_by(caller, idempotency_key)

    async def _made_by(self, caller: Caller, idempotency_key: str | None) -> Post:
        post = await self._posts.by_key(caller, idempotency_key or "")
        if post is None:
            raise MediaError(Code.UNAVAILABLE)
        return post

"""Showing posts, and what they have used of the plan."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from services.common.errors import Code, MediaError
from services.publisher.domain import plans
from services.publisher.domain.post import Post, PostStatus
from services.publisher.ports import Caller, Position, Posts

POLL_S = 1.0  # a waiting caller looks this often, woken or not: a wake-up may be lost with its connection


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

"""What a caller may still do to a post: change it while it waits, cancel what was not sent, send again what failed."""

import logging
from collections.abc import Callable

from services.common.errors import Code, MediaError
from services.publisher.app.composing import Composer
from services.publisher.app.reading import ReadPosts
from services.publisher.app.reviewing import Reviewer
from services.publisher.domain.post import Post, PostStatus, TargetStatus
from services.publisher.domain.request import PostChange
from services.publisher.ports import Caller, Changes, NewPost

log = logging.getLogger("publisher.changing")

TRIES = 3  # of a change that another change of the same post overtook


class ChangePosts:
    """Use cases: update, cancel, retry."""

    def __init__(
        self,
        *,
        changes: Changes,
        read: ReadPosts,
        reviewer: Reviewer,
        composer: Composer,
        new_id: Callable[[str], str],
    ) -> None:
        self._changes = changes
        self._read = read
        self._reviewer = reviewer
        self._composer = composer
        self._new_id = new_id

    async def update(self, caller: Caller, post_id: str, change: PostChange, *, plan: str, request_id: str) -> Post:
        """The scheduled post as it is now.

        Raises:
            MediaError: POST_NOT_FOUND, POST_STATE_CONFLICT when it is due, PRECONDITION_FAILED when others change it
                all the time, QUOTA_EXCEEDED, what a review raises, and what storing inline media raises.
        """
        key = f"{post_id}/{self._new_id('evt')}"  # images given in the request are stored once, whatever the tries
        for _ in range(TRIES):
            post = await self._read.get(caller, post_id)
            if post.status is not PostStatus.SCHEDULED:
                raise _conflict(post, "changed")
            wanted = change.applied_to(post)
            review = await self._reviewer.approve(caller, wanted)
            changed = await self._composer.compose(post, wanted, review, key=key)
            await self._changes.hold(caller, post_id, changed.media_ids())
            media = await self._composer.pin(changed)
            new = NewPost(post=changed, plan=plan, media=media, idempotency_key=None, request_id=request_id)
            if await self._changes.replace(caller, new):
                log.info("changed", extra={"post_id": post_id, "targets": len(changed.targets)})
                return await self._read.get(caller, post_id)
        raise MediaError(Code.PRECONDITION_FAILED)

    async def cancel(self, caller: Caller, post_id: str) -> Post:
        """The post, with everything canceled that nothing was sent of. A canceled post stays as it is.

        Raises:
            MediaError: POST_NOT_FOUND, POST_STATE_CONFLICT when nothing can be canceled any more.
        """
        await self._read.get(caller, post_id)
        if await self._changes.cancel(caller, post_id):
            log.info("canceled", extra={"post_id": post_id})
        post = await self._read.get(caller, post_id)
        if not any(target.status is TargetStatus.CANCELED for target in post.targets):
            raise _conflict(post, "canceled")
        return post

    async def retry(self, caller: Caller, post_id: str, *, plan: str, unconfirmed: bool) -> Post:
        """The post, with its failed targets queued again; `unconfirmed`: those too, on the caller's responsibility.

        Raises:
            MediaError: POST_NOT_FOUND, POST_STATE_CONFLICT, QUOTA_EXCEEDED, MEDIA_NOT_FOUND when its media are gone.
        """
        post = await self._read.get(caller, post_id)
        again = {TargetStatus.FAILED, TargetStatus.UNCONFIRMED} if unconfirmed else {TargetStatus.FAILED}
        if not any(target.status in again for target in post.targets):
            raise _conflict(post, "sent again")
        await self._changes.hold(caller, post_id, post.media_ids())
        await self._composer.pin(post)
        if not await self._changes.requeue(caller, post_id, again, plan=plan):
            raise _conflict(await self._read.get(caller, post_id), "sent again")
        log.info("queued again", extra={"post_id": post_id})
        return await self._read.get(caller, post_id)


def _conflict(post: Post, action: str) -> MediaError:
    return MediaError(Code.POST_STATE_CONFLICT, post_id=post.post_id, status=post.status.value, action=action)

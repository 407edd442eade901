"""Media, posts and accounts as events show them: as the API does, without what has no bound."""

import asyncio
from collections.abc import Mapping

import grpc
from mediaapi.v1 import ingest_service_pb2 as ingest
from mediaapi.v1 import ingest_service_pb2_grpc, media_pb2

from services.common.errors import Code, MediaError
from services.common.public_json import to_json
from services.publisher import account_view, post_view
from services.publisher.app.webhooks.ports import AccountResource, PostResource
from services.publisher.domain.post import JSON
from services.publisher.ports import Accounts, Caller, Posts

# An event that is given back too often is laid aside; a stage that is away is no reason for that.
PATIENCE_S = 600.0
AGAIN_AFTER_S = 1.0


class StageResources:
    """ports.Resources: media from the ingest stage, all else from our own tables."""

    def __init__(self, channel: grpc.aio.Channel, posts: Posts, accounts: Accounts) -> None:
        self._ingest = ingest_service_pb2_grpc.IngestServiceStub(channel)
        self._posts = posts
        self._accounts = accounts

    async def media(self, media_id: str) -> Mapping[str, JSON] | None:
        """The item without its variants, of which there may be any number. Waits while the stage is away."""
        item = await self._item(media_id)
        if item is None:
            return None
        del item.variants[:]
        found = to_json(item)
        del found["variants"]
        return found

    async def _item(self, media_id: str) -> media_pb2.Media | None:
        ends = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                found: media_pb2.Media = await self._ingest.GetMedia(ingest.GetMediaRequest(id=media_id))
            except MediaError as exc:
                if exc.code is Code.MEDIA_NOT_FOUND:
                    return None
                if not exc.row.retryable or asyncio.get_running_loop().time() > ends:
                    raise
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                return found

    async def post(self, workspace_id: str, post_id: str) -> PostResource | None:
        """The post without its texts, which may be long and which its author knows."""
        for live in (True, False):
            post = await self._posts.get(Caller(workspace_id, live), post_id)
            if post is not None:
                found = to_json(post_view.message(post))
                del found["text"]
                found["media"] = [{"mediaId": ref.media_id} for ref in post.media]
                statuses = [target.status for target in post.targets]
                return PostResource(live=live, status=post.status, targets=statuses, json=found)
        return None

    async def account(self, workspace_id: str, account_id: str) -> AccountResource | None:
        """The account; nothing of its credentials."""
        for live in (True, False):
            account = await self._accounts.get(Caller(workspace_id, live), account_id)
            if account is not None:
                return AccountResource(live=live, json=to_json(account_view.message(account)))
        return None

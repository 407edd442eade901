"""Media, posts and accounts as events show them: as the API does, without what has no bound."""

from collections.abc import Mapping

import grpc
from mediaapi.v1 import ingest_service_pb2 as ingest
from mediaapi.v1 import ingest_service_pb2_grpc

from services.common.errors import Code, MediaError
from services.common.public_json import to_json
from services.publisher import account_view, post_view
from services.publisher.app.webhooks.ports import AccountResource, PostResource
from services.publisher.domain.post import JSON
from services.publisher.ports import Accounts, Caller, Posts


class StageResources:
    """ports.Resources: media from the ingest stage, all else from our own tables."""

    def __init__(self, channel: grpc.aio.Channel, posts: Posts, accounts: Accounts) -> None:
        self._ingest = ingest_service_pb2_grpc.IngestServiceStub(channel)
        self._posts = posts
        self._accounts = accounts

    async def media(self, media_id: str) -> Mapping[str, JSON] | None:
        """The item without its variants, of which there may be any number."""
        try:
            item = await self._ingest.GetMedia(ingest.GetMediaRequest(id=media_id))
        except MediaError as exc:
            if exc.code is Code.MEDIA_NOT_FOUND:
                return None
            raise
        del item.variants[:]
        found = to_json(item)
        del found["variants"]
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

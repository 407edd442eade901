"""From bytes to a published post through every stage of the local stack."""

import asyncio
import hashlib
import itertools
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from google.protobuf.struct_pb2 import Struct
from mediaapi.v1 import ingest_service_pb2 as ingest_pb
from mediaapi.v1 import media_pb2, post_pb2
from mediaapi.v1 import publisher_service_pb2 as pb
from mediaapi.v1.ingest_service_pb2_grpc import IngestServiceStub
from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceStub

from deploy.local.ports import HOST, Ports
from deploy.local.stack import Stack
from deploy.local.state import State
from deploy.local.tenant import DemoAccount
from services.common import context, rpc
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.publisher.adapters.stages import IngestMedia
from tests.media import film, jpeg

if TYPE_CHECKING:
    from mediaapi.v1.ingest_service_pb2_grpc import IngestServiceAsyncStub
    from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceAsyncStub

WIDTHS = itertools.count(401)  # each makes other bytes than the ones before
UNSETTLED = (post_pb2.POST_STATUS_PUBLISHING, post_pb2.POST_STATUS_SCHEDULED)


@dataclass(slots=True)
class House:
    """The stack, spoken to as the gateway does."""

    stack: Stack
    ingest: "IngestServiceAsyncStub"
    publisher: "PublisherServiceAsyncStub"
    source: IngestMedia
    caller: CallContext

    def account(self, platform: str) -> DemoAccount:
        return next(it for it in self.stack.tenant.accounts if it.platform == platform)

    async def upload(self, data: bytes) -> media_pb2.Media:
        async def frames() -> AsyncIterator[ingest_pb.UploadMediaRequest]:
            yield ingest_pb.UploadMediaRequest(header=ingest_pb.UploadHeader(filename="file"))
            for at in range(0, len(data), 1 << 18):
                yield ingest_pb.UploadMediaRequest(chunk=data[at : at + (1 << 18)])
            yield ingest_pb.UploadMediaRequest(trailer=ingest_pb.UploadTrailer())

        with context.use(replace(self.caller, wait_s=0.0)):
            answer: media_pb2.Media = await self.ingest.UploadMedia(frames())
        return answer

    async def media(self, media_id: str) -> media_pb2.Media:
        answer: media_pb2.Media = await self.ingest.GetMedia(ingest_pb.GetMediaRequest(id=media_id))
        return answer

    async def ready(self, media_id: str, within_s: float = 30.0) -> media_pb2.Media:
        """The item once ingest was told of its variants; a post may be out before that."""
        async with asyncio.timeout(within_s):
            while (found := await self.media(media_id)).status != media_pb2.MEDIA_STATUS_READY:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return found

    async def media_count(self) -> int:
        answer: ingest_pb.ListMediaResponse = await self.ingest.ListMedia(ingest_pb.ListMediaRequest(limit=100))
        return len(answer.data)

    async def post(
        self,
        platform: str,
        *media: post_pb2.PostMediaInput,
        text: str = "",
        options: Mapping[str, str] | None = None,
        key: str | None = None,
        wait_s: float = 0.0,
    ) -> post_pb2.Post:
        target = post_pb2.PostTargetInput(account_id=self.account(platform).id, options=Struct())
        target.options.update(options or {})
        request = pb.CreatePostRequest(text=text or uuid.uuid4().hex, targets=[target], media=media)
        with context.use(replace(self.caller, wait_s=wait_s, idempotency_key=key)):
            answer: post_pb2.Post = await self.publisher.CreatePost(request)
        return answer

    async def settled(self, post: post_pb2.Post, within_s: float = 60.0) -> post_pb2.Post:
        async with asyncio.timeout(within_s):
            while True:
                found: post_pb2.Post = await self.publisher.GetPost(pb.GetPostRequest(id=post.id))
                if found.status not in UNSETTLED:
                    return found
                await asyncio.sleep(0.1)

    async def received(self, platform: str, text: str) -> dict[str, Any]:
        """The one post of this text that the platform has."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.stack.wiring.sandbox_url}/{platform}/_sandbox/posts")
        [post] = [it for it in answer.raise_for_status().json()["posts"] if it["text"] == text]
        found: dict[str, Any] = post
        return found


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Started once."""
    with (
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
        Stack(State(Path(folder)), ports=Ports.free()) as running,
    ):
        yield running


@pytest.fixture
async def house(stack: Stack) -> AsyncIterator[House]:
    """The stack's own workspace."""
    caller = CallContext(stack.tenant.workspace_id, "req_1", plan="business")
    async with (
        rpc.channel(f"{HOST}:{stack.ports.ingest}") as ingest,
        rpc.channel(f"{HOST}:{stack.ports.publisher}") as publisher,
    ):
        with context.use(caller):
            yield House(stack, IngestServiceStub(ingest), PublisherServiceStub(publisher), IngestMedia(ingest), caller)


def item(media: media_pb2.Media) -> post_pb2.PostMediaInput:
    return post_pb2.PostMediaInput(media_id=media.id, alt_text="A test picture")


async def test_a_photo_is_published_as_the_rendition_the_cdn_serves(house: House) -> None:
    photo = await house.upload(jpeg(2400, 1600))
    post = await house.settled(await house.post("bluesky", item(photo)))
    [target] = post.targets
    assert (post.status, target.variant) == (post_pb2.POST_STATUS_PUBLISHED, "bluesky.image"), post
    found = await house.ready(photo.id)
    [url] = [it.url for it in found.variants if it.preset == target.variant]
    assert url.startswith(f"{house.stack.url}/cdn/{photo.id}/")
    async with httpx.AsyncClient(trust_env=False) as client:
        served = (await client.get(url)).raise_for_status().content
    [medium] = (await house.received("bluesky", post.text))["media"]
    assert (medium["sha256"], medium["sizeBytes"]) == (hashlib.sha256(served).hexdigest(), len(served))
    assert medium["altText"] == "A test picture"


async def test_inline_bytes_are_a_photo_like_any_other(house: House) -> None:
    inline = post_pb2.PostMediaInput(data=jpeg(next(WIDTHS)), alt_text="inline")
    post = await house.post("bluesky", inline, wait_s=30.0)
    assert post.status == post_pb2.POST_STATUS_PUBLISHED, post
    await house.ready(post.media[0].media_id)
    assert len((await house.received("bluesky", post.text))["media"]) == 1


async def test_a_create_repeated_after_a_crash_stores_its_bytes_once(house: House) -> None:
    key, data = uuid.uuid4().hex, jpeg(next(WIDTHS))
    # What the first request did before its process ended; the second one begins anew.
    first = await house.source.upload_image(data, "inline", f"{key}/media/0")
    before = await house.media_count()
    post = await house.post("bluesky", post_pb2.PostMediaInput(data=data, alt_text="inline"), key=key, wait_s=30.0)
    again = await house.post("bluesky", post_pb2.PostMediaInput(data=data, alt_text="inline"), key=key)
    assert [it.media_id for it in post.media] == [first.media_id]
    assert (again.id, await house.media_count()) == (post.id, before)


async def test_a_post_waits_for_a_transcoder_that_is_away(house: House) -> None:
    await asyncio.to_thread(house.stack.stop_daemon, "transcoder")
    photo = await house.upload(jpeg(next(WIDTHS)))
    async with asyncio.timeout(30):
        while (await house.media(photo.id)).status < media_pb2.MEDIA_STATUS_PROCESSING:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    post = await house.post("bluesky", item(photo), wait_s=2.0)
    assert post.targets[0].status == post_pb2.TARGET_STATUS_WAITING_MEDIA
    assert post.targets[0].attempts == 0
    await asyncio.to_thread(house.stack.start_daemon, "transcoder")
    assert (await house.settled(post)).status == post_pb2.POST_STATUS_PUBLISHED


async def test_a_film_the_platform_cannot_take_settles_the_target_with_the_reason(house: House) -> None:
    await asyncio.to_thread(house.stack.stop_daemon, "transcoder")
    short = await house.upload(film(320, 240, seconds=1, fps=10))
    board = {"boardId": "1234567890123"}
    post = await house.post("pinterest", item(short), options=board)
    await asyncio.to_thread(house.stack.start_daemon, "transcoder")
    post = await house.settled(post)
    assert post.status == post_pb2.POST_STATUS_FAILED
    assert post.targets[0].error.code == "duration_too_short", post
    async with asyncio.timeout(60):
        while (await house.media(short.id)).status == media_pb2.MEDIA_STATUS_PROCESSING:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    with pytest.raises(MediaError) as caught:
        await house.post("pinterest", item(short), options=board)
    assert caught.value.code is Code.POST_INVALID
    assert [it.field for it in caught.value.violations] == ["media[0].mediaId"]


async def test_a_settled_post_lets_its_media_be_deleted(house: House) -> None:
    photo = await house.upload(jpeg(next(WIDTHS)))
    await house.settled(await house.post("bluesky", item(photo)))
    await house.ingest.DeleteMedia(ingest_pb.DeleteMediaRequest(id=photo.id))
    with pytest.raises(MediaError) as caught:
        await house.post("bluesky", item(photo))
    assert caught.value.code is Code.MEDIA_NOT_FOUND

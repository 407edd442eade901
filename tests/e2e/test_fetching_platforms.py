"""Platforms that fetch a post's media from the CDN by themselves: from an upload to what they published."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import body
from tests.e2e.tenants import Tenancy, received

PLATFORMS = ("instagram", "threads")


@pytest.fixture
def targets(tenancy: Tenancy) -> dict[str, dict[str, Any]]:
    """A target for an account on each."""
    made = {}
    for platform in PLATFORMS:
        wanted = {
            "platform": platform,
            "displayName": platform,
            "credentials": {"access_token": f"sandbox-{tenancy.workspace_id}"},
        }
        account = body(tenancy.client.http.post("/v1/accounts", json=wanted))
        made[platform] = {"platform": platform, "accountId": account["id"]}
    return made


def fetched(stack: Stack, platform: str, post_id: str) -> list[bytes]:
    """The files of what was published there under this id."""
    (post,) = [it for it in received(stack, platform) if it["id"] == post_id]
    files = f"{stack.wiring.sandbox_url}/{platform}/_sandbox/files"
    return [httpx.get(f"{files}/{medium['sha256']}").content for medium in post["media"]]


def size(data: bytes) -> tuple[int, int]:
    """Of a picture, in pixels."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def test_a_photo_is_fetched_for_the_feed_the_story_and_the_thread(
    stack: Stack, tenancy: Tenancy, targets: dict[str, dict[str, Any]]
) -> None:
    photo = tenancy.client.stored(media.jpeg(900, 1600, gps=True), altText="a tower")
    story = {**targets["instagram"], "text": "", "options": {"mediaType": "story"}}
    wanted = [targets["instagram"], story, targets["threads"]]
    post = tenancy.client.settled_post(body(tenancy.client.create_post("Up there #tower", [photo["id"]], wanted))["id"])
    assert [target["status"] for target in post["targets"]] == ["published"] * 3, post
    feed, tall, thread = (fetched(stack, target["platform"], target["platformPostId"])[0] for target in post["targets"])
    assert size(feed)[0] / size(feed)[1] >= 0.8  # with bars, since the feed takes nothing narrower
    assert size(tall) == size(thread) == (900, 1600)
    shown = {target["url"].split("/")[2] for target in post["targets"]}
    assert shown == {"www.instagram.com", "www.threads.com"}


def test_a_video_is_fetched_with_its_cover_once_though_the_answer_is_lost(
    stack: Stack, tenancy: Tenancy, targets: dict[str, dict[str, Any]]
) -> None:
    film = tenancy.client.stored(media.film(seconds=4), "film.mp4")
    for platform, path in (("instagram", "*/media_publish"), ("threads", "*/threads_publish")):
        faults = f"{stack.wiring.sandbox_url}/{platform}/_sandbox/faults"
        httpx.post(faults, json={"path": path, "mode": "drop_after"}).raise_for_status()
    wanted = list(targets.values())
    post = tenancy.client.settled_post(body(tenancy.client.create_post("moving", [film["id"]], wanted))["id"])
    assert [target["status"] for target in post["targets"]] == ["published"] * 2, post
    for target in post["targets"]:
        ours = [it for it in received(stack, target["platform"]) if it["account"] == tenancy.workspace_id]
        assert [it["id"] for it in ours] == [target["platformPostId"]]
        assert ours[0]["media"][0]["contentType"] == "video/mp4"
    reel = next(it for it in received(stack, "instagram") if it["account"] == tenancy.workspace_id)
    assert reel["cover"]["contentType"] == "image/jpeg"

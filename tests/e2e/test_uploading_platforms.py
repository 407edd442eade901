"""Platforms videos are sent to in pieces: from an upload to what they published."""

from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import body
from tests.e2e.tenants import Tenancy, received

PLATFORMS = ("tiktok", "youtube")


@pytest.fixture
def targets(tenancy: Tenancy) -> list[dict[str, Any]]:
    """A target for an account on each."""
    made = []
    for platform in PLATFORMS:
        credentials = {"access_token": f"sandbox-{tenancy.workspace_id}"}
        wanted = {"platform": platform, "displayName": platform, "credentials": credentials}
        account = body(tenancy.client.http.post("/v1/accounts", json=wanted))
        made.append({"platform": platform, "accountId": account["id"]})
    return made


@pytest.mark.timeout(300)
def test_a_video_is_sent_once_though_answers_are_lost(
    stack: Stack, tenancy: Tenancy, targets: list[dict[str, Any]]
) -> None:
    film = tenancy.client.stored(media.film(720, 1280, seconds=4, fps=24, audio=True), "film.mp4", altText="waves")
    for platform, path, method in (
        ("tiktok", "/upload/video/", "PUT"),
        ("youtube", "/upload/youtube/v3/videos", "PUT"),
        ("youtube", "/youtube/v3/videos", "PUT"),
    ):
        fault = {"path": path, "mode": "drop_after", "method": method}
        httpx.post(f"{stack.wiring.sandbox_url}/{platform}/_sandbox/faults", json=fault).raise_for_status()
    made = tenancy.client.create_post("Waves\nThey come and go.", [film["id"]], targets)
    post = tenancy.client.settled_post(body(made)["id"], within_s=180)
    assert [target["status"] for target in post["targets"]] == ["published"] * 2, post
    assert [target["variant"] for target in post["targets"]] == ["tiktok.video", "youtube.video"]
    for target in post["targets"]:
        ours = [it for it in received(stack, target["platform"]) if it["account"] == tenancy.workspace_id]
        assert [it["id"] for it in ours] == [target["platformPostId"]]
        assert (ours[0]["media"][0]["contentType"], ours[0]["text"]) == ("video/mp4", "Waves\nThey come and go.")
        assert target["url"].startswith(f"https://www.{target['platform']}.com/")
    (video,) = [it for it in received(stack, "youtube") if it["account"] == tenancy.workspace_id]
    assert (video["title"], video["cover"]["contentType"]) == ("Waves", "image/jpeg")


def test_photos_are_posted_together(stack: Stack, tenancy: Tenancy, targets: list[dict[str, Any]]) -> None:
    photos = [tenancy.client.stored(media.jpeg(2400, 1600 + n, gps=True)) for n in range(2)]
    wanted = [{**targets[0], "options": {"title": "Two", "privacy": "friends", "coverIndex": 1}}]
    made = tenancy.client.create_post("two of them", [it["id"] for it in photos], wanted)
    post = tenancy.client.settled_post(body(made)["id"])
    assert post["status"] == "published", post
    (ours,) = [it for it in received(stack, "tiktok") if it["account"] == tenancy.workspace_id]
    assert (ours["title"], ours["info"]["privacy_level"]) == ("Two", "MUTUAL_FOLLOW_FRIENDS")
    assert [(it["contentType"], it["width"]) for it in ours["media"]] == [("image/jpeg", 1080)] * 2


def test_what_a_platform_does_not_take_is_told_at_once(tenancy: Tenancy, targets: list[dict[str, Any]]) -> None:
    photo = tenancy.client.stored(media.jpeg(300, 300))
    answer = tenancy.client.create_post("x", [photo["id"]], [{**targets[1], "options": {"title": "<b>"}}])
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "post_invalid")
    fields = {problem["field"] for problem in answer.json()["errors"]}
    assert {"media", "targets[0].options.title"} <= fields

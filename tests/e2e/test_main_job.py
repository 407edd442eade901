"""The two examples of the README, and what their reader sees afterwards."""

import base64
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from deploy.local.stack import Stack
from deploy.local.state import REPOSITORY
from services.platforms import catalog
from tests import media
from tests.e2e.client import Client, body, eventually
from tests.e2e.tenants import Tenancy, received

CURL = (
    'curl -sS -X POST $LMP_BASE_URL/v1/media -H "Authorization: Bearer $LMP_KEY" -F "file=@./photo.jpg" -F "kind=image"'
)
TEXT = "Same photo, three platforms, one upload."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples are run: it holds ./photo.jpg."""
    path = tmp_path_factory.mktemp("examples")
    (path / "photo.jpg").write_bytes(media.jpeg(4032, 3024, gps=True))
    return path


def shell(stack: Stack, command: str, folder: Path) -> Any:
    """What a command prints, as JSON, run as somebody who sourced the printed environment."""
    env = os.environ | {"LMP_BASE_URL": stack.url, "LMP_KEY": stack.api_key, "LMP_API_KEY": stack.api_key}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_curl_example_answers_with_a_ready_photo(stack: Stack, folder: Path) -> None:
    found = shell(stack, CURL, folder)
    assert found["id"].startswith("med_")
    assert (found["kind"], found["status"]) == ("image", "ready")
    assert (found["width"], found["height"], found["contentType"]) == (4032, 3024, "image/jpeg")


def test_the_typescript_example_publishes_to_three_platforms(stack: Stack, client: Client, folder: Path) -> None:
    before = {platform: len(received(stack, platform)) for platform in ("bluesky", "x", "pinterest")}
    accepted = shell(stack, f"npm --prefix {REPOSITORY}/sdk/typescript run --silent example", folder)
    post = client.settled_post(accepted["id"])
    assert post["status"] == "published", post
    assert [target["platform"] for target in post["targets"]] == ["bluesky", "x", "pinterest"]
    for target in post["targets"]:
        assert target["status"] == "published"
        assert target["platformPostId"]
        assert target["publishedAt"]
        assert target["error"] is None
        assert target["attempts"] == 1
    for platform, count in before.items():
        newest, *rest = received(stack, platform)
        assert len(rest) == count
        assert newest["text"] == TEXT
        (picture,) = newest["media"]
        assert picture["altText"] == "Receipt-themed landing page"
        sent = httpx.get(f"{stack.wiring.sandbox_url}/{platform}/_sandbox/files/{picture['sha256']}").content
        limits = catalog.load()[platform].image
        assert limits is not None
        assert len(sent) <= limits.limits.max_bytes
        with Image.open(io.BytesIO(sent)) as image:
            assert not image.getexif()
            assert abs(image.width / image.height - 4 / 3) < 0.01


def test_an_eight_megabyte_photo_is_ready_in_the_answer_and_its_url_works(client: Client) -> None:
    data = media.jpeg_of_size(8_000_000)
    answer = client.upload(data, kind="image", altText="a wall of noise")
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["status"], found["sizeBytes"], found["altText"]) == ("ready", len(data), "a wall of noise")
    shown = httpx.get(found["url"])
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in shown.headers["content-security-policy"]
    for variant in found["variants"]:
        assert variant["status"] == "ready", variant
        rendition = httpx.get(variant["url"]).content
        assert len(rendition) == variant["sizeBytes"]
        with Image.open(io.BytesIO(rendition)) as image:
            assert (image.width, image.height) == (variant["width"], variant["height"])
        limits = catalog.presets("image")[variant["preset"]].limits
        assert variant["sizeBytes"] <= limits.max_bytes
        assert variant["contentType"] in limits.accept
    wanted = {"bluesky.image", "x.image", "pinterest.image", "instagram.feed", "threads.image", "display"}
    assert wanted <= {variant["preset"] for variant in found["variants"]}


def test_a_photo_is_found_described_and_fetched_back_by_its_owner_alone(client: Client, tenancy: Tenancy) -> None:
    data = media.jpeg(640, 480, gps=True)
    found = client.stored(data, "Grüße.jpg")
    assert next(client.all_media())["id"] == found["id"]
    patched = body(client.http.patch(f"/v1/media/{found['id']}", json={"altText": "two chairs"}))
    assert patched["altText"] == "two chairs"
    source = client.http.get(f"/v1/media/{found['id']}/source", headers={"Range": "bytes=10-19"})
    assert (source.status_code, source.content) == (206, data[10:20])
    assert source.headers["content-disposition"].startswith("attachment")
    stranger = tenancy.client.http
    assert stranger.get(f"/v1/media/{found['id']}").status_code == 404
    assert stranger.get(f"/v1/media/{found['id']}/source").status_code == 404
    assert list(tenancy.client.all_media()) == []


def test_a_deleted_photo_is_gone_everywhere_and_its_post_stays(stack: Stack, tenancy: Tenancy) -> None:
    client = tenancy.client
    found = client.stored(media.jpeg(800, 600))
    post = client.settled_post(body(client.create_post("soon gone", [found["id"]], tenancy.targets))["id"])
    assert post["status"] == "published", post
    urls = [found["url"], *(variant["url"] for variant in found["variants"])]
    assert client.http.delete(f"/v1/media/{found['id']}").status_code == 204
    assert client.http.get(f"/v1/media/{found['id']}").status_code == 404
    assert client.http.delete(f"/v1/media/{found['id']}").status_code == 404
    refused = client.create_post("again", [found["id"]], tenancy.targets)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "media_not_found")
    eventually(lambda: {httpx.get(url).status_code for url in urls} == {404}, within_s=20)
    assert client.settled_post(post["id"])["status"] == "published"


def test_the_same_photo_twice_is_made_once_and_each_is_deleted_alone(tenancy: Tenancy) -> None:
    client = tenancy.client
    data = media.jpeg(1200, 900)
    first, second = client.stored(data), client.stored(data)
    assert first["id"] != second["id"]
    for one, other in zip(first["variants"], second["variants"], strict=True):
        assert one["url"] != other["url"]
        assert httpx.get(one["url"]).content == httpx.get(other["url"]).content
    assert client.http.delete(f"/v1/media/{first['id']}").status_code == 204
    eventually(lambda: httpx.get(first["url"]).status_code == 404, within_s=20)
    assert httpx.get(second["url"]).status_code == 200


def test_an_inline_picture_is_published_like_an_uploaded_one(stack: Stack, tenancy: Tenancy) -> None:
    client = tenancy.client
    wanted = {
        "text": "inline",
        "targets": tenancy.targets,
        "media": [{"data": base64.b64encode(media.jpeg(600, 400)).decode(), "kind": "image", "altText": "by hand"}],
    }
    post = client.settled_post(body(client.http.post("/v1/posts", json=wanted))["id"])
    assert post["status"] == "published", post
    (stored,) = client.all_media()
    assert post["media"][0]["mediaId"] == stored["id"]
    assert received(stack, "bluesky")[0]["media"][0]["altText"] == "by hand"


def test_only_what_was_published_is_metered(tenancy: Tenancy) -> None:
    client = tenancy.client
    assert body(client.http.get("/v1/usage"))["postsPublished"] == 0
    found = client.stored(media.jpeg(300, 300))
    refused = client.create_post("x" * 5000, [found["id"]], tenancy.targets)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "post_invalid")
    assert {violation["field"] for violation in refused.json()["errors"]} >= {"targets[0].text", "targets[1].text"}
    client.settled_post(body(client.create_post("counted", [found["id"]], tenancy.targets))["id"])
    assert body(client.http.get("/v1/usage"))["postsPublished"] == len(tenancy.targets)


def test_an_account_is_tried_again_on_demand(tenancy: Tenancy) -> None:
    http = tenancy.client.http
    account = body(http.get(f"/v1/accounts/{tenancy.targets[0]['accountId']}"))
    assert account["status"] == "active"
    assert body(http.post(f"/v1/accounts/{account['id']}/verify")) == account
    unknown = http.post("/v1/accounts/acc_01HXZ4N9AAAAAAAAAAAAAAAAAA/verify")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "account_not_found")


def test_a_variant_nobody_needed_is_made_on_demand(client: Client) -> None:
    found = client.stored(media.jpeg(1500, 2000))
    asked = client.http.post(f"/v1/media/{found['id']}/variants", json={"preset": "instagram.story"})
    assert asked.status_code in (200, 202), asked.text
    eventually(
        lambda: (
            client.http.post(f"/v1/media/{found['id']}/variants", json={"preset": "instagram.story"}).json()["status"]
            == "ready"
        ),
        within_s=30,
    )

    def listed() -> dict[str, Any]:
        by_preset: dict[str, dict[str, Any]] = {one["preset"]: one for one in client.media(found["id"])["variants"]}
        return by_preset["instagram.story"]

    eventually(lambda: listed()["status"] == "ready", within_s=30)  # told by an event, a moment later
    assert httpx.get(listed()["url"]).status_code == 200
    unknown = client.http.post(f"/v1/media/{found['id']}/variants", json={"preset": "nowhere.image"})
    assert unknown.json()["error"]["code"] == "preset_unknown"

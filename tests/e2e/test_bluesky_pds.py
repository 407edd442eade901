"""Live keys and the real PDS: from an upload to a record anybody can read there."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from PIL import Image

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, body
from tests.e2e.tenants import Tenancy


class Live:
    """A workspace whose Bluesky account lives on the PDS."""

    def __init__(self, stack: Stack, pds: Mapping[str, str]) -> None:
        self.pds = pds
        self.client: Client = Tenancy(stack, mode="live").client
        account = {
            "platform": "bluesky",
            "displayName": "Alice",
            "serviceUrl": pds["url"],
            "credentials": {"identifier": pds["handle"], "password": pds["password"]},
        }
        self.account = body(self.client.http.post("/v1/accounts", json=account))

    def publish(self, text: str, *media_ids: str) -> dict[str, Any]:
        target = {"platform": "bluesky", "accountId": self.account["id"]}
        created = body(self.client.create_post(text, media_ids, [target]))
        return self.client.settled_post(created["id"])

    def record(self, post: Mapping[str, Any]) -> dict[str, Any]:
        """As everybody reads it."""
        did, collection, rkey = post["targets"][0]["platformPostId"].removeprefix("at://").split("/")
        query = {"repo": did, "collection": collection, "rkey": rkey}
        answer = httpx.get(f"{self.pds['url']}/xrpc/com.atproto.repo.getRecord", params=query)
        value: dict[str, Any] = body(answer)["value"]
        return value

    def blob(self, reference: Mapping[str, Any]) -> bytes:
        query = {"did": self.pds["did"], "cid": reference["ref"]["$link"]}
        return httpx.get(f"{self.pds['url']}/xrpc/com.atproto.sync.getBlob", params=query).content


@pytest.fixture(scope="module")
def live(stack: Stack, pds: Mapping[str, str]) -> Iterator[Live]:
    found = Live(stack, pds)
    yield found
    found.client.close()


def test_a_photo_is_readable_back_from_the_pds(live: Live) -> None:
    photo = live.client.stored(media.jpeg(4032, 3024, gps=True, orientation=6), altText="a lake")
    post = live.publish("one photo, see https://example.com #lake", photo["id"])
    assert post["status"] == "published", post
    record = live.record(post)
    assert record["text"] == "one photo, see https://example.com #lake"
    assert [facet["features"][0]["$type"].rpartition("#")[2] for facet in record["facets"]] == ["link", "tag"]
    (image,) = record["embed"]["images"]
    assert image["alt"] == "a lake"
    shape = image["aspectRatio"]
    assert abs(shape["width"] / shape["height"] - 3 / 4) < 0.01
    data = live.blob(image["image"])
    assert len(data) == image["image"]["size"] <= 999_424
    with Image.open(io.BytesIO(data)) as seen:
        assert (seen.width, seen.height) == (shape["width"], shape["height"])
        assert not seen.getexif()


def test_a_clip_is_readable_back_from_the_pds(live: Live) -> None:
    clip = live.client.stored(media.film(320, 180, seconds=2, fps=30, audio=True), "clip.mp4", altText="waves")
    post = live.publish("a clip", clip["id"])
    assert post["status"] == "published", post
    embed = live.record(post)["embed"]
    assert (embed["$type"], embed["alt"], embed["video"]["mimeType"]) == ("app.bsky.embed.video", "waves", "video/mp4")
    assert live.blob(embed["video"])[4:8] == b"ftyp"


def test_a_wrong_password_is_told_when_connecting(live: Live) -> None:
    account = {
        "platform": "bluesky",
        "serviceUrl": live.pds["url"],
        "credentials": {"identifier": live.pds["handle"], "password": "not-the-password"},
    }
    answer = live.client.http.post("/v1/accounts", json=account)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "account_credentials_invalid")


def test_an_account_on_this_machine_is_refused_unless_its_server_is_trusted(live: Live, stack: Stack) -> None:
    for url in (
        "http://127.0.0.1:1",
        f"http://127.0.0.1:{stack.ports.postgres}",
        "http://169.254.169.254",
        "http://[::1]",
    ):
        account = {
            "platform": "bluesky",
            "serviceUrl": url,
            "credentials": {"identifier": "alice.test", "password": "secret"},
        }
        answer = live.client.http.post("/v1/accounts", json=account)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "serviceUrl"), answer.text

"""Servers differ in what they take: ours is asked before anything is sent, and refuses whoever did not ask."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from services.platforms.ports import Draft, Fault, PlatformError
from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played, Sandboxes
from tests.contract.platforms.samples import Reading, asset, draft

FORBIDDEN = [
    pytest.param(draft("x" * 101), "text_too_long", id="text"),
    pytest.param(draft("x" * 71 + " https://a.example.com"), "text_too_long", id="links"),
    pytest.param(draft("", *[asset(samples.picture(40, 30)) for _ in range(3)]), "too_many_media", id="count"),
    pytest.param(draft("", asset(samples.picture(40, 30, "WEBP"))), "media_type_unsupported", id="type"),
    pytest.param(draft("", asset(samples.picture(400, 300, "PNG"))), "media_too_large", id="bytes"),
    pytest.param(draft("", asset(samples.gif(64, 48))), "media_type_unsupported", id="gif"),
    pytest.param(draft("", asset(samples.film(0.5, 400, 300))), "media_dimensions_exceeded", id="matrix"),
    pytest.param(draft("", asset(samples.picture(40, 30), alt_text="y" * 51)), "alt_text_too_long", id="alt-text"),
]


@pytest.fixture
def small(sandboxes: Sandboxes) -> Played:
    """A server that takes little."""
    played = sandboxes.platform("mastodon")
    return replace(played, url=f"{played.url}/small")


@pytest.mark.parametrize(("wanted", "rule"), FORBIDDEN)
async def test_its_own_limits_are_read_before_anything_is_sent(small: Played, wanted: Draft, rule: str) -> None:
    account = await small.connected("small")
    assert small.publisher.check(wanted) == []
    with pytest.raises(PlatformError) as caught:
        await small.prepared(account, wanted)
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, rule)
    assert [one.read.opened for one in wanted.assets if isinstance(one.read, Reading)] == [0] * len(wanted.assets)


async def test_what_fits_is_published_there(small: Played) -> None:
    account, wanted = await small.connected("fits"), draft("fits", asset(samples.picture(40, 30), alt_text="tiny"))
    receipt = await small.published(account, wanted)
    assert receipt.url == f"{small.url}/@fits/{receipt.platform_post_id}"


async def test_accounts_of_two_servers_are_two(small: Played, sandboxes: Sandboxes) -> None:
    there = await sandboxes.platform("mastodon").connected("both")
    assert (await small.connected("both")).credentials["user_id"] != there.credentials["user_id"]


@pytest.mark.parametrize(
    ("data", "description", "error"),
    [
        (samples.picture(40, 30, "WEBP"), "", "content type"),
        (samples.picture(400, 300, "PNG"), "", "file size"),
        (samples.film(0.5, 400, 300), "", "400x300 videos are not supported"),
        (samples.picture(40, 30), "y" * 51, "Description"),
    ],
    ids=["type", "bytes", "matrix", "alt-text"],
)
async def test_an_upload_past_a_limit_is_refused(small: Played, data: bytes, description: str, error: str) -> None:
    answer = await small.http.post(
        f"{small.url}/api/v2/media",
        headers={"Authorization": "Bearer sandbox-uploads"},
        data={"description": description} if description else {},
        files={"file": ("file", data)},
    )
    assert answer.status_code == 422
    assert error in answer.json()["error"]


async def _said(small: Played, wanted: dict[str, object], key: str = "") -> httpx.Response:
    headers = {"Authorization": "Bearer sandbox-said", **({"Idempotency-Key": key} if key else {})}
    return await small.http.post(f"{small.url}/api/v1/statuses", json=wanted, headers=headers)


@pytest.mark.parametrize(
    ("wanted", "status", "error"),
    [
        ({"status": "x" * 101}, 422, "Validation failed: Text character limit of 100 exceeded"),
        ({"status": " "}, 422, "Validation failed: Text can't be blank"),
        ({"status": "a", "visibility": "friends"}, 422, "Validation failed: Visibility is not included in the list"),
        ({"status": "a", "media_ids": ["1", "2", "3"]}, 422, "Validation failed: Cannot attach more than 2 files"),
        ({"status": "a", "in_reply_to_id": "1"}, 404, "The post you are trying to reply to does not appear to exist."),
    ],
)
async def test_a_post_past_a_limit_is_refused(
    small: Played, wanted: dict[str, object], status: int, error: str
) -> None:
    answer = await _said(small, wanted)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


async def test_a_refused_post_leaves_its_key_free_and_a_taken_one_is_kept(small: Played) -> None:
    key, text = secrets.token_hex(8), f"at {datetime.now(UTC)}"
    assert (await _said(small, {"status": "x" * 101}, key)).status_code == 422
    first, second = await _said(small, {"status": text}, key), await _said(small, {"status": "other words"}, key)
    assert first.status_code == 200
    assert second.json() == first.json()
    assert (await _said(small, {"status": text}, secrets.token_hex(8))).json()["id"] != first.json()["id"]

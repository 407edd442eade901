"""What the sandbox of X refuses, as X would: limits, states, order."""

from typing import Any

import httpx
import pytest

from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played
from tests.contract.platforms.samples import asset, draft

MIB = 1024 * 1024
OURS = {"Authorization": "Bearer sandbox-rules"}
THEIRS = {"Authorization": "Bearer sandbox-others"}


async def post(x: Played, path: str, body: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
    """A JSON request of an account."""
    return await x.http.post(f"{x.url}{path}", json=body, headers=headers or OURS)


async def append(x: Played, media_id: str, index: object, data: bytes) -> httpx.Response:
    """One segment."""
    return await x.http.post(
        f"{x.url}/2/media/upload/{media_id}/append",
        data={"segment_index": str(index)},
        files={"media": ("media", data)},
        headers=OURS,
    )


async def opened(x: Played, size: int, category: str = "tweet_video", kind: str = "video/mp4") -> str:
    """A new upload's id."""
    wanted = {"media_type": kind, "total_bytes": size, "media_category": category}
    answer = await post(x, "/2/media/upload/initialize", wanted)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["id"])


def why(answer: httpx.Response) -> str:
    """The first error of a refused request."""
    assert answer.status_code == 400, answer.text
    found: dict[str, Any] = answer.json()
    assert found["type"].endswith("/invalid-request")
    return str(found["errors"][0]["message"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total_bytes": 512_000_001}, "exceeds 512000000"),
        ({"total_bytes": 0}, "total_bytes"),
        ({"total_bytes": "12"}, "total_bytes"),
        ({"media_category": "tweet_movie"}, "media_category"),
        ({"media_type": "video/webm"}, "media_type"),
        ({"media_category": "tweet_gif"}, "media_type"),
        ({"media_category": "tweet_gif", "media_type": "image/gif", "total_bytes": 15_000_001}, "exceeds 15000000"),
        ({"media_category": "tweet_image", "media_type": "image/png", "total_bytes": 5_000_001}, "exceeds 5000000"),
    ],
)
async def test_an_upload_that_does_not_begin(x: Played, change: dict[str, object], said: str) -> None:
    wanted = {"media_type": "video/mp4", "total_bytes": 1000, "media_category": "tweet_video"} | change
    assert said in why(await post(x, "/2/media/upload/initialize", wanted))


async def test_segments_are_small_numbered_and_complete(x: Played) -> None:
    media_id = await opened(x, 2 * MIB)
    assert (await append(x, media_id, 0, bytes(5_100_000))).status_code == 413
    assert "segment_index" in why(await append(x, media_id, 1000, b"x"))
    assert "segment_index" in why(await append(x, media_id, "first", b"x"))
    assert "add up" in why(await post(x, f"/2/media/upload/{media_id}/finalize"))
    assert (await append(x, media_id, 1, bytes(MIB))).status_code == 200
    assert "add up" in why(await post(x, f"/2/media/upload/{media_id}/finalize"))
    assert (await append(x, media_id, 0, bytes(MIB - 1))).status_code == 200
    assert "add up" in why(await post(x, f"/2/media/upload/{media_id}/finalize"))


async def test_segments_may_come_in_any_order_and_twice(x: Played) -> None:
    film = samples.padded(samples.film(), 2 * MIB + 5)
    media_id = await opened(x, len(film))
    for index in (2, 0, 1, 0):
        assert (await append(x, media_id, index, film[index * MIB : (index + 1) * MIB])).status_code == 200
    answer = await post(x, f"/2/media/upload/{media_id}/finalize")
    assert answer.json()["data"]["processing_info"] == {"state": "pending", "check_after_secs": 1}
    assert "finalized" in why(await append(x, media_id, 3, b"more"))
    assert "finalized" in why(await post(x, f"/2/media/upload/{media_id}/finalize"))
    early = await post(x, "/2/tweets", {"text": "too early", "media": {"media_ids": [media_id]}})
    assert why(early) == "Your media IDs are invalid."


async def test_the_old_commands_are_not_taken(x: Played) -> None:
    form = {"command": "INIT", "media_category": "tweet_image"}
    answer = await x.http.post(f"{x.url}/2/media/upload", data=form, files={"media": b"x"}, headers=OURS)
    assert "command" in why(answer)


async def test_an_image_is_what_it_is_said_to_be(x: Played) -> None:
    form = {"media_category": "tweet_image", "media_type": "image/png"}
    answer = await x.http.post(f"{x.url}/2/media/upload", data=form, files={"media": samples.picture()}, headers=OURS)
    assert why(answer) == "media type unrecognized."


async def test_media_belong_to_one_account(x: Played) -> None:
    form = {"media_category": "tweet_image", "media_type": "image/jpeg"}
    answer = await x.http.post(f"{x.url}/2/media/upload", data=form, files={"media": samples.picture()}, headers=OURS)
    media_id = answer.json()["data"]["id"]
    stolen = {"text": "mine now", "media": {"media_ids": [media_id]}}
    assert why(await post(x, "/2/tweets", stolen, THEIRS)) == "Your media IDs are invalid."
    described = {"id": media_id, "metadata": {"alt_text": {"text": "mine"}}}
    assert (await post(x, "/2/media/metadata", described, THEIRS)).status_code == 404
    assert (await post(x, "/2/media/metadata", described)).status_code == 200


async def test_descriptions_have_an_end_and_are_for_images(x: Played) -> None:
    media_id = await opened(x, 1000)
    for text, said in (("a" * 1001, "1000"), ("", "1000"), ("a film", "images")):
        described = {"id": media_id, "metadata": {"alt_text": {"text": text}}}
        assert said in why(await post(x, "/2/media/metadata", described))


@pytest.mark.parametrize(
    "body",
    [
        {"text": "語" * 141},
        {"text": " "},
        {},
        {"text": "x", "media": {"media_ids": []}},
        {"text": "x", "media": {"media_ids": ["1"] * 5}},
        {"text": "x", "media": {"media_ids": ["1"]}},
        {"text": "x", "unknown": True},
    ],
)
async def test_a_post_x_does_not_take(x: Played, body: dict[str, object]) -> None:
    assert why(await post(x, "/2/tweets", body))


async def test_images_and_a_gif_do_not_mix(x: Played) -> None:
    account = await x.connected("rules")
    ids = []
    for data in (samples.picture(), samples.gif()):
        prepared = await x.prepared(account, draft("", asset(data)))
        media = prepared["media"]
        assert isinstance(media, list)
        ids += [one["id"] for one in media if isinstance(one, dict)]
    assert "1 GIF" in why(await post(x, "/2/tweets", {"text": "both", "media": {"media_ids": ids}}))


async def test_the_same_words_twice_are_refused(x: Played) -> None:
    assert (await post(x, "/2/tweets", {"text": "only once"})).status_code == 201
    again = await post(x, "/2/tweets", {"text": "only once"})
    assert again.status_code == 403
    assert "duplicate content" in again.json()["detail"]
    assert (await post(x, "/2/tweets", {"text": "only once"}, THEIRS)).status_code == 201


async def test_a_timeline_has_pages(x: Played) -> None:
    headers = {"Authorization": "Bearer sandbox-pages"}
    ids = [(await post(x, "/2/tweets", {"text": f"page {n}"}, headers)).json()["data"]["id"] for n in range(7)]
    me = (await x.http.get(f"{x.url}/2/users/me", headers=headers)).json()["data"]["id"]
    found: list[str] = []
    query = {"max_results": "5"}
    while True:
        page = (await x.http.get(f"{x.url}/2/users/{me}/tweets", params=query, headers=headers)).json()
        found += [one["id"] for one in page["data"]]
        if "next_token" not in page["meta"]:
            break
        query["pagination_token"] = page["meta"]["next_token"]
    assert found == ids[::-1]


@pytest.mark.parametrize("path", ["/2/users/me", "/2/nothing"])
async def test_nothing_is_told_to_strangers(x: Played, path: str) -> None:
    answer = await x.http.get(f"{x.url}{path}", headers={"Authorization": "Bearer real-token"})
    assert answer.status_code == (401 if path == "/2/users/me" else 404)

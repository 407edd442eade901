"""Covers of films and points of focus, from our publisher to a Mastodon server as its sandbox plays it."""

from dataclasses import replace
from typing import Any, cast

import httpx
import pytest

from services.platforms.ports import JSON, Asset, Fault, PlatformError
from tests import media
from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played, Sandboxes
from tests.contract.platforms.samples import Reading, Steps, asset, draft, mislabelled

FILM = media.film(128, 96, seconds=1, audio=True)
SMALL_MAX_BYTES = 100_000  # of images on the smaller of the sandbox's servers


@pytest.fixture
def mastodon(sandboxes: Sandboxes) -> Played:
    """A server with the usual limits."""
    return sandboxes.platform("mastodon")


def opened(wanted: Asset) -> int:
    """How often its bytes were read."""
    return cast(Reading, wanted.read).opened


async def newest(played: Played) -> dict[str, Any]:
    """The post that came last."""
    return (await played.received())[0]


async def test_a_film_shows_its_cover_before_it_plays(mastodon: Played) -> None:
    picture = samples.picture(90, 160)
    film, cover = asset(FILM, alt_text="noise"), asset(picture)
    await mastodon.published(await mastodon.connected("cover"), draft("with a cover", film, cover=cover))
    post = await newest(mastodon)
    assert (await mastodon.file(post["cover"]["sha256"])).content == picture
    [shown] = post["record"]["media_attachments"]
    assert (shown["type"], shown["preview_url"].rpartition("/")[2]) == ("video", post["cover"]["sha256"])
    assert post["media"][0]["altText"] == "noise"
    assert (opened(film), opened(cover)) == (1, 1)


async def test_a_film_without_sound_goes_once_and_without_a_cover(mastodon: Played) -> None:
    film, cover = asset(samples.film(1)), asset(samples.picture())
    await mastodon.published(await mastodon.connected("silent"), draft("it loops", film, cover=cover))
    post = await newest(mastodon)
    assert (post["text"], post["cover"]) == ("it loops", None)
    assert (opened(film), opened(cover)) == (1, 0)


@pytest.mark.parametrize(
    "cover",
    [mislabelled(b"no picture" * 100, "image/jpeg"), asset(samples.picture(400, 300, "PNG"))],
    ids=["undecodable", "too-large"],
)
async def test_a_cover_the_server_does_not_take_leaves_the_film_its_own(mastodon: Played, cover: Asset) -> None:
    small = replace(mastodon, url=f"{mastodon.url}/small")
    account, film = await small.connected("uncovered"), asset(FILM)
    await small.published(account, draft("uncovered", film, cover=cover))
    post = await newest(mastodon)
    assert (post["text"], post["cover"]) == ("uncovered", None)
    assert (opened(film), opened(cover)) == (1, 1)


@pytest.mark.parametrize("mode", ["drop_after", "drop_before", "error", "429"])
async def test_a_lost_answer_to_a_cover_sends_the_cover_again_and_nothing_else(mastodon: Played, mode: str) -> None:
    account, film, cover = await mastodon.connected(f"lost-{mode}"), asset(FILM), asset(samples.picture())
    wanted, steps = draft(f"lost cover {mode}", film, cover=cover), Steps()
    await mastodon.order("/api/v1/media/*", mode, method="PUT")
    with pytest.raises(PlatformError) as caught:
        await mastodon.prepared(account, wanted, steps)
    assert caught.value.fault is Fault.TRANSIENT
    prepared = await mastodon.prepared(account, wanted, steps)
    assert await mastodon.prepared(account, wanted, steps) == prepared
    assert opened(film) == 1
    covers = opened(cover)
    assert covers <= 2
    await mastodon.publisher.publish(mastodon.http, account, wanted, prepared, mastodon.handle(account, wanted))
    assert (await newest(mastodon))["cover"]["sizeBytes"] == cover.size_bytes


async def test_the_point_that_stays_in_view_goes_with_its_medium(mastodon: Played) -> None:
    pictures = [asset(samples.picture(90 + n, 80)) for n in range(3)]
    options: dict[str, JSON] = {"focus": [{"x": -0.42, "y": 1}, None, {"x": 0, "y": 0}]}
    await mastodon.published(await mastodon.connected("focus"), draft("look there", *pictures, options=options))
    post = await newest(mastodon)
    assert [one["meta"] for one in post["record"]["media_attachments"]] == [
        {"focus": {"x": -0.42, "y": 1.0}}, {}, {"focus": {"x": 0.0, "y": 0.0}},
    ]  # fmt: skip
    assert post["details"]["focus"] == ["-0.42, 1.0", "none", "0.0, 0.0"]


async def _sent(played: Played, files: dict[str, bytes], **fields: str) -> httpx.Response:
    """POST /api/v2/media, as any client."""
    return await played.http.post(
        f"{played.url}/api/v2/media",
        headers={"Authorization": "Bearer sandbox-raw"},
        data=fields,
        files={name: (name, data) for name, data in files.items()},
    )


async def test_a_cover_may_come_with_the_film(mastodon: Played) -> None:
    answer = await _sent(mastodon, {"thumbnail": samples.picture(), "file": FILM}, focus="0.5,-0.5")
    assert answer.status_code == 202
    assert answer.json()["meta"] == {"focus": {"x": 0.5, "y": -0.5}}
    kept = await mastodon.http.get(answer.json()["preview_url"])
    assert kept.content[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("file", "thumbnail", "error"),
    [
        (samples.picture(), samples.picture(), "Validation failed: Thumbnail must be blank"),
        (samples.film(1), samples.picture(), "Validation failed: Thumbnail must be blank"),
        (FILM, FILM, "File type of uploaded media could not be verified"),
        (FILM, samples.gif(), "Thumbnail content type is invalid"),
        (FILM, samples.picture(400, 300, "PNG"), f"must be less than or equal to {SMALL_MAX_BYTES} bytes"),
    ],
    ids=["image", "silent", "film", "type", "bytes"],
)
async def test_the_sandbox_refuses_covers_as_servers_do(
    mastodon: Played, file: bytes, thumbnail: bytes, error: str
) -> None:
    small = replace(mastodon, url=f"{mastodon.url}/small")
    answer = await _sent(small, {"file": file, "thumbnail": thumbnail})
    assert answer.status_code == 422
    assert error in answer.json()["error"]


@pytest.mark.parametrize("focus", ["1.1,0", "0,-1.01", "0", "0,0,0", "left,top", "nan,0", ""])
async def test_the_sandbox_refuses_a_focus_that_is_no_point(mastodon: Played, focus: str) -> None:
    answer = await _sent(mastodon, {"file": samples.picture()}, focus=focus)
    assert (answer.status_code, answer.json()["error"]) == (422, "Validation failed: Focus is invalid")

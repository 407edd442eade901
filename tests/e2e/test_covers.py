"""The moment of a film that its owner chose, from the request to what platforms show before it plays."""

import io
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, body, until
from tests.e2e.tenants import Tenancy, received

FPS, FRAMES, DARKEST, STEP = 10, 40, 20, 5


def brightening() -> bytes:
    """Four seconds whose frames can be told apart: each is a little brighter than the one before."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "10", "g": "40"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for n in range(FRAMES):
            shade = np.full((180, 320, 3), DARKEST + STEP * n, dtype=np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24").reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def frame_of(picture: bytes) -> int:
    """Which of them a picture shows."""
    with Image.open(io.BytesIO(picture)) as image:
        return round((float(np.asarray(image.convert("L")).mean()) - DARKEST) / STEP)


def chosen(client: Client, media_id: str, seconds: float) -> dict[str, Any]:
    """The item as it is right after the request."""
    return body(client.http.patch(f"/v1/media/{media_id}", json={"thumbnailTime": seconds}))


def poster(client: Client, media_id: str, not_at: str) -> str:
    """Its URL, once it is another."""
    found = until(lambda: client.media(media_id), lambda it: it["posterUrl"] not in (None, not_at), 90.0)
    return str(found["posterUrl"])


@pytest.mark.timeout(300)
def test_a_cover_shows_the_moment_that_was_chosen_and_platforms_get_it(stack: Stack, tenancy: Tenancy) -> None:
    client = tenancy.client
    film = client.stored(brightening(), "film.mp4")
    assert film["thumbnailTime"] is None
    answer = chosen(client, film["id"], 2.55)
    assert (answer["thumbnailTime"], answer["status"]) == (2.55, "ready")
    # At once: the post waits for the new covers by itself.
    credentials = {"access_token": f"sandbox-{tenancy.workspace_id}"}
    wanted = {"platform": "instagram", "displayName": "instagram", "credentials": credentials}
    account = body(client.http.post("/v1/accounts", json=wanted))
    targets = [{"platform": "instagram", "accountId": account["id"]}, *tenancy.targets]
    post = client.settled_post(body(client.create_post("lighter", [film["id"]], targets))["id"], within_s=120)
    assert post["status"] == "published", post
    for platform in ("instagram", "pinterest"):
        (target,) = [one for one in post["targets"] if one["platform"] == platform]
        (sent,) = [it for it in received(stack, platform) if it["id"] == target["platformPostId"]]
        files = f"{stack.wiring.sandbox_url}/{platform}/_sandbox/files"
        assert frame_of(httpx.get(f"{files}/{sent['cover']['sha256']}").content) == 25
    first = poster(client, film["id"], film["posterUrl"])
    assert frame_of(httpx.get(first).content) == 25
    # Beyond the end it is the last frame.
    chosen(client, film["id"], 99.0)
    assert frame_of(httpx.get(poster(client, film["id"], first)).content) == FRAMES - 1


def test_a_moment_no_film_has_is_refused_and_pictures_have_none(tenancy: Tenancy) -> None:
    client = tenancy.client
    film, photo = client.stored(brightening(), "film.mp4"), client.stored(media.jpeg())
    for item, seconds in ((film, -1), (film, 10_801), (film, "2.5 s"), (photo, 1)):
        answer = client.http.patch(f"/v1/media/{item['id']}", json={"thumbnailTime": seconds})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
        assert [one["field"] for one in answer.json()["errors"]] == ["thumbnailTime"]
    assert body(client.http.patch(f"/v1/media/{film['id']}", json={"thumbnailTime": None}))["thumbnailTime"] is None

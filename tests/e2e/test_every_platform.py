"""Every platform and every kind of media it takes: from an upload to the file its sandbox has, within its limits."""

import io
import uuid
from collections.abc import Callable
from functools import cache

import av
import httpx
import pytest
from PIL import Image

from deploy.local.stack import Stack
from services.platforms import catalog, registry
from services.platforms.catalog import Limits, Platform
from tests import media
from tests.e2e.client import Json, body
from tests.e2e.tenants import Tenancy, received


def animation() -> bytes:
    """A GIF that moves, two seconds long, and no smaller as a film than LinkedIn takes (75 kB)."""
    frames = [media.picture(480, 480, noise=60) for _ in range(10)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=200, loop=0)
    return out.getvalue()


@cache
def takes(kind: str) -> tuple[str, ...]:
    """Ids of the platforms that can be posted to with it."""

    def does(platform: Platform) -> bool:
        if kind == "text":
            # A platform for pictures or films alone takes no text by itself.
            return platform.id in ("bluesky", "x", "threads", "mastodon", "facebook", "linkedin")
        return (platform.video if kind == "video" else platform.image) is not None

    return tuple(one for one in registry.publishers() if does(catalog.load()[one]))


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "image": ("photo.jpg", lambda: media.jpeg(1200, 1500, gps=True)),
    "animation": ("moves.gif", animation),
    "video": ("film.mp4", lambda: media.film(720, 1280, seconds=5, fps=25, audio=True)),
}


def connected(tenancy: Tenancy, platform: str) -> Json:
    """A target for an account of this workspace."""
    # Credentials of every shape there is; a sandbox takes those it reads.
    secret = f"sandbox-{tenancy.workspace_id}"
    credentials = {"access_token": secret, "identifier": f"{platform}.test", "password": secret}
    wanted = {"platform": platform, "displayName": platform, "credentials": credentials}
    account = body(tenancy.client.http.post("/v1/accounts", json=wanted))
    return {"platform": platform, "accountId": account["id"]}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["text", *FILES])
def test_it_arrives_as_the_platform_takes_it(stack: Stack, tenancy: Tenancy, kind: str) -> None:
    platforms = takes("image" if kind == "animation" else kind)
    assert len(platforms) >= 6
    ids = []
    if kind in FILES:
        name, make = FILES[kind]
        ids = [tenancy.client.stored(make(), name, altText="It.")["id"]]
    targets = [connected(tenancy, platform) for platform in platforms]
    text = f"Everywhere {uuid.uuid4().hex[:8]}"
    post = tenancy.client.settled_post(body(tenancy.client.create_post(text, ids, targets))["id"], within_s=200)
    assert {it["platform"]: (it["status"], it["error"]) for it in post["targets"]} == dict.fromkeys(
        platforms, ("published", None)
    )
    for target in post["targets"]:
        [there] = [it for it in received(stack, target["platform"]) if it["id"] == target["platformPostId"]]
        assert len(there["media"]) == len(ids), target
        for medium in there["media"]:
            files = f"{stack.wiring.sandbox_url}/{target['platform']}/_sandbox/files"
            data = httpx.get(f"{files}/{medium['sha256']}").content
            obeys(data, medium["contentType"], catalog.presets()[target["variant"]].limits)


def obeys(data: bytes, content_type: str, limits: Limits) -> None:
    """Opened and measured, it is what the platform's numbers say."""
    assert len(data) <= limits.max_bytes
    assert content_type in limits.accept
    width, height, duration_s = measured(data, content_type)
    assert min(width, height) >= (limits.min_edge_px or 0)
    assert max(width, height) <= (limits.max_edge_px or max(width, height))
    assert (limits.min_aspect or 0) <= width / height + 0.01
    assert width / height - 0.01 <= (limits.max_aspect or width / height)
    if content_type.startswith("video/"):
        assert (limits.min_duration_s or 0) <= duration_s <= (limits.max_duration_s or duration_s)


def measured(data: bytes, content_type: str) -> tuple[int, int, float]:
    """Width, height and seconds, once all of it was decoded."""
    if content_type.startswith("image/"):
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert not image.getexif()
            return (*image.size, 0.0)
    with av.open(io.BytesIO(data), "r", format="mp4") as film:
        frames = sum(1 for _ in film.decode(video=0))
        assert frames > 20
        stream = film.streams.video[0]
        return stream.width, stream.height, float(film.duration or 0) / av.time_base

"""Every platform and every kind of media it takes: from an upload to the file its sandbox has, within its limits."""

import io
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from services.platforms import catalog, registry
from services.platforms.catalog import Kind
from services.platforms.ports import Asset, Draft
from tests import media
from tests.e2e import arrived
from tests.e2e.client import Json, body
from tests.e2e.tenants import Tenancy, received


def animation() -> bytes:
    """A GIF that moves, two seconds long, and of fewer bytes as a film than LinkedIn takes (75 kB)."""
    frames = [media.picture(480, 480) for _ in range(10)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=200, loop=0)
    return out.getvalue()


FILES: Mapping[str, tuple[str, Kind, Callable[[], bytes]]] = {
    "photo": ("photo.jpg", "image", lambda: media.jpeg(1200, 1500, gps=True)),
    "other": ("other.jpg", "image", lambda: media.jpeg(1500, 1500)),
    "animation": ("moves.gif", "image", animation),
    "film": ("film.mp4", "video", lambda: media.film(720, 1280, seconds=5, fps=25, audio=True)),
}
SHAPES: Mapping[str, Sequence[str]] = {
    "text": (), "image": ("photo",), "animation": ("animation",), "video": ("film",),
    "carousel": ("photo", "other"), "mixed": ("photo", "film"),
}  # fmt: skip
# A kind of post that has limits of its own: platform, options, file.
FORMS = [
    ("instagram", {"mediaType": "story"}, "photo"),
    ("instagram", {"mediaType": "story"}, "film"),
    ("instagram", {"mediaType": "reel"}, "film"),
    ("facebook", {"mediaType": "reel"}, "film"),
]


@cache
def takes(shape: str) -> tuple[str, ...]:
    """Ids of the platforms whose own rules have nothing against such a post."""
    publishers = registry.publishers()
    assets = tuple(stand_in(FILES[name][1]) for name in SHAPES[shape])
    draft = Draft(text="Everywhere.", assets=assets, created_at=datetime.now(UTC))
    return tuple(name for name, publisher in publishers.items() if not publisher.check(draft))


def stand_in(kind: Kind) -> Asset:
    """What check() looks at: it is a picture, or a film."""

    def read() -> Any:
        raise AssertionError("check() reads no bytes")

    content_type, seconds = ("video/mp4", 5.0) if kind == "video" else ("image/jpeg", None)
    return Asset(
        preset="", content_type=content_type, size_bytes=200_000, width=720, height=900, duration_s=seconds,
        alt_text="It.", url="https://cdn.example/1", read=read,
    )  # fmt: skip


class World:
    """One workspace with an account on every platform, and every file uploaded once."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.tenancy = stack, Tenancy(stack)
        self.client = self.tenancy.client
        self.ids = {
            name: self.client.stored(make(), filename, altText="It.")["id"]
            for name, (filename, _, make) in FILES.items()
        }
        self.accounts = {platform: self._connected(platform) for platform in registry.publishers()}

    def _connected(self, platform: str) -> str:
        # Credentials of every shape there is; a sandbox takes those it reads.
        secret = f"sandbox-{self.tenancy.workspace_id}"
        credentials = {"access_token": secret, "identifier": f"{platform}.test", "password": secret}
        wanted = {"platform": platform, "displayName": platform, "credentials": credentials}
        return str(body(self.client.http.post("/v1/accounts", json=wanted))["id"])

    def target(self, platform: str, **more: object) -> Json:
        return {"platform": platform, "accountId": self.accounts[platform], **more}

    def post(self, files: Sequence[str], targets: Sequence[Json], text: str | None = None) -> str:
        """Accepted; its id."""
        said = f"Everywhere {uuid.uuid4().hex[:8]}" if text is None else text
        return str(body(self.client.create_post(said, [self.ids[name] for name in files], targets))["id"])

    def published(self, post_id: str) -> list[Json]:
        """Its targets, all of which must have been published."""
        post = self.client.settled_post(post_id, within_s=200)
        ends = {target["platform"]: (target["status"], target["error"]) for target in post["targets"]}
        assert ends == dict.fromkeys(ends, ("published", None))
        targets: list[Json] = post["targets"]
        return targets

    def arrived(self, target: Json) -> Json:
        """The sandbox's record of it."""
        [there] = [it for it in received(self.stack, target["platform"]) if it["id"] == target["platformPostId"]]
        return there

    def check_files(self, target: Json, files: Sequence[str]) -> Json:
        """That each file arrived, in order, within the platform's limits; the sandbox's record."""
        there = self.arrived(target)
        assert len(there["media"]) == len(files), there
        for name, medium in zip(files, there["media"], strict=True):
            allowed = arrived.limits(target["platform"], target["variant"], FILES[name][1])
            self._obeys(target["platform"], medium, allowed)
        cover = catalog.load()[target["platform"]].cover
        if cover is not None and (there.get("cover") or {}).get("sha256"):
            self._obeys(target["platform"], there["cover"], cover.limits)
        return there

    def _obeys(self, platform: str, medium: Json, allowed: catalog.Limits) -> None:
        files = f"{self.stack.wiring.sandbox_url}/{platform}/_sandbox/files"
        arrived.obeys(httpx.get(f"{files}/{medium['sha256']}").content, medium["contentType"], allowed)


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    """Made once, since only posts differ between the tests."""
    found = World(stack)
    yield found
    found.client.close()


def test_who_takes_what_is_what_the_catalogue_says() -> None:
    published = {name: catalog.load()[name] for name in registry.publishers()}
    images = {name for name, platform in published.items() if platform.image}
    assert set(takes("image")) == set(takes("animation")) == images
    assert set(takes("video")) == {name for name, platform in published.items() if platform.video}
    several = {name for name, platform in published.items() if platform.image and platform.image.max_count > 1}
    assert set(takes("carousel")) == several
    assert set(takes("mixed")) < several
    assert 6 <= len(takes("text")) < len(published)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_arrives_as_the_platform_takes_it(world: World, shape: str) -> None:
    assert takes(shape)
    post_id = world.post(SHAPES[shape], [world.target(platform) for platform in takes(shape)])
    for target in world.published(post_id):
        world.check_files(target, SHAPES[shape])


@pytest.mark.timeout(300)
def test_stories_and_reels_arrive_within_limits_of_their_own(world: World) -> None:
    posts = []
    for platform, options, file in FORMS:
        text = {"text": ""} if options["mediaType"] == "story" else {}
        posts.append(world.post([file], [world.target(platform, options=options, **text)]))
    for post_id, (platform, options, file) in zip(posts, FORMS, strict=True):
        [target] = world.published(post_id)
        assert target["variant"] == f"{platform}.{options['mediaType']}"
        there = world.check_files(target, [file])
        if platform == "instagram" and options["mediaType"] == "reel":
            assert there["cover"]["sha256"]


def reply_to(world: World, target: Json) -> Json:
    """The options that answer it; empty where a platform has no replies."""
    post_id = target["platformPostId"]
    match target["platform"]:
        case "bluesky":
            uri = dict(zip(("repo", "collection", "rkey"), post_id.removeprefix("at://").split("/"), strict=True))
            address = f"{world.stack.wiring.sandbox_url}/bluesky/xrpc/com.atproto.repo.getRecord"
            parent = {"uri": post_id, "cid": body(httpx.get(address, params=uri))["cid"]}
            return {"reply": {"root": parent, "parent": parent}}
        case "x" | "threads":
            return {"replyToId": post_id}
        case "mastodon":
            return {"inReplyToId": post_id}
        case _:
            return {}


@pytest.mark.timeout(300)
def test_a_reply_says_what_it_answers(world: World) -> None:
    answered = {target["platform"]: target for target in world.published(
        world.post([], [world.target(platform) for platform in takes("text")])
    )}  # fmt: skip
    options = {platform: found for platform, target in answered.items() if (found := reply_to(world, target))}
    assert len(options) == 4
    replies = world.post([], [world.target(platform, options=found) for platform, found in options.items()])
    for target in world.published(replies):
        assert world.arrived(target)["replyTo"] == answered[target["platform"]]["platformPostId"]

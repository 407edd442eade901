"""What the sandboxes of Instagram and Threads refuse: files, containers, allowances, other people's things."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.platforms.instagram.sandbox import POSTS_A_DAY
from services.platforms.ports import JSON, Fault, PlatformError
from services.platforms.sandboxing.containers import CONTAINERS, LASTS_S
from services.platforms.sandboxing.state import now
from services.platforms.sandboxing.store import Store
from services.platforms.sandboxing.tokens import number_of
from services.platforms.sandboxing.web import POSTS
from services.platforms.threads.sandbox import POSTS_A_DAY as THREADS_A_DAY
from services.platforms.threads.sandbox import REPLIES_A_DAY
from tests.contract.platforms import samples
from tests.contract.platforms.cases import Case
from tests.contract.platforms.cdn import Cdn
from tests.contract.platforms.playing import Played, Sandboxes
from tests.contract.platforms.samples import Steps, draft

IMAGE = samples.picture(320, 320)


@dataclass
class Caller:
    """An account without our publisher. path: of the service's own things."""

    played: Played
    name: str
    path: str

    async def make(self, **form: str) -> httpx.Response:
        """A container."""
        return await self.post({"/v25.0": "media", "/v1.0": "threads"}[self.path], form)

    async def post(self, below: str, form: dict[str, str], owner: str = "") -> httpx.Response:
        """A form, by default among the account's own things."""
        url = f"{self.played.url}{self.path}/{owner or number_of(self.name)}/{below}"
        return await self.played.http.post(url, data=form, headers=self.headers)

    async def status(self, container_id: str) -> dict[str, Any]:
        """Of a container."""
        url, fields = f"{self.played.url}{self.path}/{container_id}", "status,status_code,error_message"
        found = await self.played.http.get(url, params={"fields": fields}, headers=self.headers)
        answer: dict[str, Any] = found.json()
        return answer

    @property
    def headers(self) -> dict[str, str]:
        """Its token."""
        return {"Authorization": f"Bearer sandbox-{self.name}"}


@pytest.fixture
def anna(instagram: Played) -> Caller:
    """On Instagram."""
    return Caller(instagram, "rules-anna", "/v25.0")


@pytest.fixture
def ben(threads: Played) -> Caller:
    """On Threads."""
    return Caller(threads, "rules-ben", "/v1.0")


def said(answer: httpx.Response) -> tuple[int, int, int | None]:
    """Status, code and subcode of a refusal, whose shape is Meta's."""
    error = answer.json()["error"]
    assert {"message", "type", "code", "fbtrace_id"} <= set(error)
    return answer.status_code, error["code"], error.get("error_subcode")


async def test_files_are_fetched_as_a_crawler_does(anna: Caller, cdn: Cdn) -> None:
    good = cdn.put(IMAGE, "image/jpeg")
    assert (await anna.make(image_url=good)).status_code == 200
    for url in (
        good.replace(cdn.url, f"{cdn.url}/moved"),
        f"{cdn.url}/nothing",
        f"{cdn.url}/ümlaut",
        cdn.put(IMAGE, "application/octet-stream"),
        "http://127.0.0.1:1/private",
        "http://example.com/plain",
        "file:///etc/passwd",
        "nonsense",
    ):
        assert said(await anna.make(image_url=url)) == (400, 9004, 2207052), url


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (samples.picture(kind="PNG"), (400, 36001, 2207005)),
        (samples.picture(200, 320), (400, 36003, 2207009)),
        (IMAGE + bytes(8_000_001 - len(IMAGE)), (400, 36000, 2207004)),
    ],
    ids=["type", "aspect", "size"],
)
async def test_pictures_instagram_does_not_take(
    anna: Caller, cdn: Cdn, data: bytes, answer: tuple[int, int, int]
) -> None:
    kind = "image/png" if data.startswith(b"\x89") else "image/jpeg"
    assert said(await anna.make(image_url=cdn.put(data, kind))) == answer


async def test_forms_instagram_does_not_take(anna: Caller, cdn: Cdn) -> None:
    image, film = cdn.put(IMAGE, "image/jpeg"), cdn.put(samples.film(3), "video/mp4")
    for form in (
        {},
        {"video_url": film},
        {"video_url": film, "media_type": "VIDEO"},
        {"image_url": image, "media_type": "REELS"},
        {"image_url": image, "media_type": "STORIES", "caption": "no"},
        {"image_url": image, "is_carousel_item": "true", "caption": "no"},
        {"video_url": film, "media_type": "REELS", "is_carousel_item": "true"},
        {"video_url": film, "media_type": "REELS", "alt_text": "no"},
        {"image_url": image, "caption": "a" * 2_201},
        {"image_url": image, "caption": "#a " * 31},
        {"image_url": image, "alt_text": "a" * 1_001},
        {"image_url": image, "colour": "red"},
        {"media_type": "CAROUSEL", "children": "1"},
        {"media_type": "CAROUSEL", "children": "1,2"},
    ):
        assert (await anna.make(**form)).status_code == 400, form


async def test_forms_threads_does_not_take(ben: Caller, cdn: Cdn) -> None:
    image = cdn.put(IMAGE, "image/jpeg")
    for form in (
        {"media_type": "TEXT"},
        {"media_type": "IMAGE", "text": "no picture"},
        {"media_type": "GIF", "image_url": image},
        {"media_type": "TEXT", "text": "😀" * 126},
        {"media_type": "TEXT", "text": " ".join(f"https://{name}.com" for name in "abcdef")},
        {"media_type": "IMAGE", "image_url": image, "is_carousel_item": "true", "text": "no"},
        {"media_type": "IMAGE", "image_url": image, "alt_text": "a" * 1_001},
        {"media_type": "CAROUSEL", "children": ",".join("123456789012345678901")},
    ):
        assert said(await ben.make(**form))[:2] == (400, 100), form


async def test_a_container_is_processed_for_a_moment(anna: Caller, cdn: Cdn) -> None:
    made = (await anna.make(image_url=cdn.put(IMAGE, "image/jpeg"))).json()["id"]
    assert (await anna.status(made))["status_code"] == "IN_PROGRESS"
    assert said(await anna.post("media_publish", {"creation_id": made})) == (400, 9007, 2207027)


async def test_a_film_that_is_refused_says_why_in_its_status(anna: Caller, ben: Caller, cdn: Cdn) -> None:
    film = cdn.asset(samples.film(1, 2_000, 256))
    with pytest.raises(PlatformError, match="2207026"):
        await anna.played.prepared(await anna.played.connected("rules-anna"), draft("", film))
    with pytest.raises(PlatformError, match="FAILED_PROCESSING_VIDEO"):
        await ben.played.prepared(await ben.played.connected("rules-ben"), draft("", film))


async def test_what_belongs_to_others_is_not_there(anna: Caller, cdn: Cdn) -> None:
    made = (await anna.make(image_url=cdn.put(IMAGE, "image/jpeg"))).json()["id"]
    other = Caller(anna.played, "rules-other", anna.path)
    assert (await other.status(made))["error"]["error_subcode"] == 33
    assert said(await other.post("media_publish", {"creation_id": made}))[:2] == (400, 100)
    assert said(await other.post("media", {"caption": "theirs"}, owner=number_of(anna.name)))[:2] == (400, 100)
    stranger = {"Authorization": "Bearer real"}
    answer = await anna.played.http.get(f"{anna.played.url}/v25.0/me", headers=stranger)
    assert said(answer)[:2] == (401, 190)
    assert (await anna.played.http.get(f"{anna.played.url}/nothing")).json()["error"]["code"] == 2500


async def test_a_container_lasts_a_day_and_is_then_made_anew(sandboxes: Sandboxes, cdn: Cdn) -> None:
    instagram = sandboxes.platform("instagram")
    steps, account = Steps(), await instagram.connected("expired")
    wanted = draft("too late", cdn.asset(IMAGE))
    prepared = await instagram.prepared(account, wanted, steps)
    case = Case(instagram, account, wanted, prepared)
    async with AsyncExitStack() as stack:
        store = Store(sandboxes.folder / "instagram")
        stack.push_async_callback(store.close)
        await store.update(
            CONTAINERS, str(prepared["containerId"]), lambda doc: {**doc, "made": now().timestamp() - LASTS_S - 1}
        )
    for attempt in (case.publish(), instagram.prepared(account, wanted, steps)):
        with pytest.raises(PlatformError) as caught:
            await attempt
        assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "container_expired")
    await instagram.published(account, wanted)
    assert len(await case.published()) == 1


async def test_an_allowance_used_up_is_told_before_anything_is_made(sandboxes: Sandboxes, cdn: Cdn) -> None:
    instagram = sandboxes.platform("instagram")
    case = await Case.ready(instagram, "diligent", draft("one more", cdn.asset(IMAGE)))
    await _filled(sandboxes, "instagram", "diligent", "feed", POSTS_A_DAY)
    steps = Steps()
    for attempt in (case.publish(), instagram.prepared(case.account, case.wanted, steps)):
        with pytest.raises(PlatformError) as caught:
            await attempt
        assert (caught.value.fault, caught.value.code) == (Fault.QUOTA, "daily_limit")
    assert steps.kept == {}


@pytest.mark.parametrize(
    ("used_up", "total", "refused", "taken"),
    [("post", THREADS_A_DAY, {}, {"replyToId": "1"}), ("reply", REPLIES_A_DAY, {"replyToId": "1"}, {})],
)
async def test_replies_have_an_allowance_of_their_own(
    sandboxes: Sandboxes, used_up: str, total: int, refused: dict[str, JSON], taken: dict[str, JSON]
) -> None:
    threads, owner = sandboxes.platform("threads"), f"talkative-{used_up}"
    account = await threads.connected(owner)
    await _filled(sandboxes, "threads", owner, used_up, total)
    with pytest.raises(PlatformError) as caught:
        await threads.prepared(account, draft("one more", options=refused), Steps())
    assert (caught.value.fault, caught.value.code) == (Fault.QUOTA, "daily_limit")
    await threads.published(account, draft("of the other sort", options=taken))


async def _filled(sandboxes: Sandboxes, platform: str, owner: str, kind: str, count: int) -> None:
    """So many posts of today."""
    async with AsyncExitStack() as stack:
        store = Store(sandboxes.folder / platform)
        stack.push_async_callback(store.close)
        for n in range(count):
            post: dict[str, JSON] = {"id": f"{owner}-{n}", "account": owner, "kind": kind, "text": "", "media": []}
            assert await store.add(
                POSTS, f"{owner}-{n}", {**post, "made": now().timestamp(), "createdAt": now().isoformat()}
            )


async def test_a_container_that_is_gone_is_made_anew(threads: Played) -> None:
    steps = Steps({"container": {"id": "1"}})
    with pytest.raises(PlatformError) as caught:
        await threads.prepared(await threads.connected("gone"), draft("x"), steps)
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "container_lost")

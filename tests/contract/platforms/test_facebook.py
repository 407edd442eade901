"""Our publisher for Facebook's pages against Facebook as its sandbox plays it, over real HTTP."""

import asyncio
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any

import httpx
import pytest

from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    CannotTell,
    ChoosesPresets,
    Draft,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Receipt,
    Underway,
)
from tests import media
from tests.contract.platforms import samples
from tests.contract.platforms.cases import Case
from tests.contract.platforms.playing import POLL_S, POLLS_MAX, Played
from tests.contract.platforms.samples import Reading, Steps, asset, draft

PHOTOS, FEED, VIDEOS, REELS = "/v25.0/*/photos", "/v25.0/*/feed", "/v25.0/*/videos", "/v25.0/*/video_reels"
STORE = "/video-upload/*"
REEL: Mapping[str, JSON] = {"mediaType": "reel"}
CHUNK_BYTES = 1_000_000


@cache
def film(width: int = 540, height: int = 960, seconds: float = 4, fps: int = 24) -> bytes:
    """One Facebook takes, as a reel too, unless it is told otherwise."""
    return media.film(width, height, seconds=seconds, fps=fps, options={"preset": "ultrafast", "crf": "40"})


def moving(text: str, *, reel: bool, data: bytes | None = None) -> Draft:
    """A video's draft."""
    return draft(text, asset(data or film()), options=dict(REEL) if reel else {})


async def of(facebook: Played, name: str) -> list[dict[str, Any]]:
    """What that page has there."""
    return [post for post in await facebook.received() if post["account"] == name]


async def settled(case: Case) -> Receipt | Absent | CannotTell:
    """As often as Facebook says that it is at work."""
    for _ in range(POLLS_MAX):
        try:
            return await case.reconcile()
        except Underway:
            await asyncio.sleep(POLL_S)
    raise AssertionError("at work for ever")


async def told(case: Case) -> Receipt | Absent | CannotTell:
    """What comes of a lost answer: the last word is said again as long as that is safe and it is not known."""
    for _ in range(POLLS_MAX):
        found = await settled(case)
        if not isinstance(found, Absent) or not found.safe_to_send:
            return found
        await begun(case)
    raise AssertionError("said for ever")


async def prepared_at_last(facebook: Played, account: Account, wanted: Draft, steps: Steps) -> Mapping[str, JSON]:
    """Tried again as long as that may help: the store may still be writing what a broken request brought."""
    for _ in range(POLLS_MAX):
        try:
            return await facebook.prepared(account, wanted, steps)
        except PlatformError as exc:
            if exc.fault is not Fault.TRANSIENT:
                raise
        await asyncio.sleep(POLL_S)
    raise AssertionError("never prepared")


async def begun(case: Case) -> Case:
    """The case, once its last word is answered."""
    with pytest.raises(Underway) as caught:
        await case.publish()
    case.prepared = {**case.prepared, **caught.value.found}
    return case


async def test_an_account_is_verified_by_its_page(facebook: Played) -> None:
    verified = await facebook.publisher.verify(facebook.http, facebook.account("verified"))
    assert (verified.display_name, verified.credentials["page_id"]) == ("verified", verified.external_id)


@pytest.mark.parametrize(
    ("token", "code"), [("stolen", "credentials_refused"), ("sandbox-anna.person", "page_missing")]
)
async def test_what_is_no_page_is_refused(facebook: Played, token: str, code: str) -> None:
    with pytest.raises(PlatformError) as caught:
        await facebook.publisher.verify(facebook.http, Account("acc_test", facebook.url, {"access_token": token}))
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, code)


async def test_a_page_that_may_not_post_is_told_so(facebook: Played) -> None:
    account = await facebook.connected("reader.readonly")
    for wanted in (draft("x"), draft("x", asset(samples.picture())), moving("x", reel=False), moving("x", reel=True)):
        with pytest.raises(PlatformError) as caught:
            await facebook.published(account, wanted)
        assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "not_permitted")


@pytest.mark.parametrize("options", [{}, {"link": "https://example.com/"}])
async def test_a_text(facebook: Played, options: dict[str, str]) -> None:
    name = f"text-{len(options)}"
    receipt = await facebook.published(await facebook.connected(name), draft("Hello  there", options=dict(options)))
    (post,) = await of(facebook, name)
    assert (post["id"], post["text"], post["link"]) == (
        receipt.platform_post_id, "Hello  there", options.get("link", ""),
    )  # fmt: skip
    assert receipt.url == f"https://www.facebook.com/{post['id']}"


@pytest.mark.parametrize("count", [1, 2, 10])
async def test_photos_are_shown_by_one_post_in_their_order(facebook: Played, count: int) -> None:
    name, pictures = f"photos-{count}", [samples.picture() for _ in range(count)]
    wanted = draft("what they show", *(asset(it, alt_text=f"noise {n}") for n, it in enumerate(pictures)))
    receipt = await facebook.published(await facebook.connected(name), wanted)
    (post,) = await of(facebook, name)
    assert (post["id"], post["text"]) == (receipt.platform_post_id, "what they show")
    assert [it["sha256"] for it in post["media"]] == [sha256(it).hexdigest() for it in pictures]
    assert [it["altText"] for it in post["media"]] == [f"noise {n}" for n in range(count)]


@pytest.mark.parametrize("reel", [False, True])
async def test_a_video_is_seen_by_nobody_before_its_last_word(facebook: Played, reel: bool) -> None:
    name, data = f"video-{reel}", samples.padded(film(), 2 * CHUNK_BYTES + 3)
    case = await Case.ready(facebook, name, moving("waves", reel=reel, data=data))
    assert facebook.publisher.check(case.wanted) == []
    assert await case.reconcile() == Absent(safe_to_send=True)
    assert await of(facebook, name) == []
    receipt = await settled(await begun(case))
    assert isinstance(receipt, Receipt)
    (post,) = await of(facebook, name)
    assert (post["id"], post["kind"], post["text"]) == (receipt.platform_post_id, "reel" if reel else "video", "waves")
    assert post["media"][0]["sha256"] == sha256(data).hexdigest()
    assert receipt.url is not None
    assert ("/reel/" if reel else "/videos/") in receipt.url


async def test_reels_have_renditions_of_their_own(facebook: Played) -> None:
    assert isinstance(facebook.publisher, ChoosesPresets)
    assert [facebook.publisher.preset(options) for options in (REEL, {})] == ["facebook.reel", ""]


@pytest.mark.parametrize("reel", [False, True])
async def test_a_video_goes_on_where_it_broke_off(facebook: Played, reel: bool) -> None:
    name, data = f"broken-{reel}", samples.padded(film(), 4 * CHUNK_BYTES)
    account, steps, wanted = await facebook.connected(name), Steps(), moving("broken", reel=reel, data=data)
    read = wanted.assets[0].read
    assert isinstance(read, Reading)
    read.breaks_after = 2_500_000
    with pytest.raises((ConnectionError, PlatformError)):
        await facebook.publisher.prepare(facebook.http, account, wanted, steps)
    began, read.breaks_after = steps.kept["video"], None
    case = Case(facebook, account, wanted, await prepared_at_last(facebook, account, wanted, steps))
    assert case.prepared["videoId"] == began["videoId"]
    assert isinstance(await settled(await begun(case)), Receipt)
    (post,) = await of(facebook, name)
    assert post["media"][0]["sha256"] == sha256(data).hexdigest()


@pytest.mark.parametrize("mode", ["drop_after", "429"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [(PHOTOS, "photo"), (VIDEOS, "video"), (REELS, "reel"), (STORE, "reel"), ("/v25.0/?*", "reel")],
    ids=["photo", "video", "reel", "store", "any"],
)
async def test_whatever_step_before_fails_there_is_one_post(facebook: Played, path: str, kind: str, mode: str) -> None:
    name = f"step-{kind}-{len(path)}-{mode}".replace("_", "-")
    account, steps = await facebook.connected(name), Steps()
    wanted = draft("once", asset(samples.picture())) if kind == "photo" else moving("once", reel=kind == "reel")
    await facebook.order(path, mode)
    with pytest.raises(PlatformError) as caught:
        await facebook.publisher.prepare(facebook.http, account, wanted, steps)
    assert caught.value.fault is Fault.TRANSIENT
    case = Case(facebook, account, wanted, await facebook.prepared(account, wanted, steps))
    receipt = await case.publish() if kind == "photo" else await settled(await begun(case))
    assert isinstance(receipt, Receipt)
    assert [post["id"] for post in await of(facebook, name)] == [receipt.platform_post_id]


async def test_a_chunk_whose_answer_is_lost_is_not_sent_twice(facebook: Played) -> None:
    account, steps = await facebook.connected("chunk"), Steps()
    data = samples.padded(film(), 3 * CHUNK_BYTES)
    wanted = moving("chunk", reel=False, data=data)
    for mode in ("drop_after", "error"):  # the start, kept nowhere; then the first chunk of the next one
        await facebook.order(VIDEOS, mode)
        with pytest.raises(PlatformError):
            await facebook.publisher.prepare(facebook.http, account, wanted, steps)
    kept = await facebook.publisher.prepare(facebook.http, account, wanted, steps)
    again = {**steps.kept["video"], "whole": False, "first": 0, "end": CHUNK_BYTES}
    assert await facebook.publisher.prepare(facebook.http, account, wanted, Steps({"video": again})) == kept
    assert isinstance(await settled(await begun(Case(facebook, account, wanted, kept))), Receipt)
    (post,) = await of(facebook, "chunk")
    assert post["media"][0]["sha256"] == sha256(data).hexdigest()


@pytest.mark.parametrize("mode", ["drop_before", "drop_after", "error"])
@pytest.mark.parametrize("reel", [False, True])
async def test_a_lost_answer_to_the_last_word_is_told_by_the_id(facebook: Played, reel: bool, mode: str) -> None:
    name = f"lost-{reel}-{mode}".replace("_", "-")
    case = await Case.ready(facebook, name, moving("lost", reel=reel))
    await facebook.order(REELS if reel else VIDEOS, mode)
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await case.publish()
    receipt = await told(case)
    assert isinstance(receipt, Receipt)
    assert await case.publish() == receipt  # whoever says it again says nothing
    assert [post["id"] for post in await of(facebook, name)] == [receipt.platform_post_id]


@pytest.mark.parametrize(("mode", "sent"), [("drop_before", False), ("error", False), ("drop_after", True)])
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_lost_answer_to_a_post_is_looked_up(facebook: Played, count: int, mode: str, sent: bool) -> None:
    name = f"looked-{count}-{mode}".replace("_", "-")
    account = await facebook.connected(name)
    await facebook.published(account, draft("the one before", asset(samples.picture())))
    wanted = draft("looked up", *(asset(samples.picture()) for _ in range(count)))
    case = Case(facebook, account, wanted, await facebook.prepared(account, wanted))
    await facebook.order(FEED, mode, method="POST")
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await case.publish()
    found = await case.reconcile()
    assert [post["id"] for post in await of(facebook, name) if post["text"] == "looked up"] == (
        [found.platform_post_id] if isinstance(found, Receipt) else []
    )
    assert isinstance(found, Receipt) if sent else found == Absent(safe_to_send=False)


async def test_a_post_is_found_behind_a_hundred_others(facebook: Played) -> None:
    account = await facebook.connected("many")
    first = await facebook.published(account, draft("the first"))
    for n in range(101):
        await facebook.published(account, draft(f"number {n}"))
    assert await Case(
        facebook, account, draft("the first"), await facebook.prepared(account, draft("x"))
    ).reconcile() == (first)


@pytest.mark.parametrize(
    ("data", "reel", "code"),
    [
        (film(1280, 720), True, "media_refused"),
        (film(seconds=2), True, "media_refused"),
        (film(fps=15), True, "media_refused"),
        (b"\0\0\0\x18ftyp" + b"x" * 5000, False, "media_refused"),
    ],
    ids=["wide", "short", "slow", "noise"],
)
async def test_a_video_facebook_cannot_process_is_told_why(
    facebook: Played, data: bytes, reel: bool, code: str
) -> None:
    made = samples.mislabelled(data, "video/mp4")
    name = f"unfit-{len(data)}"
    case = await begun(await Case.ready(facebook, name, draft("unfit", made, options=dict(REEL) if reel else {})))
    assert await settled(case) == Absent(safe_to_send=True)
    with pytest.raises(PlatformError) as caught:
        await case.publish()
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, code)
    assert await of(facebook, name) == []


async def test_a_photo_facebook_does_not_take_is_refused(facebook: Played) -> None:
    made = samples.mislabelled(samples.picture(kind="WEBP"), "image/jpeg")
    with pytest.raises(PlatformError) as caught:
        await Case.ready(facebook, "unfit-photo", draft("x", made))
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "media_too_large")


async def test_what_facebook_forgot_begins_anew(facebook: Played) -> None:
    account = await facebook.connected("forgotten")
    page: dict[str, JSON] = {"pageId": account.credentials["page_id"]}
    gone: list[tuple[Draft, dict[str, JSON]]] = [
        (draft("x", asset(samples.picture())), {"photos": ["1"]}),
        (moving("x", reel=True), {"videoId": "1"}),
    ]
    for wanted, prepared in gone:
        with pytest.raises(PlatformError) as caught:
            await Case(facebook, account, wanted, {**page, **prepared}).publish()
        assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "upload_lost")
    assert await Case(facebook, account, wanted, {**page, "videoId": "1"}).reconcile() == CannotTell()


async def test_a_day_has_thirty_reels(facebook: Played) -> None:
    account, steps = await facebook.connected("busy"), Steps()
    case = Case(
        facebook, account, moving("x", reel=True), await facebook.prepared(account, moving("x", reel=True), steps)
    )
    assert isinstance(await settled(await begun(case)), Receipt)
    for _ in range(29):
        again = moving("x", reel=True)
        await begun(Case(facebook, account, again, await facebook.prepared(account, again)))
    with pytest.raises(PlatformError) as caught:
        await facebook.prepared(account, moving("x", reel=True))
    assert (caught.value.fault, caught.value.code) == (Fault.QUOTA, "daily_limit")

"""Our publisher for TikTok against TikTok as its sandbox plays it, over real HTTP."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import httpx
import pytest

from services.platforms.ports import (
    JSON,
    SECRET,
    Absent,
    Account,
    CannotTell,
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
from tests.contract.platforms.cdn import Cdn
from tests.contract.platforms.playing import POLL_S, POLLS_MAX, Played
from tests.contract.platforms.samples import Reading, Steps, asset, draft

INIT = "/v2/post/publish/video/init/"
PHOTOS = "/v2/post/publish/content/init/"
STATUS = "/v2/post/publish/status/fetch/"
STORE = "/upload/video/"
CHUNK_BYTES = 10_000_000


@cache
def film(width: int = 540, height: int = 960, seconds: float = 4, fps: int = 24) -> bytes:
    """One TikTok takes, unless it is told otherwise."""
    return media.film(width, height, seconds=seconds, fps=fps, options={"preset": "ultrafast", "crf": "40"})


def photo(width: int = 200, height: int = 300) -> bytes:
    """One TikTok takes."""
    return samples.picture(width, height)


async def of(tiktok: Played, name: str) -> list[dict[str, Any]]:
    """What that account has there."""
    return [post for post in await tiktok.received() if post["account"] == name]


async def settled(case: Case) -> Receipt | Absent | CannotTell:
    """As often as TikTok says that it is at work, with what it told when it was asked to publish."""
    for _ in range(POLLS_MAX):
        try:
            return await case.reconcile()
        except Underway:
            await asyncio.sleep(POLL_S)
    raise AssertionError("at work for ever")


async def begun(case: Case) -> Case:
    """The case, once its publish() is answered, with what was told then."""
    with pytest.raises(Underway) as caught:
        await case.publish()
    case.prepared = {**case.prepared, **caught.value.found}
    return case


async def published(tiktok: Played, name: str, wanted: Draft) -> Receipt:
    """Checked, prepared, published and waited for."""
    assert tiktok.publisher.check(wanted) == []
    found = await settled(await begun(await Case.ready(tiktok, name, wanted)))
    assert isinstance(found, Receipt)
    return found


async def test_an_account_is_verified_by_its_user_and_what_it_may_post(tiktok: Played) -> None:
    verified = await tiktok.publisher.verify(tiktok.http, tiktok.account("verified"))
    assert (verified.display_name, verified.credentials["username"]) == ("verified", "verified")
    assert verified.external_id.startswith("-000")


@pytest.mark.parametrize(
    ("token", "code"), [("stolen", "credentials_refused"), ("sandbox-reader.readonly", "scope_missing")]
)
async def test_an_account_that_cannot_post_is_refused(tiktok: Played, token: str, code: str) -> None:
    with pytest.raises(PlatformError) as caught:
        await tiktok.publisher.verify(tiktok.http, Account("acc_test", tiktok.url, {"access_token": token}))
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, code)


async def test_a_video_goes_in_chunks_and_is_told_by_its_id(tiktok: Played) -> None:
    data = samples.padded(film(), 2 * CHUNK_BYTES + 5_000_003)
    options: dict[str, JSON] = {
        "privacy": "public", "disableComments": True, "disableDuet": True, "disableStitch": False, "madeWithAi": True,
        "thumbOffset": 1_500, "ownBrand": True, "paidPartnership": False,
    }  # fmt: skip
    receipt = await published(tiktok, "whole", draft("moving #noise", asset(data, alt_text="noise"), options=options))
    assert receipt.url == f"https://www.tiktok.com/@whole/video/{receipt.platform_post_id}"
    (post,) = await of(tiktok, "whole")
    assert (post["id"], post["text"], post["source"]) == (receipt.platform_post_id, "moving #noise", "FILE_UPLOAD")
    assert post["info"] == {
        "title": "moving #noise", "privacy_level": "PUBLIC_TO_EVERYONE", "disable_comment": True, "disable_duet": True,
        "disable_stitch": False, "is_aigc": True, "video_cover_timestamp_ms": 1_500, "brand_organic_toggle": True,
        "brand_content_toggle": False,
    }  # fmt: skip
    assert post["media"][0]["sha256"] == sha256(data).hexdigest()


async def test_a_video_of_one_chunk_is_not_there_before_it_is_published(tiktok: Played) -> None:
    case = await Case.ready(tiktok, "hidden", draft("one chunk", asset(film())))
    assert await case.reconcile() == Absent(safe_to_send=True)
    assert await of(tiktok, "hidden") == []
    assert isinstance(await settled(await begun(case)), Receipt)


async def test_photos_are_fetched_in_their_order(tiktok: Played, cdn: Cdn) -> None:
    pictures = [photo(200 + n, 300) for n in range(3)]
    options: dict[str, JSON] = {"title": "Three", "coverIndex": 2, "autoAddMusic": True}
    wanted = draft("what they show", *(cdn.asset(it, "noise") for it in pictures), options=options)
    receipt = await published(tiktok, "photos", wanted)
    assert receipt.url == f"https://www.tiktok.com/@photos/photo/{receipt.platform_post_id}"
    (post,) = await of(tiktok, "photos")
    assert (post["text"], post["title"], post["info"]["auto_add_music"]) == ("what they show", "Three", True)
    assert [(await tiktok.file(it["sha256"])).content for it in post["media"]] == pictures


@pytest.mark.parametrize(("mark", "privacy"), [(".private", "followers"), (".unaudited", "private")])
async def test_a_post_that_is_not_public_has_no_address(tiktok: Played, mark: str, privacy: str) -> None:
    name = f"quiet-{privacy}"
    receipt = await published(tiktok, f"{name}{mark}", draft("quiet", asset(film()), options={"privacy": privacy}))
    assert receipt == Receipt("", None)
    assert len(await of(tiktok, name)) == 1


async def test_a_public_post_tiktok_still_looks_at_is_waited_for_only_a_while(tiktok: Played) -> None:
    case = await begun(await Case.ready(tiktok, "looked-at", draft("x", asset(film()))))
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    for _ in range(POLLS_MAX):
        try:
            assert isinstance(await case.reconcile(long_ago), Receipt)
            return
        except Underway:
            await asyncio.sleep(POLL_S / 4)
    raise AssertionError("at work for ever")


@pytest.mark.parametrize(
    ("mark", "options", "seconds", "fault", "code"),
    [
        (".private", {}, 4, Fault.PERMANENT, "privacy_refused"),
        (".unaudited", {}, 4, Fault.PERMANENT, "app_not_audited"),
        (".brief", {}, 11, Fault.PERMANENT, "video_too_long"),
        (".readonly", {}, 4, Fault.ACCOUNT, "scope_missing"),
    ],
)
async def test_what_this_account_may_not_post(
    tiktok: Played, mark: str, options: dict[str, JSON], seconds: int, fault: Fault, code: str
) -> None:
    account, wanted = tiktok.account(f"may-not{mark}"), draft("x", asset(film(seconds=seconds)), options=options)
    with pytest.raises(PlatformError) as caught:
        await tiktok.prepared(account, wanted)
    assert (caught.value.fault, caught.value.code) == (fault, code)


async def test_chunks_go_on_where_they_broke_off(tiktok: Played) -> None:
    data = samples.padded(film(), 4 * CHUNK_BYTES)
    account, steps, whole = await tiktok.connected("broken"), Steps(), asset(data)
    read = whole.read
    assert isinstance(read, Reading)
    read.breaks_after = 25_000_000
    with pytest.raises(ConnectionError):
        await tiktok.publisher.prepare(tiktok.http, account, draft("broken", whole), steps)
    place, read.breaks_after = steps.kept["upload"], None
    await tiktok.order(STORE, "error")  # the next chunk; those before it are not sent again
    with pytest.raises(PlatformError):
        await tiktok.publisher.prepare(tiktok.http, account, draft("broken", whole), steps)
    case = Case(tiktok, account, draft("broken", whole), await tiktok.prepared(account, draft("broken", whole), steps))
    assert case.prepared == place
    assert isinstance(await settled(await begun(case)), Receipt)
    (post,) = await of(tiktok, "broken")
    assert post["media"][0]["sha256"] == sha256(data).hexdigest()


@pytest.mark.parametrize("mode", ["drop_before", "drop_after", "error"])
@pytest.mark.parametrize("path", ["*/creator_info/query/", INIT, STORE])
async def test_whatever_step_of_an_upload_fails_there_is_one_post(tiktok: Played, path: str, mode: str) -> None:
    name = f"step-{path.strip('*/').replace('/', '-')}-{mode}".replace("_", "-")
    account, steps = await tiktok.connected(name), Steps()
    wanted = draft("once", asset(samples.padded(film(), 2 * CHUNK_BYTES)))
    await tiktok.order(path, mode)
    with pytest.raises(PlatformError) as caught:
        await tiktok.publisher.prepare(tiktok.http, account, wanted, steps)
    assert caught.value.fault is Fault.TRANSIENT
    case = await begun(Case(tiktok, account, wanted, await tiktok.prepared(account, wanted, steps)))
    receipt = await settled(case)
    assert isinstance(receipt, Receipt)
    assert [post["id"] for post in await of(tiktok, name)] == [receipt.platform_post_id]


@pytest.mark.parametrize(("mode", "sent"), [("drop_before", False), ("error", False), ("drop_after", True)])
async def test_a_lost_answer_to_the_last_chunk_is_told_by_the_id(tiktok: Played, mode: str, sent: bool) -> None:
    name = f"lost-{mode}".replace("_", "-")
    case = await Case.ready(tiktok, name, draft("lost", asset(film())))
    await tiktok.order(STORE, mode)
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await case.publish()
    found = await settled(case)
    if not sent:
        assert found == Absent(safe_to_send=True)
        found = await settled(await begun(case))
    assert isinstance(found, Receipt)
    assert await case.publish() == found  # whoever sends it again sends nothing
    assert [post["id"] for post in await of(tiktok, name)] == [found.platform_post_id]


@pytest.mark.parametrize(("mode", "count"), [("drop_before", 0), ("error", 0), ("drop_after", 1)])
async def test_photos_whose_answer_is_lost_stay_in_doubt(tiktok: Played, cdn: Cdn, mode: str, count: int) -> None:
    name = f"doubt-{mode}".replace("_", "-")
    case = await Case.ready(tiktok, name, draft("doubt", cdn.asset(photo())))
    await tiktok.order(PHOTOS, mode)
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await case.publish()
    assert await case.reconcile() == CannotTell(for_good=True)
    assert len(await of(tiktok, name)) == count


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (film(320, 568), "media_refused"),
        (film(fps=15), "media_refused"),
        (film(seconds=2), "video_too_long"),
        (b"\0\0\0\x18ftyp" + b"x" * 5000, "media_refused"),
    ],
    ids=["small", "slow", "short", "noise"],
)
async def test_a_video_tiktok_gives_up_is_told_why_when_it_is_sent_again(
    tiktok: Played, data: bytes, code: str
) -> None:
    made = samples.mislabelled(data, "video/mp4")
    name = f"unfit-{len(data)}"
    case = await begun(await Case.ready(tiktok, name, draft("unfit", made)))
    assert await settled(case) == Absent(safe_to_send=True)
    with pytest.raises(PlatformError) as caught:
        await case.publish()
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, code)
    assert await of(tiktok, name) == []


async def test_a_photo_that_is_gone_is_fetched_anew(tiktok: Played, cdn: Cdn) -> None:
    wanted = draft("gone", samples.asset(photo(), url=f"{cdn.url}/gone"))
    case = await begun(await Case.ready(tiktok, "gone", wanted))
    assert await settled(case) == Absent(safe_to_send=True)
    with pytest.raises(PlatformError) as caught:
        await case.publish()
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "media_unreachable")


async def test_photos_of_a_host_nobody_verified_are_refused(tiktok: Played) -> None:
    case = await Case.ready(tiktok, "unverified", draft("x", asset(photo(), url="https://cdn.example.com/a.jpg")))
    with pytest.raises(PlatformError) as caught:
        await case.publish()
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "media_host_unverified")


async def test_an_upload_whose_hour_is_over_begins_anew(tiktok: Played) -> None:
    account, steps, wanted = await tiktok.connected("old"), Steps(), draft("old", asset(film()))
    first = await tiktok.prepared(account, wanted, steps)
    steps.kept["upload"] = {**first, "until": 0.0}
    assert (await tiktok.prepared(account, wanted, steps))["publishId"] != first["publishId"]
    lost = Case(
        tiktok, account, wanted, {**first, SECRET: {"uploadUrl": f"{tiktok.url}{STORE}?upload_id={first['publishId']}"}}
    )
    with pytest.raises(PlatformError) as caught:
        await lost.publish()
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "upload_lost")


async def test_an_id_tiktok_forgot_begins_anew(tiktok: Played) -> None:
    account, wanted = await tiktok.connected("forgotten"), draft("x", asset(film()))
    with pytest.raises(PlatformError) as caught:
        await tiktok.publisher.prepare(
            tiktok.http, account, wanted, Steps({"upload": {"publishId": "v_pub_none", "uploadUrl": "x", "until": 9e9}})
        )
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "upload_lost")
    assert await Case(tiktok, account, wanted, {"publishId": "v_pub_none"}).reconcile() == CannotTell()


async def test_bytes_that_cannot_be_read_publish_nothing(tiktok: Played) -> None:
    case = await Case.ready(tiktok, "unread", draft("unread", asset(film())))
    read = case.wanted.assets[0].read
    assert isinstance(read, Reading)
    read.breaks_after = 100_000
    with pytest.raises(ConnectionError):
        await case.publish()
    assert await case.reconcile() == Absent(safe_to_send=True)
    read.breaks_after = None
    assert isinstance(await settled(await begun(case)), Receipt)
    assert len(await of(tiktok, "unread")) == 1


async def test_an_expired_token_is_renewed_and_kept(tiktok: Played) -> None:
    kept: list[Mapping[str, str]] = []

    async def save(credentials: Mapping[str, str]) -> None:
        kept.append(credentials)

    old = {"access_token": "old", "refresh_token": "sandbox-renewed.1", "client_key": "app", "client_secret": "secret"}
    wanted = draft("renewed", asset(film()))
    with pytest.raises(PlatformError) as caught:
        await tiktok.publisher.prepare(tiktok.http, Account("acc_test", tiktok.url, old, save), wanted, Steps())
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "token_renewed")
    (credentials,) = kept
    assert credentials["refresh_token"] != old["refresh_token"]
    account = Account("acc_test", tiktok.url, credentials, save)
    assert await settled(await begun(Case(tiktok, account, wanted, await tiktok.prepared(account, wanted))))
    assert len(await of(tiktok, "renewed")) == 1


async def test_a_minute_has_six_posts(tiktok: Played) -> None:
    account = await tiktok.connected("busy")
    for _ in range(6):
        await tiktok.prepared(account, draft("x", asset(film())))
    with pytest.raises(PlatformError) as caught:
        await tiktok.prepared(account, draft("x", asset(film())))
    assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rate_limited")
    assert caught.value.retry_after_s == 60.0

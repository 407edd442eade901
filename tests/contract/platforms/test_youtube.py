"""Our publisher for YouTube against YouTube as its sandbox plays it, over real HTTP."""

from collections.abc import Awaitable, Mapping
from typing import Any

import httpx
import pytest

from services.platforms.ports import JSON, Absent, Account, CannotTell, Fault, OutcomeUnknown, PlatformError, Receipt
from tests.contract.platforms import samples
from tests.contract.platforms.cases import Case
from tests.contract.platforms.playing import Played
from tests.contract.platforms.samples import Reading, Steps, asset, draft, mislabelled

UPLOAD = "/upload/youtube/v3/videos"
VIDEOS = "/youtube/v3/videos"
THUMBNAIL = "/upload/youtube/v3/thumbnails/set"
BLOCK_BYTES = 256 * 1024


async def of(youtube: Played, name: str) -> list[dict[str, Any]]:
    """What that account has there."""
    return [post for post in await youtube.received() if post["account"] == name]


async def of_token(youtube: Played, token: str, video_id: str) -> list[dict[str, Any]]:
    """The videos of this id that its owner may see."""
    query, headers = {"part": "status", "id": video_id}, {"Authorization": f"Bearer {token}"}
    answer = await youtube.http.get(youtube.url + VIDEOS, params=query, headers=headers)
    assert answer.status_code == 200
    return list(answer.json()["items"])


async def test_an_account_is_verified_by_its_channel(youtube: Played) -> None:
    verified = await youtube.publisher.verify(youtube.http, youtube.account("verified"))
    assert verified.display_name == "verified"
    assert verified.external_id.startswith("UC")
    assert verified.credentials["channel_id"] == verified.external_id


@pytest.mark.parametrize(
    ("token", "code"), [("stolen", "credentials_refused"), ("sandbox-none.channelless", "channel_missing")]
)
async def test_an_account_that_cannot_be_used_is_refused(youtube: Played, token: str, code: str) -> None:
    with pytest.raises(PlatformError) as caught:
        await youtube.publisher.verify(youtube.http, Account("acc_test", youtube.url, {"access_token": token}))
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, code)


async def test_a_video_arrives_byte_for_byte_with_everything_said(youtube: Played) -> None:
    data, cover = samples.padded(samples.film(), 3_000_001), samples.picture(640, 360)
    options: dict[str, JSON] = {
        "title": "A title", "tags": ["one", "two words"], "categoryId": "24", "privacy": "unlisted",
        "license": "creativeCommon", "madeForKids": False, "embeddable": False, "madeWithAi": True,
        "notifySubscribers": False,
    }  # fmt: skip
    wanted = draft("What it shows.\nAnd more.", asset(data, alt_text="noise"), cover=asset(cover), options=options)
    receipt = await youtube.published(await youtube.connected("whole"), wanted)
    assert receipt.url == f"https://www.youtube.com/watch?v={receipt.platform_post_id}"
    (video,) = await of(youtube, "whole")
    assert video["id"] == receipt.platform_post_id
    assert video["snippet"] == {
        "title": "A title", "description": wanted.text, "categoryId": "24", "tags": ["one", "two words"],
    }  # fmt: skip
    assert video["status"] == {
        "privacyStatus": "unlisted", "license": "creativeCommon", "selfDeclaredMadeForKids": False,
        "embeddable": False, "containsSyntheticMedia": True,
    }  # fmt: skip
    [medium], shown = video["media"], video["cover"]
    assert (await youtube.file(medium["sha256"])).content == data
    assert (await youtube.file(shown["sha256"])).content == cover


async def test_nobody_sees_a_video_before_it_is_published(youtube: Played) -> None:
    case = await Case.ready(youtube, "hidden", draft("A title", asset(samples.film())))
    video_id = str(case.prepared["videoId"])
    theirs, ours = [await of_token(youtube, it, video_id) for it in ("sandbox-stranger", "sandbox-hidden")]
    assert (theirs, ours[0]["status"]["privacyStatus"], await of(youtube, "hidden")) == ([], "private", [])
    await case.publish()
    assert await of_token(youtube, "sandbox-stranger", video_id)
    (video,) = await of(youtube, "hidden")
    assert video["status"] == {"privacyStatus": "public"}


async def test_processing_is_waited_for(youtube: Played) -> None:
    account, steps = await youtube.connected("waiting"), Steps()
    wanted = draft("A title", asset(samples.film()))
    with pytest.raises(PlatformError) as caught:
        await youtube.publisher.prepare(youtube.http, account, wanted, steps)
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "media_processing")
    assert caught.value.retry_after_s == 5.0
    assert list(steps.kept["upload"]) == ["videoId"]  # and not the session, to which anybody could write
    await youtube.prepared(account, wanted, steps)
    read = wanted.assets[0].read
    assert isinstance(read, Reading)
    assert read.opened == 1


async def test_an_upload_goes_on_where_it_broke_off(youtube: Played) -> None:
    data = samples.padded(samples.film(), 2_500_000)
    account, steps, whole = await youtube.connected("broken"), Steps(), asset(data)
    read = whole.read
    assert isinstance(read, Reading)
    read.breaks_after = 1_500_000
    with pytest.raises(ConnectionError):
        await youtube.publisher.prepare(youtube.http, account, draft("broken", whole), steps)
    read.breaks_after = None
    session = str(steps.kept["upload"]["session"])
    told = await youtube.http.put(
        session, headers={"Content-Range": f"bytes */{len(data)}", "Authorization": "Bearer sandbox-broken"}
    )
    assert told.status_code == 308
    kept = int(told.headers["range"].removeprefix("bytes=0-")) + 1
    assert kept % BLOCK_BYTES == 0
    assert 0 < kept <= 1_500_000
    case = Case(
        youtube, account, draft("broken", whole), await youtube.prepared(account, draft("broken", whole), steps)
    )
    await case.publish()
    (video,) = await of(youtube, "broken")
    assert (await youtube.file(video["media"][0]["sha256"])).content == data


@pytest.mark.parametrize("mode", ["drop_before", "drop_after", "error"])
@pytest.mark.parametrize(("method", "path"), [("POST", UPLOAD), ("PUT", UPLOAD), ("POST", THUMBNAIL), ("GET", VIDEOS)])
async def test_whatever_step_of_an_upload_fails_there_is_one_video(
    youtube: Played, method: str, path: str, mode: str
) -> None:
    name = f"step-{method}-{path.rsplit('/', 1)[1]}-{mode}".lower().replace("_", "-")
    account, steps = await youtube.connected(name), Steps()
    wanted = draft("once", asset(samples.film()), cover=asset(samples.picture()))
    await youtube.order(path, mode, method=method)
    with pytest.raises(PlatformError) as caught:
        await youtube.publisher.prepare(youtube.http, account, wanted, steps)
    assert caught.value.fault is Fault.TRANSIENT
    case = Case(youtube, account, wanted, await youtube.prepared(account, wanted, steps))
    receipt = await case.publish()
    assert [video["id"] for video in await of(youtube, name)] == [receipt.platform_post_id]


async def test_a_session_youtube_forgot_begins_anew(youtube: Played) -> None:
    steps = Steps({"upload": {"session": f"{youtube.url}{UPLOAD}?uploadType=resumable&upload_id=forgotten"}})
    with pytest.raises(PlatformError) as caught:
        await youtube.publisher.prepare(
            youtube.http, await youtube.connected("forgotten"), draft("x", asset(samples.film())), steps
        )
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "upload_lost")


@pytest.mark.parametrize(("mode", "sent"), [("drop_before", False), ("error", False), ("drop_after", True)])
async def test_a_lost_answer_is_told_by_who_may_see_the_video(youtube: Played, mode: str, sent: bool) -> None:
    name = f"lost-{mode}".replace("_", "-")
    case = await Case.ready(youtube, name, draft("lost", asset(samples.film())))
    await youtube.order(VIDEOS, mode, method="PUT")
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await case.publish()
    found = await case.reconcile()
    if sent:
        assert isinstance(found, Receipt)
    else:
        assert found == Absent(safe_to_send=True)
        assert await case.publish() == await case.reconcile()
    (video,) = await of(youtube, name)
    assert video["status"] == {"privacyStatus": "public"}


async def test_a_video_that_was_deleted_cannot_be_told(youtube: Played) -> None:
    case = await Case.ready(youtube, "deleted", draft("deleted", asset(samples.film())))
    case.prepared = {"videoId": "nobody-has"}
    assert await case.reconcile() == CannotTell()
    with pytest.raises(PlatformError) as caught:
        await case.publish()
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "upload_lost")


async def test_an_app_that_was_not_audited_is_told_that_its_videos_stay_private(youtube: Played) -> None:
    wanted = draft("locked", asset(samples.film()))
    with pytest.raises(PlatformError) as caught:
        await youtube.published(await youtube.connected("locked.unaudited"), wanted)
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "privacy_locked")


async def test_a_channel_that_may_set_no_thumbnail_publishes_without(youtube: Played) -> None:
    wanted, steps = draft("plain", asset(samples.film()), cover=asset(samples.picture())), Steps()
    account = await youtube.connected("plain.plain")
    case = Case(youtube, account, wanted, await youtube.prepared(account, wanted, steps))
    assert steps.kept["thumbnail"] == {"set": False}
    assert await case.publish()
    assert (await of(youtube, "plain"))[0]["cover"] is None


async def test_a_token_that_may_only_read_wants_the_account_connected_again(youtube: Played) -> None:
    with pytest.raises(PlatformError) as caught:
        await youtube.published(youtube.account("reader.readonly"), draft("no", asset(samples.film())))
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "scope_missing")


async def test_bytes_that_are_no_video_are_refused_for_good(youtube: Played) -> None:
    wanted = draft("noise", mislabelled(b"\0\0\0\x18ftyp" + b"x" * 5000, "video/mp4"))
    with pytest.raises(PlatformError) as caught:
        await youtube.prepared(await youtube.connected("noise"), wanted)
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "media_refused")


@pytest.mark.parametrize("step", ["prepare", "publish"])
async def test_an_expired_token_is_renewed_and_kept(youtube: Played, step: str) -> None:
    kept: list[Mapping[str, str]] = []

    async def save(credentials: Mapping[str, str]) -> None:
        kept.append(credentials)

    name = f"renewed-{step}"
    old = {"access_token": "old", "refresh_token": f"sandbox-{name}", "client_id": "app", "client_secret": "s"}
    expired, wanted, steps = Account("acc_test", youtube.url, old, save), draft("x", asset(samples.film())), Steps()
    publisher, http = youtube.publisher, youtube.http
    if step == "prepare":
        call: Awaitable[object] = publisher.prepare(http, expired, wanted, steps)
    else:
        prepared = await youtube.prepared(await youtube.connected(name), wanted, steps)
        call = publisher.publish(http, expired, wanted, prepared, "")
    with pytest.raises(PlatformError) as caught:
        await call
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "token_renewed")
    (credentials,) = kept
    assert credentials["refresh_token"] == old["refresh_token"]  # Google gives no other one
    account = Account("acc_test", youtube.url, credentials, save)
    case = Case(youtube, account, wanted, await youtube.prepared(account, wanted, steps))
    assert await case.publish()
    assert len(await of(youtube, name)) == 1


@pytest.mark.parametrize("path", [UPLOAD, VIDEOS])
async def test_too_many_requests_are_waited_out(youtube: Played, path: str) -> None:
    account = await youtube.connected("busy")
    await youtube.order(path, "429")
    with pytest.raises(PlatformError) as caught:
        await youtube.published(account, draft("too many", asset(samples.film())))
    assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rate_limited")

"""Our publisher for X against X as its sandbox plays it, over real HTTP."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.platforms.ports import Absent, Account, Draft, Fault, OutcomeUnknown, PlatformError, Receipt
from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played
from tests.contract.platforms.samples import Reading, Steps, asset, draft, mislabelled


async def test_an_account_is_verified_and_told_by_its_name(x: Played) -> None:
    verified = await x.publisher.verify(x.http, x.account("verified"))
    assert verified.display_name == "@verified"
    assert verified.external_id.isdigit()
    assert verified.credentials["username"] == "verified"
    assert verified.credentials["user_id"] == verified.external_id


async def test_text_alone_is_published(x: Played) -> None:
    account = await x.connected("text")
    receipt = await x.published(account, draft("Only words & a link: https://example.com/a?b=1"))
    newest = (await x.received())[0]
    assert newest["id"] == receipt.platform_post_id
    assert receipt.url == f"https://x.com/text/status/{receipt.platform_post_id}"
    assert newest["text"] == "Only words & a link: https://example.com/a?b=1"
    assert newest["media"] == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_an_image_arrives_byte_for_byte_with_its_description(x: Played, kind: str) -> None:
    data = samples.picture(kind=kind)
    await x.published(await x.connected(f"image-{kind}"), draft("look", asset(data, alt_text="noise in colour")))
    (picture,) = (await x.received())[0]["media"]
    assert picture["altText"] == "noise in colour"
    assert picture["contentType"] == f"image/{kind.lower()}"
    shown = await x.file(picture["sha256"])
    assert shown.content == data
    assert shown.headers["content-type"] == f"image/{kind.lower()}"


async def test_four_images_keep_their_order(x: Played) -> None:
    pictures = [samples.picture(100 + n, 80) for n in range(4)]
    assets = [asset(data, alt_text=f"number {n}" if n % 2 else None) for n, data in enumerate(pictures)]
    await x.published(await x.connected("four"), draft("four of them", *assets))
    newest = (await x.received())[0]
    assert [one["width"] for one in newest["media"]] == [100, 101, 102, 103]
    assert [one["altText"] for one in newest["media"]] == [None, "number 1", None, "number 3"]


async def test_an_image_of_megabytes_goes_in_segments(x: Played) -> None:
    data = samples.picture(1100, 1000, "PNG")
    assert len(data) > 3_000_000
    await x.published(await x.connected("segments"), draft("large", asset(data, alt_text="large noise")))
    (picture,) = (await x.received())[0]["media"]
    assert (await x.file(picture["sha256"])).content == data


async def test_a_gif_stays_animated(x: Played) -> None:
    data = samples.gif(frames=6)
    await x.published(await x.connected("gif"), draft("moving", asset(data, alt_text="a flicker")))
    (picture,) = (await x.received())[0]["media"]
    assert (picture["contentType"], picture["frames"], picture["altText"]) == ("image/gif", 6, "a flicker")


async def test_a_video_goes_in_segments_and_is_waited_for(x: Played) -> None:
    data = samples.padded(samples.film(), 10_500_000)
    account, wanted, steps = await x.connected("video"), draft("a film", asset(data)), Steps()
    with pytest.raises(PlatformError) as caught:
        await x.publisher.prepare(x.http, account, wanted, steps)
    assert (caught.value.fault, caught.value.code, caught.value.retry_after_s) == (
        Fault.NOT_READY, "media_processing", 1.0,
    )  # fmt: skip
    prepared = await x.prepared(account, wanted, steps)
    receipt = await x.publisher.publish(x.http, account, wanted, prepared, "")
    newest = (await x.received())[0]
    assert newest["id"] == receipt.platform_post_id
    (video,) = newest["media"]
    assert (video["contentType"], video["sizeBytes"]) == ("video/mp4", len(data))
    assert (await x.http.get(f"{x.url}/_sandbox/files/{video['sha256']}", headers={"Range": "bytes=0-99"})).content == (
        data[:100]
    )
    assert steps.saves < 6
    read = wanted.assets[0].read
    assert isinstance(read, Reading)
    assert read.opened == 1


async def test_a_broken_upload_goes_on_where_it_was(x: Played) -> None:
    data = samples.padded(samples.film(), 12_000_000)
    account, steps = await x.connected("broken"), Steps()
    whole = asset(data)
    read = whole.read
    assert isinstance(read, Reading)
    read.breaks_after = 9_500_000
    with pytest.raises(ConnectionError):
        await x.publisher.prepare(x.http, account, draft("film", whole), steps)
    first = steps.kept["media0"]
    assert first["sent"] == 8
    read.breaks_after = None
    await x.prepared(account, draft("film", whole), steps)
    assert steps.kept["media0"]["id"] == first["id"]


async def test_a_lost_answer_to_an_upload_does_not_stop_it(x: Played) -> None:
    account, wanted, steps = await x.connected("lost-finalize"), draft("film", asset(samples.film())), Steps()
    await x.order("/2/media/upload/*/finalize", "drop_after")
    faults = []
    for _ in range(20):
        try:
            prepared = await x.publisher.prepare(x.http, account, wanted, steps)
            break
        except PlatformError as exc:
            faults.append(exc.fault)
            if exc.fault is Fault.REBUILD:
                steps.kept.clear()
            await asyncio.sleep(0.2)
    assert faults[:2] == [Fault.TRANSIENT, Fault.REBUILD]
    assert await x.publisher.publish(x.http, account, wanted, prepared, "")


@pytest.mark.parametrize(
    "data",
    [samples.film(0.3), samples.film(1, 1440, 720), samples.film(1, codec="mpeg4"), samples.padded(b"\0" * 40, 5000)],
    ids=["too-short", "too-wide", "codec", "noise"],
)
async def test_a_video_x_cannot_process_is_refused_for_good(x: Played, data: bytes) -> None:
    whole = asset(data) if b"ftyp" in data[:12] else mislabelled(data, "video/mp4")
    with pytest.raises(PlatformError) as caught:
        await x.prepared(await x.connected("unfit"), draft("film", whole))
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "media_refused")


async def test_more_than_x_takes_is_refused(x: Played) -> None:
    with pytest.raises(PlatformError) as caught:
        await x.prepared(await x.connected("large"), draft("big", asset(samples.picture(1500, 1200, "PNG"))))
    assert caught.value.fault is Fault.PERMANENT
    assert "5000000" in caught.value.message


@pytest.mark.parametrize("mode", ["drop_after", "error", "drop_before"])
async def test_a_lost_answer_is_looked_up(x: Played, mode: str) -> None:
    account = await x.connected(f"lost-{mode}")
    wanted = draft(f"Lost & found: example.com/path {mode}")
    since = datetime.now(UTC)
    await x.order("/2/tweets", mode, method="POST")
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await x.published(account, wanted)
    prepared = await x.prepared(account, wanted)
    found = await x.publisher.reconcile(x.http, account, wanted, prepared, "", since)
    published = [post for post in await x.received() if post["text"] == wanted.text]
    if mode == "drop_after":
        assert isinstance(found, Receipt)
        assert [post["id"] for post in published] == [found.platform_post_id]
    else:
        assert found == Absent(safe_to_send=False)
        assert published == []


async def test_a_lost_post_with_media_is_found_by_them(x: Played) -> None:
    account, since = await x.connected("lost-media"), datetime.now(UTC)
    await x.published(account, draft("same words", asset(samples.picture())))
    wanted = draft("same words", asset(samples.picture()))
    prepared = await x.prepared(account, wanted)
    assert await x.publisher.reconcile(x.http, account, wanted, prepared, "", since) == Absent(safe_to_send=False)
    await x.order("/2/tweets", "drop_after", method="POST")
    with pytest.raises(httpx.TransportError):
        await x.publisher.publish(x.http, account, wanted, prepared, "")
    found = await x.publisher.reconcile(x.http, account, wanted, prepared, "", since)
    assert isinstance(found, Receipt)
    assert found.platform_post_id == (await x.received())[0]["id"]


async def test_older_posts_are_no_evidence(x: Played) -> None:
    account, wanted = await x.connected("older"), draft("said before")
    await x.published(account, wanted)
    since = datetime.now(UTC) + timedelta(hours=1)
    prepared = await x.prepared(account, wanted)
    assert await x.publisher.reconcile(x.http, account, wanted, prepared, "", since) == Absent(safe_to_send=False)


async def test_a_duplicate_of_our_own_is_its_receipt_and_nothing_is_published_twice(x: Played) -> None:
    account, wanted = await x.connected("twice"), draft("Once is enough.")
    first = await x.published(account, wanted)
    assert await x.published(account, wanted) == first
    assert len([post for post in await x.received() if post["text"] == wanted.text]) == 1


async def test_a_duplicate_of_an_older_post_is_refused(x: Played) -> None:
    account = await x.connected("again")
    await x.published(account, draft("Said already."))
    later = Draft(text="Said already.", created_at=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(PlatformError) as caught:
        await x.published(account, later)
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "duplicate_post")


async def test_a_refused_token_wants_the_account_connected_again(x: Played) -> None:
    account = Account("acc_test", x.url, {"access_token": "stolen"})
    with pytest.raises(PlatformError) as caught:
        await x.publisher.verify(x.http, account)
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "credentials_refused")
    with pytest.raises(PlatformError) as caught:
        await x.publisher.publish(x.http, account, draft("no"), {"media": []}, "")
    assert caught.value.fault is Fault.ACCOUNT
    with pytest.raises(PlatformError) as caught:
        await x.publisher.verify(x.http, Account("acc_test", x.url, {"token": "sandbox-x"}))
    assert caught.value.code == "credentials_incomplete"


async def test_an_expired_token_is_renewed_and_kept(x: Played) -> None:
    kept: list[dict[str, str]] = []

    async def save(credentials: Mapping[str, str]) -> None:
        kept.append(dict(credentials))

    old = {"access_token": "expired", "refresh_token": "sandbox-renewed.1", "client_id": "app"}
    account = Account("acc_test", x.url, old, save)
    with pytest.raises(PlatformError) as caught:
        await x.publisher.publish(x.http, account, draft("renewed"), {"media": []}, "")
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "token_renewed")
    (credentials,) = kept
    renewed = Account("acc_test", x.url, credentials, save)
    assert await x.published(renewed, draft("renewed"))
    assert (await x.received())[0]["account"] == "@renewed"
    with pytest.raises(PlatformError) as caught:  # X takes a refresh token once
        await x.publisher.publish(x.http, account, draft("renewed again"), {"media": []}, "")
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "credentials_refused")


async def test_a_new_token_that_is_refused_is_not_renewed_for_ever(x: Played) -> None:
    credentials = {"access_token": "refused", "refresh_token": "sandbox-loop.1", "client_id": "app"}
    fresh = Account("acc_test", x.url, credentials | {"renewed_at": str(int(time.time()))})
    with pytest.raises(PlatformError) as caught:
        await x.publisher.publish(x.http, fresh, draft("no"), {"media": []}, "")
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "credentials_refused")
    aged = Account("acc_test", x.url, credentials | {"renewed_at": str(int(time.time()) - 7_200)})
    with pytest.raises(PlatformError) as caught:
        await x.publisher.publish(x.http, aged, draft("no"), {"media": []}, "")
    assert caught.value.code == "token_renewed"


async def test_verifying_renews_too(x: Played) -> None:
    old = {"access_token": "expired", "refresh_token": "sandbox-late.1", "client_id": "app", "client_secret": "s"}
    verified = await x.publisher.verify(x.http, Account("acc_test", x.url, old))
    assert verified.display_name == "@late"
    assert verified.credentials["refresh_token"] != old["refresh_token"]
    assert verified.credentials["client_secret"] == "s"
    assert await x.published(Account("acc_test", x.url, verified.credentials), draft("renewed by verifying"))


@pytest.mark.parametrize("path", ["/2/tweets", "/2/media/upload"])
async def test_too_many_requests_say_how_long_to_wait(x: Played, path: str) -> None:
    account = await x.connected("busy")
    await x.order(path, "429")
    with pytest.raises(PlatformError) as caught:
        await x.published(account, draft("too many", asset(samples.picture())))
    assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rate_limited")
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 2


async def test_an_unreachable_x_did_nothing(x: Played) -> None:
    away = Account("acc_test", "http://127.0.0.1:9/x", {"access_token": "sandbox-away"})
    with pytest.raises(PlatformError) as caught:
        await x.publisher.publish(x.http, away, draft("nobody there"), {"media": []}, "")
    assert caught.value.fault is Fault.TRANSIENT


async def test_options_reach_x(x: Played) -> None:
    account = await x.connected("options")
    first = await x.published(account, draft("the first"))
    reply = draft("an answer", options={"replyToId": first.platform_post_id, "madeWithAi": True})
    await x.published(account, reply)
    record = (await x.received())[0]["record"]
    assert record["reply"] == {"in_reply_to_tweet_id": first.platform_post_id}
    assert record["made_with_ai"] is True
    since, quote = datetime.now(UTC), draft("a quote", options={"quoteId": first.platform_post_id})
    receipt = await x.published(account, quote)
    prepared = await x.prepared(account, quote)
    assert await x.publisher.reconcile(x.http, account, quote, prepared, "", since) == receipt

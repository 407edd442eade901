"""Our publisher for Instagram against Instagram as its sandbox plays it, over real HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    CannotTell,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Receipt,
)
from tests.contract.platforms import samples
from tests.contract.platforms.cases import Case
from tests.contract.platforms.cdn import Cdn
from tests.contract.platforms.playing import Played
from tests.contract.platforms.samples import Steps, draft

PUBLISH = "*/media_publish"


def photo() -> bytes:
    """Of a shape the feed takes."""
    return samples.picture(320, 320)


async def test_an_account_is_verified_and_its_token_made_to_last(instagram: Played) -> None:
    verified = await instagram.publisher.verify(instagram.http, instagram.account("anna"))
    assert (verified.display_name, verified.external_id) == ("@anna", verified.credentials["user_id"])
    assert verified.credentials["access_token"].startswith("sandbox-anna.")
    assert verified.credentials["refreshed_at"].isdigit()


async def test_a_refused_token_is_the_accounts_fault(instagram: Played) -> None:
    with pytest.raises(PlatformError) as caught:
        await instagram.publisher.verify(instagram.http, instagram.account("x", access_token="real"))
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "credentials_refused")


async def test_a_photo_arrives_byte_for_byte(instagram: Played, cdn: Cdn) -> None:
    data = photo()
    receipt = await instagram.published(
        await instagram.connected("photo"), draft("A #caption", cdn.asset(data, "noise"))
    )
    newest = (await instagram.received())[0]
    assert (newest["id"], newest["text"], newest["account"]) == (receipt.platform_post_id, "A #caption", "photo")
    assert receipt.url == newest["permalink"]
    (medium,) = newest["media"]
    assert (medium["altText"], medium["contentType"]) == ("noise", "image/jpeg")
    assert (await instagram.file(medium["sha256"])).content == data


async def test_a_carousel_mixes_photos_and_videos_in_their_order(instagram: Played, cdn: Cdn) -> None:
    files = [photo(), samples.film(3), photo()]
    assets = [cdn.asset(data, None if n else "the first") for n, data in enumerate(files)]
    steps = Steps()
    account, wanted = await instagram.connected("carousel"), draft("three", *assets)
    prepared = await instagram.prepared(account, wanted, steps)
    assert sorted(steps.kept) == ["child-0", "child-1", "child-2", "container"]
    await instagram.publisher.publish(instagram.http, account, wanted, prepared, "")
    media = (await instagram.received())[0]["media"]
    assert [(await instagram.file(one["sha256"])).content for one in media] == files
    assert [one["altText"] for one in media] == ["the first", None, None]


async def test_a_reel_has_the_cover_or_the_offset_the_author_chose(instagram: Played, cdn: Cdn) -> None:
    account, film, cover = await instagram.connected("reel"), cdn.asset(samples.film(3)), photo()
    await instagram.published(account, draft("with a cover", film, cover=cdn.asset(cover)))
    newest = (await instagram.received())[0]
    assert (await instagram.file(newest["cover"]["sha256"])).content == cover
    options: dict[str, JSON] = {"thumbOffset": 1_500, "shareToFeed": False}
    await instagram.published(account, draft("by offset", film, cover=cdn.asset(cover), options=options))
    newest = (await instagram.received())[0]
    assert (newest["cover"], newest["thumb_offset"], newest["share_to_feed"]) == (None, "1500", "false")


@pytest.mark.parametrize("data", [samples.picture(180, 320), samples.film(3)], ids=["photo", "film"])
async def test_a_story_is_a_photo_or_a_film_without_a_caption(instagram: Played, cdn: Cdn, data: bytes) -> None:
    wanted = draft("", cdn.asset(data), options={"mediaType": "story"})
    receipt = await instagram.published(await instagram.connected("story"), wanted)
    newest = (await instagram.received())[0]
    assert (newest["id"], newest["kind"], newest["text"]) == (receipt.platform_post_id, "story", "")


async def test_containers_are_made_once_whatever_breaks_off(instagram: Played, cdn: Cdn) -> None:
    account, steps, assets = await instagram.connected("resumed"), Steps(), [cdn.asset(photo()) for _ in range(3)]
    wanted = draft("resumed", *assets)
    for path in ("*/content_publishing_limit", "*/media", "/v25.0/*"):
        await instagram.order(path, "drop_before")
        with pytest.raises(PlatformError) as caught:
            await instagram.publisher.prepare(instagram.http, account, wanted, steps)
        assert caught.value.fault is Fault.TRANSIENT
    await instagram.prepared(account, wanted, steps)
    assert [cdn.asked[asset.url.rpartition("/")[2]] for asset in assets] == [1, 1, 1]


async def ready(instagram: Played, cdn: Cdn, name: str, **options: JSON) -> Case:
    """A post of which only the publishing is left."""
    text = "" if options else f"from {name}"
    return await Case.ready(instagram, name, draft(text, cdn.asset(photo()), options=options))


@pytest.mark.parametrize("mode", ["drop_before", "error"])
async def test_what_was_not_published_may_be_sent_again(instagram: Played, cdn: Cdn, mode: str) -> None:
    case = await ready(instagram, cdn, f"before-{mode}".replace("_", "-"))
    await instagram.order(PUBLISH, mode)
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await case.publish()
    assert await case.reconcile() == Absent(safe_to_send=True)
    receipt = await case.publish()
    assert await case.published() == [receipt.platform_post_id]


@pytest.mark.parametrize("options", [{}, {"mediaType": "story"}], ids=["feed", "story"])
async def test_what_was_published_is_found_by_its_container(
    instagram: Played, cdn: Cdn, options: dict[str, JSON]
) -> None:
    case = await ready(instagram, cdn, f"after-{len(options)}", **options)
    await instagram.order(PUBLISH, "drop_after")
    with pytest.raises(httpx.TransportError):
        await case.publish()
    found = await case.reconcile()
    assert isinstance(found, Receipt)
    assert [found.platform_post_id] == await case.published()
    assert found.url == (await instagram.received())[0]["permalink"]


async def test_a_container_sent_twice_is_published_once(instagram: Played, cdn: Cdn) -> None:
    case = await ready(instagram, cdn, "twice")
    receipt = await case.publish()
    with pytest.raises(OutcomeUnknown, match="published all the same"):
        await case.publish()
    assert await case.reconcile() == receipt
    assert await case.published() == [receipt.platform_post_id]


async def test_a_receipt_needs_no_address(instagram: Played, cdn: Cdn) -> None:
    case = await ready(instagram, cdn, "no-address")
    await instagram.order("/v25.0/*", "error", method="GET")
    receipt = await case.publish()
    assert (receipt.url, [receipt.platform_post_id]) == (None, await case.published())


async def test_a_published_post_that_is_not_listed_is_published_all_the_same(instagram: Played, cdn: Cdn) -> None:
    case = await ready(instagram, cdn, "unlisted")
    await case.publish()
    case.wanted = draft("other words", *case.wanted.assets)
    assert await case.reconcile() == CannotTell()
    assert await case.reconcile(datetime.now(UTC) - timedelta(minutes=3)) == Receipt("", None)


async def test_a_lost_container_says_nothing(instagram: Played, cdn: Cdn) -> None:
    case = await ready(instagram, cdn, "lost")
    case.prepared = {**case.prepared, "containerId": "1"}
    assert await case.reconcile() == CannotTell()
    with pytest.raises(PlatformError) as caught:
        await case.publish()
    assert caught.value.fault is Fault.PERMANENT


async def test_a_limit_on_requests_is_waited_out(instagram: Played, cdn: Cdn) -> None:
    case = await ready(instagram, cdn, "busy")
    await instagram.order(PUBLISH, "429")
    with pytest.raises(PlatformError) as caught:
        await case.publish()
    assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rate_limited")
    assert await case.reconcile() == Absent(safe_to_send=True)


@pytest.mark.parametrize(
    ("data", "fault", "code"),
    [
        (samples.picture(100, 320), Fault.PERMANENT, "aspect_unsupported"),
        (samples.film(1), Fault.PERMANENT, "video_refused"),
        (b"", Fault.TRANSIENT, "media_unreachable"),
    ],
    ids=["narrow", "short", "gone"],
)
async def test_media_instagram_does_not_take(instagram: Played, cdn: Cdn, data: bytes, fault: Fault, code: str) -> None:
    asset = cdn.asset(data) if data else samples.asset(photo(), url=f"{cdn.url}/gone")
    with pytest.raises(PlatformError) as caught:
        await instagram.prepared(await instagram.connected("refused"), draft("x", asset))
    assert (caught.value.fault, caught.value.code) == (fault, code)


async def test_an_old_token_is_refreshed_before_anything_is_made(instagram: Played, cdn: Cdn) -> None:
    kept: list[Mapping[str, str]] = []

    async def save(credentials: Mapping[str, str]) -> None:
        kept.append(credentials)

    verified = await instagram.connected("aged")
    aged = {**verified.credentials, "refreshed_at": "1700000000"}
    account, wanted, steps = Account("acc_test", instagram.url, aged, save), draft("x", cdn.asset(photo())), Steps()
    with pytest.raises(PlatformError) as caught:
        await instagram.publisher.prepare(instagram.http, account, wanted, steps)
    assert (caught.value.fault, caught.value.code, steps.kept) == (Fault.NOT_READY, "token_renewed", {})
    (credentials,) = kept
    assert credentials["access_token"] != aged["access_token"]
    assert await instagram.published(Account("acc_test", instagram.url, credentials), wanted)

"""Our publisher for Pinterest against Pinterest as its sandbox plays it, over real HTTP."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.platforms.ports import JSON, Absent, Account, CannotTell, Fault, OutcomeUnknown, PlatformError, Receipt
from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played
from tests.contract.platforms.samples import Reading, Steps, asset, draft, mislabelled

FIRST_BOARD = "1234567890"


async def board(pinterest: Played, account: Account, name: str = "Another") -> str:
    """Makes one more."""
    headers = {"Authorization": f"Bearer {account.credentials['access_token']}"}
    answer = await pinterest.http.post(f"{pinterest.url}/v5/boards", json={"name": name}, headers=headers)
    assert answer.status_code == 201
    return str(answer.json()["id"])


async def test_an_account_is_verified_with_its_first_board(pinterest: Played) -> None:
    verified = await pinterest.publisher.verify(pinterest.http, pinterest.account("verified"))
    assert verified.display_name == "verified"
    assert verified.external_id.isdigit()
    assert verified.credentials["board_id"] == FIRST_BOARD


async def test_a_default_board_must_exist(pinterest: Played) -> None:
    account = await pinterest.connected("boards")
    other = await board(pinterest, account)
    verified = await pinterest.publisher.verify(pinterest.http, pinterest.account("boards", board_id=other))
    assert verified.credentials["board_id"] == other
    with pytest.raises(PlatformError) as caught:
        await pinterest.publisher.verify(pinterest.http, pinterest.account("boards", board_id="77"))
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "board_not_found")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_an_image_arrives_byte_for_byte_with_everything_said(pinterest: Played, kind: str) -> None:
    data = samples.picture(kind=kind)
    options = {"title": "A title", "link": "https://example.com/shop"}
    wanted = draft("What it shows.", asset(data, alt_text="noise"), options=options)
    receipt = await pinterest.published(await pinterest.connected("image"), wanted)
    newest = (await pinterest.received())[0]
    assert newest["id"] == receipt.platform_post_id
    assert receipt.url == f"https://www.pinterest.com/pin/{receipt.platform_post_id}/"
    assert (newest["text"], newest["title"], newest["link"]) == (
        "What it shows.",
        "A title",
        "https://example.com/shop",
    )
    (picture,) = newest["media"]
    assert (picture["altText"], picture["contentType"]) == ("noise", f"image/{kind.lower()}")
    assert (await pinterest.file(picture["sha256"])).content == data


async def test_an_account_that_was_never_verified_still_finds_a_board(pinterest: Played) -> None:
    steps, wanted = Steps(), draft("no board said", asset(samples.picture()))
    prepared = await pinterest.prepared(pinterest.account("unverified"), wanted, steps)
    assert prepared == {"boardId": FIRST_BOARD}
    assert steps.kept == {"board": {"id": FIRST_BOARD}}


async def test_the_board_is_the_one_the_post_names(pinterest: Played) -> None:
    account = await pinterest.connected("named")
    other = await board(pinterest, account, "Summer")
    await pinterest.published(account, draft("there", asset(samples.picture()), options={"boardId": other}))
    assert (await pinterest.received())[0]["board"] == "Summer"


async def test_a_board_nobody_has_is_refused(pinterest: Played) -> None:
    wanted = draft("where", asset(samples.picture()), options={"boardId": "42"})
    with pytest.raises(PlatformError) as caught:
        await pinterest.published(await pinterest.connected("nowhere"), wanted)
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "board_not_found")


async def test_several_images_are_a_carousel_in_their_order(pinterest: Played) -> None:
    pictures = [samples.picture(100 + n, 150, kind="PNG" if n else "JPEG") for n in range(3)]
    assets = [asset(data, alt_text="the first" if not n else None) for n, data in enumerate(pictures)]
    await pinterest.published(await pinterest.connected("carousel"), draft("three", *assets))
    media = (await pinterest.received())[0]["media"]
    assert [(await pinterest.file(one["sha256"])).content for one in media] == pictures
    assert media[0]["altText"] == "the first"


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "by-url"])
async def test_each_image_of_a_carousel_says_its_own(pinterest: Played, inline: bool) -> None:
    picture = samples.picture() if inline else samples.picture(1700, 1500, "PNG")
    assets = [asset(picture, url=f"https://cdn.example.com/{n}") for n in range(3)]
    first: dict[str, JSON] = {"title": "Front", "description": "In the sun.", "link": "https://example.com/1"}
    options: dict[str, JSON] = {"title": "Of all", "items": [first, None, {"link": "https://example.com/3"}]}
    account = await pinterest.connected("items")
    receipt = await pinterest.published(account, draft("three, each with words", *assets, options=options))
    newest = (await pinterest.received())[0]
    assert [bool(one["url"]) and not one["sha256"] for one in newest["media"]] == [not inline] * 3
    assert newest["details"]["items"] == [
        "Front | In the sun. | https://example.com/1", "nothing", "https://example.com/3",
    ]  # fmt: skip
    headers = {"Authorization": f"Bearer {account.credentials['access_token']}"}
    pin = await pinterest.http.get(f"{pinterest.url}/v5/pins/{receipt.platform_post_id}", headers=headers)
    said = {"item_type": "image", "title": None, "description": None, "link": None}
    assert pin.json()["media"]["items"] == [said | first, said, said | {"link": "https://example.com/3"}]
    assert (newest["title"], newest["text"]) == ("Of all", "three, each with words")


async def test_a_carousel_too_large_for_a_request_is_told_by_urls(pinterest: Played) -> None:
    pictures = [samples.picture(1700, 1500, "PNG") for _ in range(3)]
    assets = [asset(data, url=f"https://cdn.example.com/{n}.png") for n, data in enumerate(pictures)]
    await pinterest.published(await pinterest.connected("by-url"), draft("huge", *assets))
    media = (await pinterest.received())[0]["media"]
    assert [one["url"] for one in media] == [f"https://cdn.example.com/{n}.png" for n in range(3)]


async def test_a_video_goes_through_the_store_and_is_waited_for(pinterest: Played) -> None:
    data, cover = samples.padded(samples.film(5), 9_000_000), samples.picture(90, 160)
    wanted = draft("a film", asset(data, alt_text="noise that moves"), cover=asset(cover))
    account, steps = await pinterest.connected("video"), Steps()
    with pytest.raises(PlatformError) as caught:
        await pinterest.publisher.prepare(pinterest.http, account, wanted, steps)
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "media_processing")
    assert caught.value.retry_after_s == 3.0
    prepared = await pinterest.prepared(account, wanted, steps)
    assert not any("x-amz" in str(state) for state in steps.kept.values())
    await pinterest.publisher.publish(pinterest.http, account, wanted, prepared, "")
    newest = (await pinterest.received())[0]
    (video,) = newest["media"]
    assert (video["contentType"], video["sizeBytes"], video["altText"]) == ("video/mp4", len(data), "noise that moves")
    assert (await pinterest.file(newest["cover"]["sha256"])).content == cover
    read = wanted.assets[0].read
    assert isinstance(read, Reading)
    assert read.opened == 1


async def test_a_video_without_a_cover_shows_its_first_frame(pinterest: Played) -> None:
    await pinterest.published(await pinterest.connected("coverless"), draft("a film", asset(samples.film(4.5))))
    assert (await pinterest.received())[0]["cover"] == {"second": 0}


@pytest.mark.parametrize(
    "data",
    [samples.film(2), samples.film(5, 256, 64), b"\0\0\0\x18ftyp" + b"x" * 5000],
    ids=["too-short", "too-wide", "noise"],
)
async def test_a_video_pinterest_cannot_process_is_refused_for_good(pinterest: Played, data: bytes) -> None:
    wanted = draft("film", mislabelled(data, "video/mp4"))
    with pytest.raises(PlatformError) as caught:
        await pinterest.prepared(await pinterest.connected("unfit"), wanted)
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "media_refused")


async def test_a_broken_upload_begins_anew(pinterest: Played) -> None:
    account, steps, whole = await pinterest.connected("broken"), Steps(), asset(samples.film(5))
    await pinterest.order("/media-upload", "drop_before")
    with pytest.raises(PlatformError) as caught:
        await pinterest.publisher.prepare(pinterest.http, account, draft("film", whole), steps)
    assert caught.value.fault is Fault.TRANSIENT
    assert steps.kept == {}
    assert (await pinterest.prepared(account, draft("film", whole), steps))["mediaId"]


async def test_bytes_that_cannot_be_read_publish_nothing(pinterest: Played) -> None:
    account, whole, before = await pinterest.connected("unread"), asset(samples.picture()), await pinterest.received()
    read = whole.read
    assert isinstance(read, Reading)
    read.breaks_after = 0
    with pytest.raises(PlatformError) as caught:
        await pinterest.published(account, draft("unread", whole))
    assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rendition_unreadable")
    assert await pinterest.received() == before


async def test_an_image_that_is_none_is_refused(pinterest: Played) -> None:
    wanted = draft("no image", mislabelled(b"not an image at all", "image/png"))
    with pytest.raises(PlatformError) as caught:
        await pinterest.published(await pinterest.connected("no-image"), wanted)
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "post_refused")


@pytest.mark.parametrize("mode", ["drop_after", "error", "drop_before"])
async def test_a_lost_answer_is_looked_up(pinterest: Played, mode: str) -> None:
    account, since = await pinterest.connected(f"lost-{mode}"), datetime.now(UTC)
    wanted = draft(
        f"lost by {mode}", asset(samples.picture()), options={"title": "Lost", "link": "https://example.com"}
    )
    await pinterest.order("/v5/pins", mode, method="POST")
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await pinterest.published(account, wanted)
    prepared = await pinterest.prepared(account, wanted)
    found = await pinterest.publisher.reconcile(pinterest.http, account, wanted, prepared, "", since)
    published = [post for post in await pinterest.received() if post["text"] == wanted.text]
    if mode == "drop_after":
        assert isinstance(found, Receipt)
        assert [post["id"] for post in published] == [found.platform_post_id]
    else:
        assert found == Absent(safe_to_send=False)
        assert published == []


async def test_other_pins_are_no_evidence(pinterest: Played) -> None:
    account, wanted = await pinterest.connected("others"), draft("said before", asset(samples.picture()))
    await pinterest.published(account, wanted)
    prepared = await pinterest.prepared(account, wanted)
    later = datetime.now(UTC) + timedelta(minutes=1)
    found = await pinterest.publisher.reconcile(pinterest.http, account, wanted, prepared, "", later)
    assert found == Absent(safe_to_send=False)
    titled = draft("said before", *wanted.assets, options={"title": "with a title"})
    since = datetime.now(UTC) - timedelta(minutes=1)
    found = await pinterest.publisher.reconcile(pinterest.http, account, titled, prepared, "", since)
    assert found == Absent(safe_to_send=False)


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_lost_carousel_is_told_from_one_whose_images_say_other_words(pinterest: Played, lost: int) -> None:
    account, since = await pinterest.connected(f"alike-{lost}"), datetime.now(UTC)
    said: tuple[list[JSON], ...] = ([{"title": "Front"}, None], [None, {"title": "Front"}])
    assets = [asset(samples.picture(90 + n, 90)) for n in range(2)]
    drafts = [draft("the same words", *assets, options={"items": items}) for items in said]
    await pinterest.order("/v5/pins", "drop_after", method="POST")
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await pinterest.published(account, drafts[lost])
    (made,) = [post for post in await pinterest.received() if post["account"] == f"alike-{lost}"]
    prepared = await pinterest.prepared(account, drafts[lost])
    for index, wanted in enumerate(drafts):
        found = await pinterest.publisher.reconcile(pinterest.http, account, wanted, prepared, "", since)
        if index == lost:
            assert isinstance(found, Receipt)
            assert found.platform_post_id == made["id"]
        else:
            assert found == Absent(safe_to_send=False)


async def test_a_lost_pin_of_a_section_is_looked_up_there(pinterest: Played) -> None:
    account, since = await pinterest.connected("sections"), datetime.now(UTC)
    headers = {"Authorization": f"Bearer {account.credentials['access_token']}"}
    url = f"{pinterest.url}/v5/boards/{FIRST_BOARD}/sections"
    ours, other = [(await pinterest.http.post(url, json={"name": name}, headers=headers)).json()["id"] for name in "ab"]
    options: dict[str, JSON] = {"boardId": FIRST_BOARD, "boardSectionId": ours}
    wanted = draft("in a section", asset(samples.picture()), options=options)
    await pinterest.order("/v5/pins", "drop_after", method="POST")
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await pinterest.published(account, wanted)
    prepared = await pinterest.prepared(account, wanted)
    found = await pinterest.publisher.reconcile(pinterest.http, account, wanted, prepared, "", since)
    assert isinstance(found, Receipt)
    elsewhere = replace(wanted, options=options | {"boardSectionId": other})
    found = await pinterest.publisher.reconcile(pinterest.http, account, elsewhere, prepared, "", since)
    assert found == Absent(safe_to_send=False)
    with pytest.raises(PlatformError) as caught:
        await pinterest.published(account, replace(wanted, options=options | {"boardSectionId": "42"}))
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "not_found")


async def test_a_pin_without_words_cannot_be_told_from_others(pinterest: Played) -> None:
    account, wanted = await pinterest.connected("wordless"), draft("", asset(samples.picture()))
    prepared = await pinterest.prepared(account, wanted)
    found = await pinterest.publisher.reconcile(pinterest.http, account, wanted, prepared, "", datetime.now(UTC))
    assert found == CannotTell()


async def test_a_refused_token_wants_the_account_connected_again(pinterest: Played) -> None:
    account = Account("acc_test", pinterest.url, {"access_token": "stolen"})
    with pytest.raises(PlatformError) as caught:
        await pinterest.publisher.verify(pinterest.http, account)
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "credentials_refused")
    with pytest.raises(PlatformError) as caught:
        await pinterest.publisher.publish(
            pinterest.http, account, draft("no", asset(samples.picture())), {"boardId": FIRST_BOARD}, ""
        )
    assert caught.value.fault is Fault.ACCOUNT


async def test_an_expired_token_is_renewed_and_kept(pinterest: Played) -> None:
    kept: list[dict[str, str]] = []

    async def save(credentials: Mapping[str, str]) -> None:
        kept.append(dict(credentials))

    old = {"access_token": "old", "refresh_token": "sandbox-renewed.1", "client_id": "app", "client_secret": "secret"}
    wanted = draft("renewed", asset(samples.picture()))
    with pytest.raises(PlatformError) as caught:
        await pinterest.publisher.prepare(
            pinterest.http, Account("acc_test", pinterest.url, old, save), wanted, Steps()
        )
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "token_renewed")
    (credentials,) = kept
    assert await pinterest.published(Account("acc_test", pinterest.url, credentials, save), wanted)
    assert (await pinterest.received())[0]["account"] == "renewed"


async def test_too_many_requests_say_how_long_to_wait(pinterest: Played) -> None:
    account = await pinterest.connected("busy")
    await pinterest.order("/v5/pins", "429")
    with pytest.raises(PlatformError) as caught:
        await pinterest.published(account, draft("too many", asset(samples.picture())))
    assert (caught.value.fault, caught.value.code, caught.value.retry_after_s) == (
        Fault.TRANSIENT, "rate_limited", 2.0,
    )  # fmt: skip

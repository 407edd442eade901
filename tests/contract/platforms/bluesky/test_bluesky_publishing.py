"""Our publisher for Bluesky against a real PDS, and against the sandbox that plays one."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from services.platforms.calls import at, list_at, text_at
from services.platforms.ports import JSON, Asset, Fault, PlatformError, Receipt
from tests.contract.platforms import samples
from tests.contract.platforms.bluesky.place import Place
from tests.contract.platforms.samples import Reading, Steps, asset, draft, mislabelled

IMAGE_MAX_BYTES = 2_000_000


async def test_an_account_is_verified_and_told_by_its_handle(place: Place) -> None:
    verified = await place.publisher.verify(place.http, place.account())
    assert verified.display_name == "alice.test"
    assert verified.external_id.startswith("did:plc:")
    assert verified.credentials == place.account().credentials


@pytest.mark.parametrize("identifier", ["@alice.test", " ALICE.test "], ids=["at-sign", "case and space"])
async def test_a_handle_is_taken_as_people_write_it(place: Place, identifier: str) -> None:
    verified = await place.publisher.verify(place.http, place.account(identifier=identifier))
    assert verified.display_name == "alice.test"


async def test_a_wrong_password_wants_the_account_connected_again(place: Place) -> None:
    with pytest.raises(PlatformError) as caught:
        await place.publisher.verify(place.http, place.account(password="wrong"))
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "authentication_required")
    with pytest.raises(PlatformError) as caught:
        await place.publisher.verify(place.http, place.account(password=""))
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "credentials_incomplete")


async def test_a_session_is_renewed_by_its_refresh_token(place: Place) -> None:
    sessions, account = place.publisher._sessions, place.account()
    first = await sessions.open(place.http, account)
    assert await sessions.open(place.http, account) == first
    expired = PlatformError(Fault.NOT_READY, "expired_token", "Token has expired")
    assert sessions.refused(account, expired).fault is Fault.NOT_READY
    await asyncio.sleep(1.1)  # A token says when it was made, in seconds, and is otherwise the same.
    second = await sessions.open(place.http, account)
    assert (second.did, second.handle, second.opened_at) == (first.did, first.handle, first.opened_at)
    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token
    await place.published(draft("by a renewed session"))


async def test_text_keeps_its_links_mentions_and_tags(place: Place) -> None:
    text = "Grüße 👩‍👩‍👧 @alice.test and @nobody.test: example.com/a?b=ü, (https://example.org) #größe!"
    wanted = draft(text, options={"langs": ["de", "en-GB"]})
    receipt = await place.published(wanted)
    record = await place.record(receipt)
    did = receipt.platform_post_id.removeprefix("at://").partition("/")[0]
    rkey = receipt.platform_post_id.rpartition("/")[2]
    assert receipt.url == f"https://bsky.app/profile/alice.test/post/{rkey}"
    assert (record["text"], record["langs"], record["$type"]) == (text, ["de", "en-GB"], "app.bsky.feed.post")
    assert text_at(record, "createdAt") == wanted.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert [(_covered(text, facet), _feature(facet)) for facet in list_at(record, "facets")] == [
        ("@alice.test", ("mention", did)),
        ("example.com/a?b=ü", ("link", "https://example.com/a?b=ü")),
        ("https://example.org", ("link", "https://example.org")),
        ("#größe", ("tag", "größe")),
    ]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_an_image_arrives_byte_for_byte_with_its_description(place: Place, kind: str) -> None:
    data = samples.picture(320, 200, kind)
    receipt = await place.published(draft("look", asset(data, alt_text="noise in “colour”")))
    embed = (await place.record(receipt))["embed"]
    (image,) = list_at(embed, "images")
    assert text_at(embed, "$type") == "app.bsky.embed.images"
    assert at(image, "alt") == "noise in “colour”"
    assert at(image, "aspectRatio") == {"width": 320, "height": 200}
    assert at(image, "image", "size") == len(data)
    assert at(image, "image", "mimeType") == f"image/{kind.lower()}"
    assert await place.blob(receipt, at(image, "image")) == data


async def test_four_images_keep_their_order(place: Place) -> None:
    assets = [asset(samples.picture(40 + n, 30), alt_text=f"number {n}" if n else None) for n in range(4)]
    images = list_at((await place.record(await place.published(draft("", *assets))))["embed"], "images")
    assert [at(image, "aspectRatio", "width") for image in images] == [40, 41, 42, 43]
    assert [at(image, "alt") for image in images] == ["", "number 1", "number 2", "number 3"]


async def test_an_image_is_taken_up_to_the_lexicons_size(place: Place) -> None:
    data = _padded(IMAGE_MAX_BYTES)
    receipt = await place.published(draft("as large as may be", asset(data)))
    assert at((await place.record(receipt))["embed"], "images", 0, "image", "size") == IMAGE_MAX_BYTES


async def test_an_image_one_byte_larger_is_refused_with_the_record(place: Place) -> None:
    wanted = draft("one byte too many", asset(_padded(IMAGE_MAX_BYTES + 1)))
    prepared = await place.prepared(wanted)
    with pytest.raises(PlatformError) as caught:
        await place.publish(wanted, prepared, place.handle(wanted))
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "invalid_request")
    assert "blob too big (maximum 2000000, got 2000001)" in caught.value.message
    assert wanted.text not in await place.texts()


async def test_the_servers_own_upload_limit_holds_to_the_byte(place: Place) -> None:
    limit = await place.upload_limit()
    blobs = list_at(await place.prepared(draft("", mislabelled(bytes(limit), "image/jpeg"))), "blobs")
    assert [at(blob, "size") for blob in blobs] == [limit]
    with pytest.raises(PlatformError) as caught:
        await place.prepared(draft("", mislabelled(bytes(limit + 1), "image/jpeg")))
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "payload_too_large")


@pytest.mark.parametrize("count", [5, 10])
async def test_more_than_four_images_are_a_gallery(place: Place, count: int) -> None:
    pictures = [samples.picture(64 + n, 48) for n in range(count)]
    wanted = draft("a gallery", *(asset(data, alt_text=f"number {n}") for n, data in enumerate(pictures)))
    receipt = await place.published(wanted)
    embed = (await place.record(receipt))["embed"]
    assert text_at(embed, "$type") == "app.bsky.embed.gallery"
    items = list_at(embed, "items")
    assert [at(item, "alt") for item in items] == [f"number {n}" for n in range(count)]
    assert [at(item, "aspectRatio") for item in items] == [{"width": 64 + n, "height": 48} for n in range(count)]
    assert [await place.blob(receipt, at(item, "image")) for item in items] == pictures


async def test_an_image_is_typed_by_its_bytes(place: Place) -> None:
    data = samples.picture(kind="PNG")
    receipt = await place.published(draft("named wrongly", mislabelled(data, "image/jpeg")))
    image = at((await place.record(receipt))["embed"], "images", 0)
    assert at(image, "image", "mimeType") == "image/png"


async def test_a_video_is_published(place: Place) -> None:
    data, steps = samples.film(), Steps()
    film = asset(data, alt_text="a flicker")
    receipt = await _publish_film(place, film, steps)
    embed = (await place.record(receipt))["embed"]
    assert text_at(embed, "$type") == "app.bsky.embed.video"
    assert at(embed, "alt") == "a flicker"
    assert at(embed, "aspectRatio") == {"width": 128, "height": 128}
    assert at(embed, "video", "mimeType") == "video/mp4"
    assert await place.blob(receipt, at(embed, "video")) == data
    assert cast(Reading, film.read).opened == 1


async def test_a_film_of_an_animation_is_presented_as_a_gif(place: Place) -> None:
    loop = replace(asset(samples.film()), preset="bluesky.loop")
    receipt = await _publish_film(place, loop, Steps())
    assert at((await place.record(receipt))["embed"], "presentation") == "gif"


async def test_a_video_goes_straight_to_a_pds_without_a_video_service(place: Place) -> None:
    data, steps = samples.film(), Steps()
    await place.without_video_service()
    receipt = await _publish_film(place, asset(data), steps)
    embed = (await place.record(receipt))["embed"]
    assert list(steps.kept["video"]) == ["blob"]
    assert at(embed, "video") == steps.kept["video"]["blob"]
    assert await place.blob(receipt, at(embed, "video")) == data


async def test_a_video_too_large_for_a_pds_alone_is_not_sent(place: Place) -> None:
    film = mislabelled(bytes(await place.upload_limit() + 1), "video/mp4")
    await place.without_video_service()
    with pytest.raises(PlatformError) as caught:
        await place.prepared(draft("", film))
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "media_too_large")
    assert cast(Reading, film.read).opened == 0


async def test_a_reply_names_what_it_answers_and_where_that_began(place: Place) -> None:
    root = await _reference(place, await place.published(draft("the first")))
    first = await place.published(draft("an answer", options={"reply": {"root": root, "parent": root}}))
    parent = await _reference(place, first)
    second = await place.published(draft("on it", options={"reply": {"root": root, "parent": parent}}))
    assert (await place.record(first))["reply"] == {"root": root, "parent": root}
    assert (await place.record(second))["reply"] == {"root": root, "parent": parent}


async def test_a_tag_of_too_many_bytes_stays_text(place: Place) -> None:
    family = "👨‍👩‍👧‍👦"  # one grapheme of 25 bytes
    record = await place.record(await place.published(draft(f"#{family * 25} #{family * 26}")))
    assert [at(facet, "features", 0, "tag") for facet in list_at(record, "facets")] == [family * 25]


async def _reference(place: Place, receipt: Receipt) -> JSON:
    """The post as answers name it."""
    query = dict(zip(("repo", "collection", "rkey"), receipt.platform_post_id[5:].split("/"), strict=True))
    found = (await place.ask("GET", "com.atproto.repo.getRecord", params=query)).json()
    return {"uri": found["uri"], "cid": found["cid"]}


async def _publish_film(place: Place, film: Asset, steps: Steps) -> Receipt:
    wanted = draft("a film", film)
    assert place.publisher.check(wanted) == []
    return await place.publish(wanted, await place.prepared(wanted, steps), place.handle(wanted))


def _padded(size_bytes: int) -> bytes:
    data = samples.picture()
    return data + bytes(size_bytes - len(data))


def _covered(text: str, facet: JSON) -> str:
    start, end = (cast(int, at(facet, "index", name)) for name in ("byteStart", "byteEnd"))
    return text.encode()[start:end].decode()


def _feature(facet: JSON) -> tuple[str, str]:
    feature = at(facet, "features", 0)
    kind = text_at(feature, "$type").rpartition("#")[2]
    return kind, text_at(feature, {"link": "uri", "mention": "did", "tag": "tag"}[kind])

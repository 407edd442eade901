"""Records, their keys and their content identifiers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.platforms import catalog
from services.platforms.bluesky import cid, lexicon, record
from services.platforms.bluesky.formats import is_tid
from services.platforms.bluesky.tid import ALPHABET, tid
from services.platforms.calls import at, list_at
from services.platforms.ports import JSON, Asset, Draft
from tests.unit.platforms.drafts import asset, draft

BLOB: dict[str, JSON] = {
    "$type": "blob",
    "ref": {"$link": "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    "mimeType": "image/jpeg",
    "size": 100,
}
FILM: dict[str, JSON] = {**BLOB, "mimeType": "video/mp4"}


def with_assets(*assets: Asset) -> Draft:
    """A draft with just these."""
    return replace(draft("look"), assets=assets)


def test_text_alone() -> None:
    made = record.post(draft("hi"), [], {})
    assert made == {"$type": "app.bsky.feed.post", "text": "hi", "createdAt": "2026-11-25T00:00:00.000Z"}
    lexicon.check_post(made)


def test_the_same_draft_gives_the_same_record() -> None:
    wanted = draft("@bob.test #x https://a.example", "image/jpeg", options={"langs": ["en"]})
    assert record.post(wanted, [BLOB], {"bob.test": "did:plc:b"}) == record.post(
        wanted, [BLOB], {"bob.test": "did:plc:b"}
    )


def test_images_keep_order_description_and_shape() -> None:
    first = replace(asset(alt_text="a sunset"), width=1600, height=900)
    second = replace(asset(), width=3, height=4)
    other: JSON = {**BLOB, "size": 101}
    made = record.post(with_assets(first, second), [BLOB, other], {})
    assert made["embed"] == {
        "$type": "app.bsky.embed.images",
        "images": [
            {"image": BLOB, "alt": "a sunset", "aspectRatio": {"width": 1600, "height": 900}},
            {"image": other, "alt": "", "aspectRatio": {"width": 3, "height": 4}},
        ],
    }
    lexicon.check_post(made)


@pytest.mark.parametrize("count", [1, 4])
def test_up_to_four_images_are_no_gallery(count: int) -> None:
    embed = record.post(with_assets(*[asset()] * count), [BLOB] * count, {})["embed"]
    assert (at(embed, "$type"), len(list_at(embed, "images"))) == ("app.bsky.embed.images", count)


@pytest.mark.parametrize("count", [5, 10])
def test_more_images_are_a_gallery_of_which_each_has_a_shape(count: int) -> None:
    described = replace(asset(alt_text="a sunset"), width=1600, height=900)
    made = record.post(with_assets(described, *[asset()] * (count - 1)), [BLOB] * count, {})
    kind = {"$type": "app.bsky.embed.gallery#image", "image": BLOB}
    first = {**kind, "alt": "a sunset", "aspectRatio": {"width": 1600, "height": 900}}
    other = {**kind, "alt": "", "aspectRatio": {"width": 1, "height": 1}}
    assert made["embed"] == {"$type": "app.bsky.embed.gallery", "items": [first, *[other] * (count - 1)]}
    lexicon.check_post(made)


def test_a_shape_nobody_knows_is_left_out() -> None:
    (image,) = list_at(record.post(with_assets(asset()), [BLOB], {}), "embed", "images")
    assert image == {"image": BLOB, "alt": ""}


@pytest.mark.parametrize(("alt_text", "told"), [("a flicker", {"alt": "a flicker"}), (None, {})])
def test_a_video(alt_text: str | None, told: dict[str, JSON]) -> None:
    film = replace(asset("video/mp4", alt_text), width=1080, height=1920)
    made = record.post(with_assets(film), [FILM], {})
    shape = {"aspectRatio": {"width": 1080, "height": 1920}}
    assert made["embed"] == {"$type": "app.bsky.embed.video", "video": FILM, **shape, **told}
    lexicon.check_post(made)


def test_a_film_of_an_animation_is_presented_as_a_gif() -> None:
    film = replace(asset("video/mp4"), preset=record.LOOP)
    assert record.LOOP in catalog.presets("image")
    made = record.post(with_assets(film), [FILM], {})
    assert made["embed"] == {"$type": "app.bsky.embed.video", "video": FILM, "presentation": "gif"}
    lexicon.check_post(made)


def test_a_blob_for_each_asset() -> None:
    with pytest.raises(ValueError, match="shorter"):
        record.post(with_assets(asset(), asset()), [BLOB], {})


def test_only_mentions_of_known_handles_are_annotated() -> None:
    text = "@bob.test @eve.test @BOB.test"
    assert record.mentioned(text) == ["bob.test", "eve.test"]
    facets = list_at(record.post(draft(text), [], {"bob.test": "did:plc:b"}), "facets")
    assert [at(facet, "features", 0, "did") for facet in facets] == ["did:plc:b", "did:plc:b"]
    assert "facets" not in record.post(draft(text), [], {})


def test_options_of_the_record() -> None:
    reference: JSON = {"uri": "at://did:plc:b/app.bsky.feed.post/3m2aaaaaaaa2a", "cid": cid.of_blob("00" * 32)}
    options: dict[str, JSON] = {"langs": ["en"], "reply": {"root": reference, "parent": reference}}
    made = record.post(draft("hi", options=options), [], {})
    assert {name: made[name] for name in options} == options
    lexicon.check_post(made)


def test_times_are_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=2))
    assert record.instant(datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=east)) == "2026-01-02T01:04:05.678Z"


@pytest.mark.parametrize(
    ("handle", "profile"), [("alice.test", "alice.test"), ("handle.invalid", "did:plc:a"), ("", "did:plc:a")]
)
def test_where_people_see_it(handle: str, profile: str) -> None:
    assert record.page_url(handle, "did:plc:a", "3m2") == f"https://bsky.app/profile/{profile}/post/3m2"


def test_keys_tell_the_time_and_sort_by_it() -> None:
    start = datetime(2026, 11, 25, 12, tzinfo=UTC)
    times = [start + timedelta(microseconds=n) for n in (0, 1, 2, 1_000, 10**9)]
    keys = [tid(time, clock) for time, clock in zip(times, (1023, 0, 7, 65_535, 3), strict=True)]
    assert keys == sorted(keys)
    assert all(is_tid(key) for key in keys)
    value = 0
    for letter in keys[0]:
        value = value * 32 + ALPHABET.index(letter)
    assert divmod(value, 1024) == (int(start.timestamp()) * 1_000_000, 1023)


def test_content_identifiers_are_the_networks() -> None:
    # The empty file's is a well-known one; the record's was told by a PDS.
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert cid.of_blob(empty) == "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    told = {"$type": "app.bsky.feed.post", "text": "hi", "createdAt": "2026-11-25T00:00:00.000Z"}
    assert cid.of_record(told) == "bafyreih3fr3dtvvyfncwkyqmhp6i53k7nznp3qxeidi4n3jbqfz2wo4ufm"


def test_a_record_without_dag_cbor_form_has_none() -> None:
    with pytest.raises(ValueError, match="float"):
        cid.of_record({"x": 1.5})
    with pytest.raises(ValueError, match="64 bits"):
        cid.of_record({"x": 2**64})

"""Pins as the API takes them, and which one of a board is ours."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.platforms.pinterest import pins
from services.platforms.ports import JSON
from tests.unit.platforms.drafts import asset, draft

SINCE = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def test_a_pin_says_only_what_the_post_says() -> None:
    source = pins.inline_source([("image/png", b"png")], [{}])
    assert pins.pin(draft("", "image/png"), "7", source) == {
        "board_id": "7",
        "media_source": {
            "source_type": "image_base64",
            "content_type": "image/png",
            "data": base64.b64encode(b"png").decode(),
        },
    }


def test_a_pin_with_everything() -> None:
    options: dict[str, JSON] = {"boardSectionId": "9", "title": "T", "link": "https://example.com"}
    wanted = replace(draft("D", options=options), assets=(asset(), asset(alt_text="A")))
    found = pins.pin(wanted, "7", {"source_type": "x"})
    del found["media_source"]
    assert found == {
        "board_id": "7", "board_section_id": "9", "title": "T", "description": "D", "link": "https://example.com",
        "alt_text": "A",
    }  # fmt: skip


def test_several_images_keep_their_order() -> None:
    source = pins.inline_source([("image/png", b"1"), ("image/jpeg", b"2")], [{}, {"title": "second"}])
    assert source["source_type"] == "multiple_image_base64"
    assert source["items"] == [
        {"content_type": "image/png", "data": "MQ=="},
        {"content_type": "image/jpeg", "data": "Mg==", "title": "second"},
    ]


def test_a_request_stays_small_enough_to_be_sent() -> None:
    assert pins.goes_inline([replace(asset(), size_bytes=10_000_000)] * 2)
    assert not pins.goes_inline([replace(asset(), size_bytes=10_000_000)] * 3)


def test_a_video_has_a_cover_or_shows_its_first_second() -> None:
    assert pins.video_source("5", None) == {
        "source_type": "video_id", "media_id": "5", "cover_image_key_frame_time": 0,
    }  # fmt: skip
    covered = pins.video_source("5", ("image/jpeg", b"cover"))
    assert covered["cover_image_content_type"] == "image/jpeg"
    assert covered["cover_image_data"] == base64.b64encode(b"cover").decode()
    assert "cover_image_key_frame_time" not in covered


@pytest.mark.parametrize(
    ("change", "ours"),
    [
        ({}, True),
        ({"description": "What  it\nshows "}, True),
        ({"created_at": "2026-11-25T12:00:00+00:00"}, True),
        ({"created_at": "2026-11-25T11:59:00"}, False),
        ({"created_at": "yesterday"}, False),
        ({"title": "Other"}, False),
        ({"title": None}, False),
        ({"link": "https://example.com/other"}, False),
        ({"alt_text": "other"}, False),
    ],
)
def test_which_pin_is_ours(change: dict[str, JSON], ours: bool) -> None:
    options: dict[str, JSON] = {"title": "T", "link": "https://example.com"}
    wanted = replace(draft("What it shows", options=options), assets=(asset(alt_text="A"),))
    found: JSON = {
        "created_at": (SINCE + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S"),
        "title": "T", "description": "What it shows", "link": "https://example.com", "alt_text": "A", **change,
    }  # fmt: skip
    assert pins.is_pin(found, wanted, SINCE) is ours


CAROUSEL = {"items": [{"title": "Front", "link": "https://example.com/1"}, None]}
FRONT: dict[str, JSON] = {"item_type": "image", "title": " Front", "description": None, "link": "https://example.com/1"}
MUTE: dict[str, JSON] = {"item_type": "image", "title": None, "description": None, "link": None}


@pytest.mark.parametrize(
    ("options", "media", "ours"),
    [
        (CAROUSEL, {"media_type": "multiple_images", "items": [FRONT, MUTE]}, True),
        (
            CAROUSEL,
            {"media_type": "multiple_images", "items": [FRONT, {"item_type": "image", "description": "All"}]},
            True,
        ),
        (CAROUSEL, {"media_type": "multiple_images", "items": [FRONT, {**MUTE, "title": "Back"}]}, False),
        (CAROUSEL, {"media_type": "multiple_images", "items": [{**FRONT, "description": "Sun"}, MUTE]}, False),
        (CAROUSEL, {"media_type": "multiple_images", "items": [{**FRONT, "link": None}, MUTE]}, False),
        (CAROUSEL, {"media_type": "multiple_images", "items": [MUTE, FRONT]}, False),
        (CAROUSEL, {"media_type": "multiple_images", "items": [FRONT, MUTE, MUTE]}, False),
        (CAROUSEL, {"media_type": "multiple_images"}, False),
        (CAROUSEL, {"media_type": "image"}, False),
        (CAROUSEL, None, False),
        ({}, {"media_type": "multiple_images", "items": [MUTE, MUTE]}, True),
        ({}, {"media_type": "multiple_images", "items": [FRONT, MUTE]}, False),
        ({}, {"media_type": "multiple_images"}, True),
        ({}, {"media_type": "image"}, False),
        ({}, None, True),
    ],
)
def test_carousels_that_differ_in_what_their_images_say_are_told_apart(
    options: dict[str, JSON], media: JSON, ours: bool
) -> None:
    wanted = draft("All", "image/jpeg", "image/jpeg", options=options)
    found: JSON = {"created_at": "2026-11-25T12:00:01", "description": "All", "media": media}
    assert pins.is_pin(found, wanted, SINCE) is ours


@pytest.mark.parametrize(("kind", "ours"), [("image", True), ("video", True), ("multiple_images", False)])
def test_one_image_is_no_carousel(kind: str, ours: bool) -> None:
    found: JSON = {"created_at": "2026-11-25T12:00:01", "description": "All", "media": {"media_type": kind}}
    assert pins.is_pin(found, draft("All", "image/jpeg"), SINCE) is ours


def test_words_are_needed_to_tell_a_pin() -> None:
    assert not pins.says_something(draft("", "image/png"))
    assert pins.says_something(replace(draft(""), assets=(asset(alt_text="A"),)))
    assert pins.says_something(draft("", "image/png", "image/png", options={"items": [None, {"title": "T"}]}))

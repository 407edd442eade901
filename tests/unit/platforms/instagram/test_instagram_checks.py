"""What Instagram would refuse."""

from dataclasses import replace

import pytest

from services.platforms.instagram.publish import PUBLISHER
from services.platforms.ports import JSON
from tests.unit.platforms.drafts import asset, draft, rules

JPEG, MP4 = "image/jpeg", "video/mp4"


@pytest.mark.parametrize("content_types", [(JPEG,), (MP4,), (JPEG, MP4), (JPEG,) * 10], ids=len)
def test_what_instagram_takes_is_no_problem(content_types: tuple[str, ...]) -> None:
    assert rules(PUBLISHER, draft("é" * 2_200, *content_types)) == []


@pytest.mark.parametrize(
    ("content_types", "options", "rule"),
    [
        ((), {}, "media_missing"),
        ((JPEG,) * 6 + (MP4,) * 5, {}, "too_many_media"),
        ((JPEG, JPEG), {"mediaType": "story"}, "too_many_media"),
        ((JPEG,), {"mediaType": "reel"}, "reel_not_video"),
        ((MP4, MP4), {"mediaType": "reel"}, "reel_not_video"),
    ],
)
def test_counts_by_kind(content_types: tuple[str, ...], options: dict[str, JSON], rule: str) -> None:
    assert rules(PUBLISHER, draft("", *content_types, options=options)) == [("media", rule)]


def test_captions_are_counted_in_three_ways_at_once() -> None:
    text = "#tag " * 31 + "@some.one " * 21 + "a" * 2_200
    found = {it.rule: (it.field, it.limit, it.value) for it in PUBLISHER.check(draft(text, JPEG))}
    assert found == {
        "text_too_long": ("text", 2_200, len(text)),
        "too_many_hashtags": ("text", 30, 31),
        "too_many_mentions": ("text", 20, 21),
    }


def test_what_looks_like_a_tag_and_is_none() -> None:
    text = "https://example.com/#part mail@example.com &#39; " * 31
    assert rules(PUBLISHER, draft(text, JPEG)) == []


def test_a_story_says_nothing() -> None:
    assert rules(PUBLISHER, draft("", JPEG, options={"mediaType": "story"})) == []
    assert rules(PUBLISHER, draft("a word", MP4, options={"mediaType": "story"})) == [("text", "text_unsupported")]


def test_the_alt_text_of_images_is_bounded_and_that_of_videos_left_out() -> None:
    assets = (asset(JPEG, "a" * 1_000), asset(JPEG, "a" * 1_001), asset(MP4, "a"), asset("image/png"))
    assert rules(PUBLISHER, replace(draft("x"), assets=assets)) == [
        ("media[1].altText", "alt_text_too_long"),
        ("media[3]", "media_type_unsupported"),
    ]


@pytest.mark.parametrize(
    ("content_type", "options", "rule"),
    [
        (MP4, {"thumbOffset": 1_500, "shareToFeed": False, "mediaType": "reel"}, None),
        (MP4, {"mediaType": "feed", "thumbOffset": 0}, None),
        (MP4, {"mediaType": "igtv"}, "option_invalid"),
        (MP4, {"mediaType": ["reel"]}, "option_invalid"),
        (MP4, {"thumbOffset": 1.5}, "option_invalid"),
        (MP4, {"thumbOffset": -1}, "option_invalid"),
        (MP4, {"thumbOffset": True}, "option_invalid"),
        (JPEG, {"thumbOffset": 0}, "option_conflict"),
        (MP4, {"shareToFeed": "no"}, "option_invalid"),
        (JPEG, {"shareToFeed": True}, "option_conflict"),
        (JPEG, {"boardId": "1"}, "option_unknown"),
    ],
)
def test_options(content_type: str, options: dict[str, JSON], rule: str | None) -> None:
    wanted = [] if rule is None else [(f"options.{next(iter(options))}", rule)]
    assert rules(PUBLISHER, draft("x", content_type, options=options)) == wanted

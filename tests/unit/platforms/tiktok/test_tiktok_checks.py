"""What TikTok would refuse."""

from dataclasses import replace

import pytest

from services.platforms.ports import JSON
from services.platforms.tiktok.checks import utf16_length
from services.platforms.tiktok.publish import PUBLISHER
from tests.unit.platforms.drafts import draft, rules

JPEG, WEBP, PNG, MP4 = "image/jpeg", "image/webp", "image/png", "video/mp4"


@pytest.mark.parametrize(
    ("text", "content_types"), [("a" * 2_200, (MP4,)), ("a" * 4_000, (JPEG,)), ("", (JPEG, WEBP) * 17)]
)
def test_what_tiktok_takes_is_no_problem(text: str, content_types: tuple[str, ...]) -> None:
    wanted = draft(text, *content_types)
    described = tuple(replace(one, alt_text="what it shows") for one in wanted.assets)
    assert rules(PUBLISHER, replace(wanted, assets=described)) == []


@pytest.mark.parametrize(
    ("content_types", "rule"),
    [
        ((), "media_missing"),
        ((JPEG,) * 36, "too_many_images"),
        ((MP4, MP4), "too_many_videos"),
        ((JPEG, MP4), "media_mixed"),
    ],
)
def test_counts_and_mixes(content_types: tuple[str, ...], rule: str) -> None:
    assert rules(PUBLISHER, draft("x", *content_types)) == [("media", rule)]


def test_photos_of_other_types_are_told_by_their_place() -> None:
    assert rules(PUBLISHER, draft("x", JPEG, PNG)) == [("media[1]", "media_type_unsupported")]


@pytest.mark.parametrize(("text", "length"), [("", 0), ("é", 1), ("👍", 2), ("a👨‍👩‍👧", 9)])
def test_a_text_counts_utf16_units(text: str, length: int) -> None:
    assert utf16_length(text) == length


@pytest.mark.parametrize(
    ("text", "kind", "limit", "value"), [("👍" * 1_101, MP4, 2_200, 2_202), ("a" * 4_001, JPEG, 4_000, 4_001)]
)
def test_a_long_text_is_told_with_its_numbers(text: str, kind: str, limit: int, value: int) -> None:
    (problem,) = PUBLISHER.check(draft(text, kind))
    assert (problem.field, problem.rule, problem.limit, problem.value) == ("text", "text_too_long", limit, value)


@pytest.mark.parametrize(
    ("kind", "options", "name", "rule"),
    [
        (MP4, {"privacy": "everybody"}, "privacy", "option_invalid"),
        (MP4, {"disableComments": "yes"}, "disableComments", "option_invalid"),
        (MP4, {"thumbOffset": -1}, "thumbOffset", "option_invalid"),
        (MP4, {"thumbOffset": True}, "thumbOffset", "option_invalid"),
        (MP4, {"title": "t"}, "title", "option_conflict"),
        (MP4, {"coverIndex": 0}, "coverIndex", "option_conflict"),
        (MP4, {"autoAddMusic": True}, "autoAddMusic", "option_conflict"),
        (JPEG, {"thumbOffset": 1}, "thumbOffset", "option_conflict"),
        (JPEG, {"madeWithAi": True}, "madeWithAi", "option_conflict"),
        (JPEG, {"title": 1}, "title", "option_invalid"),
        (JPEG, {"title": "t" * 91}, "title", "title_too_long"),
        (JPEG, {"coverIndex": 1}, "coverIndex", "option_invalid"),
        (JPEG, {"paidPartnership": True, "privacy": "private"}, "paidPartnership", "option_conflict"),
        (JPEG, {"location": "here"}, "location", "option_unknown"),
    ],
)
def test_options(kind: str, options: dict[str, JSON], name: str, rule: str) -> None:
    assert rules(PUBLISHER, draft("x", kind, options=options)) == [(f"options.{name}", rule)]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MP4, {"privacy": "friends", "disableDuet": True, "disableStitch": True, "madeWithAi": True, "thumbOffset": 0}),
        (JPEG, {"privacy": "private", "title": "t" * 90, "coverIndex": 0, "autoAddMusic": False, "ownBrand": True}),
    ],
)
def test_options_tiktok_has(kind: str, options: dict[str, JSON]) -> None:
    assert rules(PUBLISHER, draft("x", kind, options=options)) == []


def test_options_are_judged_though_nothing_is_known_of_the_media() -> None:
    assert rules(PUBLISHER, draft("x", options={"coverIndex": 3})) == [
        ("media", "media_missing"),
        ("options.coverIndex", "option_invalid"),
    ]

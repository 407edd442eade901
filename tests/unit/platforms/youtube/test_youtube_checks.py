"""What YouTube would refuse."""

from dataclasses import replace

import pytest

from services.platforms.ports import JSON
from services.platforms.youtube.checks import tags_length, title
from services.platforms.youtube.publish import PUBLISHER
from tests.unit.platforms.drafts import asset, draft, rules

JPEG, MP4 = "image/jpeg", "video/mp4"


def test_what_youtube_takes_is_no_problem() -> None:
    wanted = draft("é" * 2_500, options={"title": "t" * 100})
    assert rules(PUBLISHER, replace(wanted, assets=(asset(MP4, "what it shows"),))) == []


@pytest.mark.parametrize(
    ("content_types", "rules_broken"),
    [
        ((), ["media_missing"]),
        ((JPEG,), ["too_many_images"]),
        ((MP4, MP4), ["too_many_videos"]),
        ((MP4, JPEG), ["media_mixed", "too_many_images"]),
    ],
)
def test_counts_and_mixes(content_types: tuple[str, ...], rules_broken: list[str]) -> None:
    assert rules(PUBLISHER, draft("x", *content_types)) == [("media", rule) for rule in rules_broken]


@pytest.mark.parametrize(
    ("text", "limit", "value"), [("a" * 5_001, 5_000, 5_001), ("é" * 2_501, 5_000, 5_002), ("é" * 5_001, 5_000, 5_001)]
)
def test_a_text_counts_characters_and_bytes(text: str, limit: int, value: int) -> None:
    (problem,) = PUBLISHER.check(draft(text, MP4, options={"title": "t"}))
    assert (problem.field, problem.rule, problem.limit, problem.value) == ("text", "text_too_long", limit, value)


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ("first\nsecond", {}, "first"),
        ("\n  first  \n\nsecond", {}, "first"),
        ("first", {"title": "given"}, "given"),
        ("", {}, ""),
    ],
)
def test_the_title_is_given_or_the_texts_first_line(text: str, options: dict[str, JSON], found: str) -> None:
    assert title(draft(text, options=options)) == found


@pytest.mark.parametrize(
    ("text", "options", "field", "rule"),
    [
        ("", {}, "options.title", "option_missing"),
        ("text", {"title": " "}, "options.title", "option_missing"),
        ("a" * 101, {}, "options.title", "title_too_long"),
        ("text", {"title": "a" * 101}, "options.title", "title_too_long"),
        ("text", {"title": "a > b"}, "options.title", "option_invalid"),
        ("a <b>", {}, "text", "text_invalid"),
        ("text", {"title": 1}, "options.title", "option_invalid"),
        ("text", {"tags": "one"}, "options.tags", "option_invalid"),
        ("text", {"tags": ["one", 2]}, "options.tags", "option_invalid"),
        ("text", {"tags": ["<one>"]}, "options.tags", "option_invalid"),
        ("text", {"tags": ["a" * 250, "b" * 250]}, "options.tags", "tags_too_long"),
        ("text", {"categoryId": 22}, "options.categoryId", "option_invalid"),
        ("text", {"categoryId": "music"}, "options.categoryId", "option_invalid"),
        ("text", {"privacy": "friends"}, "options.privacy", "option_invalid"),
        ("text", {"license": "none"}, "options.license", "option_invalid"),
        ("text", {"madeForKids": "no"}, "options.madeForKids", "option_invalid"),
        ("text", {"publishAt": "2027-01-01"}, "options.publishAt", "option_unknown"),
    ],
)
def test_what_is_refused(text: str, options: dict[str, JSON], field: str, rule: str) -> None:
    assert rules(PUBLISHER, draft(text, MP4, options=options)) == [(field, rule)]


def test_options_youtube_has() -> None:
    options: dict[str, JSON] = {
        "title": "t", "tags": ["one", "two words"], "categoryId": "10", "privacy": "unlisted",
        "license": "creativeCommon", "madeForKids": True, "notifySubscribers": False, "embeddable": True,
        "madeWithAi": True,
    }  # fmt: skip
    assert rules(PUBLISHER, draft("x", MP4, options=options)) == []


@pytest.mark.parametrize(
    ("tags", "length"), [([], 0), (["one"], 3), (["one", "two"], 7), (["two words"], 11), (["a b", "c"], 7)]
)
def test_how_tags_count(tags: list[str], length: int) -> None:
    assert tags_length(tags) == length

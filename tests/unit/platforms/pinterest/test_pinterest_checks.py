"""What Pinterest would refuse."""

from dataclasses import replace

import pytest

from services.platforms.pinterest.publish import PUBLISHER
from services.platforms.ports import JSON
from tests.unit.platforms.drafts import asset, draft, rules

JPEG, PNG, MP4 = "image/jpeg", "image/png", "video/mp4"


@pytest.mark.parametrize("content_types", [(JPEG,), (PNG, JPEG, PNG, JPEG, PNG), (MP4,)], ids=len)
def test_what_pinterest_takes_is_no_problem(content_types: tuple[str, ...]) -> None:
    assert rules(PUBLISHER, draft("a" * 800, *content_types)) == []


@pytest.mark.parametrize(
    ("content_types", "rule"),
    [
        ((), "media_missing"),
        ((JPEG,) * 6, "too_many_images"),
        ((MP4, MP4), "too_many_videos"),
        ((JPEG, MP4), "media_mixed"),
    ],
)
def test_counts_and_mixes(content_types: tuple[str, ...], rule: str) -> None:
    assert rules(PUBLISHER, draft("x", *content_types)) == [("media", rule)]


def test_a_long_text_is_told_with_its_numbers() -> None:
    (problem,) = PUBLISHER.check(draft("é" * 801, JPEG))
    assert (problem.field, problem.rule, problem.limit, problem.value) == ("text", "text_too_long", 800, 801)


def test_types_and_descriptions_are_told_by_their_place() -> None:
    wanted = replace(draft("x"), assets=(asset(alt_text="a" * 500), asset("image/gif", "a" * 501)))
    assert rules(PUBLISHER, wanted) == [
        ("media[1]", "media_type_unsupported"),
        ("media[1].altText", "alt_text_too_long"),
    ]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"boardId": "1234567890", "boardSectionId": "5", "title": "t", "link": "https://example.com/a"}, None),
        ({"boardId": 1234567890}, "option_invalid"),
        ({"boardId": "1/pins"}, "option_invalid"),
        ({"title": "t" * 101}, "title_too_long"),
        ({"title": ["t"]}, "option_invalid"),
        ({"link": "https://example.com/" + "a" * 2040}, "link_too_long"),
        ({"link": "javascript:alert(1)"}, "option_invalid"),
        ({"link": "example.com"}, "option_invalid"),
        ({"link": "https://[broken"}, "option_invalid"),
        ({"replyToId": "1"}, "option_unknown"),
    ],
)
def test_options(options: dict[str, JSON], rule: str | None) -> None:
    wanted = [] if rule is None else [(f"options.{next(iter(options))}", rule)]
    assert rules(PUBLISHER, draft("x", JPEG, options=options)) == wanted


def test_a_section_is_one_of_a_board() -> None:
    wanted = draft("x", JPEG, options={"boardSectionId": "5"})
    assert rules(PUBLISHER, wanted) == [("options.boardId", "option_missing")]


FULL: JSON = {"title": "t" * 100, "description": "é" * 800, "link": "https://example.com/" + "a" * 2028}


@pytest.mark.parametrize("items", [[FULL, None, FULL], [None, {"title": "only"}, {}]])
def test_each_image_of_a_carousel_may_say_something(items: JSON) -> None:
    assert rules(PUBLISHER, draft("x", JPEG, PNG, JPEG, options={"items": items})) == []


@pytest.mark.parametrize(
    ("items", "problems"),
    [
        ([{"title": "t" * 101}, None], [("[0].title", "title_too_long")]),
        ([None, {"description": "d" * 801}], [("[1].description", "description_too_long")]),
        ([None, {"link": "https://example.com/" + "a" * 2029}], [("[1].link", "link_too_long")]),
        ([{"link": "example.com"}, {"link": 5}], [("[0].link", "option_invalid"), ("[1].link", "option_invalid")]),
        ([{"title": None}, "second"], [("[0].title", "option_invalid"), ("[1]", "option_invalid")]),
        ([{"altText": "a"}, []], [("[0]", "option_invalid"), ("[1]", "option_invalid")]),
        ([None], [("", "option_invalid")]),
        ([None, None, None], [("", "option_invalid")]),
        ({"title": "t"}, [("", "option_invalid")]),
        (None, [("", "option_invalid")]),
    ],
)
def test_items_that_are_none_are_told_by_their_place(items: JSON, problems: list[tuple[str, str]]) -> None:
    wanted = draft("x", JPEG, JPEG, options={"items": items})
    assert rules(PUBLISHER, wanted) == [(f"options.items{place}", rule) for place, rule in problems]


@pytest.mark.parametrize("content_types", [(JPEG,), (MP4,)])
def test_what_is_no_carousel_has_no_items(content_types: tuple[str, ...]) -> None:
    wanted = draft("x", *content_types, options={"items": [{"title": "t"}]})
    assert rules(PUBLISHER, wanted) == [("options.items", "option_conflict")]

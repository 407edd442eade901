"""What X would refuse."""

from dataclasses import replace

import pytest

from services.platforms.ports import JSON
from services.platforms.x.publish import PUBLISHER
from tests.unit.platforms.drafts import asset, draft, rules

JPEG, PNG, GIF, MP4 = "image/jpeg", "image/png", "image/gif", "video/mp4"


@pytest.mark.parametrize(
    "content_types", [(), (JPEG,), (PNG, JPEG, "image/webp", PNG), (GIF,), (MP4,)], ids=lambda it: str(len(it))
)
def test_what_x_takes_is_no_problem(content_types: tuple[str, ...]) -> None:
    assert rules(PUBLISHER, draft("a" * 280, *content_types)) == []


@pytest.mark.parametrize(
    ("content_types", "rule"),
    [
        ((JPEG,) * 5, "too_many_images"),
        ((GIF, GIF), "too_many_gifs"),
        ((MP4, MP4), "too_many_videos"),
        ((JPEG, MP4), "media_mixed"),
        ((JPEG, GIF), "media_mixed"),
    ],
)
def test_counts_and_mixes(content_types: tuple[str, ...], rule: str) -> None:
    assert rules(PUBLISHER, draft("", *content_types)) == [("media", rule)]


def test_a_post_needs_something() -> None:
    assert rules(PUBLISHER, draft("  \n")) == [("text", "post_empty")]


def test_a_long_text_is_told_with_its_numbers() -> None:
    (problem,) = PUBLISHER.check(draft("語" * 141))
    assert (problem.field, problem.rule, problem.limit, problem.value) == ("text", "text_too_long", 280, 282)
    assert "282" in problem.message


def test_types_and_descriptions_are_told_by_their_place() -> None:
    wanted = replace(draft("x"), assets=(asset(alt_text="a" * 1000), asset("image/bmp", "a" * 1001)))
    assert rules(PUBLISHER, wanted) == [
        ("media[1]", "media_type_unsupported"),
        ("media[1].altText", "alt_text_too_long"),
    ]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"replyToId": "1460323737035677698", "madeWithAi": False}, None),
        ({"quoteId": "1", "paidPartnership": True}, None),
        ({"replyToId": 12}, "option_invalid"),
        ({"replyToId": "../1"}, "option_invalid"),
        ({"quoteId": "1" * 20}, "option_invalid"),
        ({"madeWithAi": "yes"}, "option_invalid"),
        ({"boardId": "1"}, "option_unknown"),
    ],
)
def test_options(options: dict[str, JSON], rule: str | None) -> None:
    wanted = [] if rule is None else [(f"options.{next(iter(options))}", rule)]
    assert rules(PUBLISHER, draft("x", options=options)) == wanted


def test_a_quote_has_no_media() -> None:
    assert rules(PUBLISHER, draft("x", JPEG, options={"quoteId": "1"})) == [("options.quoteId", "option_conflict")]

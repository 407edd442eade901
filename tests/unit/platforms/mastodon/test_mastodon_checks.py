"""What Mastodon would refuse, before it is asked."""

import pytest

from services.platforms.mastodon.publish import PUBLISHER
from services.platforms.ports import JSON
from tests.unit.platforms.drafts import draft, rules

JPEG, GIF, MP4 = "image/jpeg", "image/gif", "video/mp4"


@pytest.mark.parametrize("kinds", [(), (JPEG,), (JPEG, "image/png", "image/webp", GIF), (GIF,), (MP4,)])
def test_what_mastodon_takes_has_no_problem(kinds: tuple[str, ...]) -> None:
    assert rules(PUBLISHER, draft("x" * 476 + " https://example.com/" + "y" * 400, *kinds)) == []


@pytest.mark.parametrize(
    ("text", "kinds", "rule"),
    [
        ("  ", (), ("text", "post_empty")),
        ("x" * 501, (), ("text", "text_too_long")),
        ("", (JPEG,) * 5, ("media", "too_many_images")),
        ("", (MP4,) * 2, ("media", "too_many_videos")),
        ("", (JPEG, MP4), ("media", "media_mixed")),
        ("", ("image/tiff",), ("media[0]", "media_type_unsupported")),
    ],
)
def test_what_mastodon_refuses_is_told(text: str, kinds: tuple[str, ...], rule: tuple[str, str]) -> None:
    assert rules(PUBLISHER, draft(text, *kinds)) == [rule]


def test_a_warning_shares_the_limit_of_the_text() -> None:
    wanted = draft("x" * 495, options={"spoilerText": "sixsix"})
    assert rules(PUBLISHER, wanted) == [("text", "text_too_long")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("visibility", "private"),
        ("spoilerText", "the end of a film"),
        ("sensitive", False),
        ("language", "pt-BR"),
        ("inReplyToId", "109372843234"),
        ("inReplyToId", "01HVXJ5T2QK0"),
    ],
)
def test_options_it_has(name: str, value: JSON) -> None:
    assert rules(PUBLISHER, draft("hello", options={name: value})) == []


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("visibility", "friends", "option_invalid"),
        ("spoilerText", "", "option_invalid"),
        ("sensitive", "yes", "option_invalid"),
        ("language", "English", "option_invalid"),
        ("inReplyToId", "../1", "option_invalid"),
        ("inReplyToId", 7, "option_invalid"),
        ("poll", {}, "option_unknown"),
    ],
)
def test_options_it_has_not(name: str, value: JSON, rule: str) -> None:
    assert rules(PUBLISHER, draft("hello", options={name: value})) == [(f"options.{name}", rule)]


@pytest.mark.parametrize(
    ("kinds", "focus"),
    [
        ((JPEG,), [{"x": -1, "y": 1.0}]),
        ((MP4,), [{"x": 0, "y": 0}]),
        ((JPEG, JPEG, GIF), [None, {"x": 0.25, "y": -0.75}, None]),
        ((), []),
    ],
)
def test_each_medium_may_have_a_focus(kinds: tuple[str, ...], focus: JSON) -> None:
    assert rules(PUBLISHER, draft("hello", *kinds, options={"focus": focus})) == []


@pytest.mark.parametrize(
    ("focus", "fields"),
    [
        ([{"x": 1.01, "y": 0}, None], ["options.focus[0]"]),
        ([None, {"x": 0, "y": -2}], ["options.focus[1]"]),
        ([{"x": 0}, {"x": "0", "y": 0}], ["options.focus[0]", "options.focus[1]"]),
        ([{"x": 0, "y": 0, "z": 0}, [0, 0]], ["options.focus[0]", "options.focus[1]"]),
        ([{"x": float("nan"), "y": 0}, {"x": True, "y": 0}], ["options.focus[0]", "options.focus[1]"]),
        ([None], ["options.focus"]),
        ([None, None, None], ["options.focus"]),
        ({"x": 0, "y": 0}, ["options.focus"]),
        ("0,0", ["options.focus"]),
        (None, ["options.focus"]),
    ],
)
def test_a_focus_that_is_no_point_of_a_medium_is_told(focus: JSON, fields: list[str]) -> None:
    wanted = draft("hello", JPEG, JPEG, options={"focus": focus})
    assert rules(PUBLISHER, wanted) == [(field, "option_invalid") for field in fields]

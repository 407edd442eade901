"""What Facebook would refuse."""

import pytest

from services.platforms.facebook.publish import PUBLISHER
from services.platforms.ports import JSON
from tests.unit.platforms.drafts import draft, rules

JPEG, WEBP, PNG, MP4 = "image/jpeg", "image/webp", "image/png", "video/mp4"


@pytest.mark.parametrize(
    ("text", "content_types", "options"),
    [
        ("a" * 63_206, (), {}),
        ("", (JPEG, PNG) * 5, {}),
        ("", (MP4,), {}),
        ("", (MP4,), {"mediaType": "reel"}),
        ("x", (MP4,), {"mediaType": "feed"}),
        ("", (), {"link": "https://example.com/a"}),
    ],
)
def test_what_facebook_takes_is_no_problem(text: str, content_types: tuple[str, ...], options: dict[str, JSON]) -> None:
    assert rules(PUBLISHER, draft(text, *content_types, options=options)) == []


@pytest.mark.parametrize(
    ("content_types", "options", "rule"),
    [
        ((JPEG,) * 11, {}, "too_many_images"),
        ((MP4, MP4), {}, "too_many_videos"),
        ((JPEG, MP4), {}, "media_mixed"),
        ((JPEG,), {"mediaType": "reel"}, "reel_not_video"),
        ((), {"mediaType": "reel"}, "reel_not_video"),
    ],
)
def test_counts_and_mixes(content_types: tuple[str, ...], options: dict[str, JSON], rule: str) -> None:
    assert rules(PUBLISHER, draft("x", *content_types, options=options)) == [("media", rule)]


def test_texts() -> None:
    assert rules(PUBLISHER, draft("a" * 63_207)) == [("text", "text_too_long")]
    assert rules(PUBLISHER, draft(" \n")) == [("text", "post_empty")]


def test_photos_of_other_types_are_told_by_their_place() -> None:
    assert rules(PUBLISHER, draft("x", JPEG, WEBP)) == [("media[1]", "media_type_unsupported")]


@pytest.mark.parametrize(
    ("name", "value", "content_types", "rule"),
    [
        ("mediaType", "story", (MP4,), "option_invalid"),
        ("mediaType", 1, (MP4,), "option_invalid"),
        ("link", "javascript:alert(1)", (), "option_invalid"),
        ("link", "https://", (), "option_invalid"),
        ("link", "https://[", (), "option_invalid"),
        ("link", True, (), "option_invalid"),
        ("link", "https://example.com/", (JPEG,), "option_conflict"),
        ("colour", "red", (), "option_unknown"),
    ],
)
def test_options(name: str, value: JSON, content_types: tuple[str, ...], rule: str) -> None:
    assert rules(PUBLISHER, draft("x", *content_types, options={name: value})) == [(f"options.{name}", rule)]

"""What Threads would refuse."""

from dataclasses import replace

import pytest

from services.platforms.ports import JSON
from services.platforms.threads.publish import PUBLISHER
from services.platforms.threads.text import counted, links
from tests.unit.platforms.drafts import asset, draft, rules

JPEG, PNG, MP4 = "image/jpeg", "image/png", "video/mp4"


@pytest.mark.parametrize("content_types", [(), (PNG,), (MP4,), (JPEG, MP4), (JPEG,) * 20], ids=len)
def test_what_threads_takes_is_no_problem(content_types: tuple[str, ...]) -> None:
    assert rules(PUBLISHER, draft("é" * 500, *content_types)) == []


def test_images_and_videos_are_counted_together() -> None:
    wanted = draft("x", *(JPEG,) * 15, *(MP4,) * 6)
    assert rules(PUBLISHER, wanted) == [("media", "too_many_media")]


def test_a_post_needs_something() -> None:
    assert rules(PUBLISHER, draft(" \n")) == [("text", "post_empty")]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("plain", 5),
        ("é語", 2),
        ("😀", 4),
        ("👍🏽", 8),
        ("🇩🇪", 8),
        ("👩‍👩‍👧", 18),
        ("1️⃣", 7),
        ("❤️", 6),
        ("© 1 #", 5),
        ("e\u0301", 2),
    ],
)
def test_emoji_count_their_bytes(text: str, length: int) -> None:
    assert counted(text) == length


def test_a_text_of_emoji_is_told_with_its_numbers() -> None:
    (problem,) = PUBLISHER.check(draft("😀" * 126))
    assert (problem.rule, problem.limit, problem.value) == ("text_too_long", 500, 504)


def test_different_links_are_counted_once() -> None:
    text = (
        "https://a.com/x. (https://a.com/x) http://b.org c.dev/path, mail@d.com v1.2.3 e.g. https://e.com https://f.com"
    )
    assert links(text) == {"https://a.com/x", "http://b.org", "c.dev/path", "https://e.com", "https://f.com"}
    assert rules(PUBLISHER, draft(text)) == []
    assert rules(PUBLISHER, draft(f"{text} https://g.com")) == [("text", "too_many_links")]


def test_images_and_videos_are_described() -> None:
    assets = (asset(JPEG, "a" * 1_000), asset(MP4, "a" * 1_001), asset("image/gif"))
    assert rules(PUBLISHER, replace(draft("x"), assets=assets)) == [
        ("media[1].altText", "alt_text_too_long"),
        ("media[2]", "media_type_unsupported"),
    ]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"replyToId": "17889615691921648"}, None),
        ({"replyToId": 17}, "option_invalid"),
        ({"replyToId": "../1"}, "option_invalid"),
        ({"replyToId": "1" * 25}, "option_invalid"),
        ({"mediaType": "story"}, "option_unknown"),
    ],
)
def test_options(options: dict[str, JSON], rule: str | None) -> None:
    wanted = [] if rule is None else [(f"options.{next(iter(options))}", rule)]
    assert rules(PUBLISHER, draft("x", options=options)) == wanted

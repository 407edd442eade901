"""What Bluesky would refuse."""

import pytest

from services.platforms.bluesky.publish import PUBLISHER
from services.platforms.ports import JSON
from tests.unit.platforms.drafts import asset, draft, rules

JPEG, PNG, WEBP, GIF, MP4 = "image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4"
FAMILY = "👨‍👩‍👧‍👦"
REFERENCE: JSON = {
    "uri": "at://alice.test/app.bsky.feed.post/3m2aaaaaaaa2a",
    "cid": "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
}


@pytest.mark.parametrize("text", ["a" * 300, "👍🏽" * 300, FAMILY * 120])
@pytest.mark.parametrize("content_types", [(), (JPEG,), (PNG, JPEG, WEBP, GIF), (JPEG,) * 10, (MP4,)], ids=len)
def test_what_bluesky_takes_is_no_problem(text: str, content_types: tuple[str, ...]) -> None:
    assert rules(PUBLISHER, draft(text, *content_types)) == []


def test_media_need_no_text_but_a_post_needs_something() -> None:
    assert rules(PUBLISHER, draft("", JPEG)) == []
    assert rules(PUBLISHER, draft(" \n")) == [("text", "post_empty")]


def test_a_long_text_is_told_with_its_numbers() -> None:
    (problem,) = PUBLISHER.check(draft("👍🏽" * 301))
    assert (problem.rule, problem.limit, problem.value) == ("text_too_long", 300, 301)
    (problem,) = PUBLISHER.check(draft(FAMILY * 121))
    assert (problem.rule, problem.limit, problem.value) == ("text_too_many_bytes", 3_000, 3_025)


@pytest.mark.parametrize(
    ("content_types", "rule"),
    [((JPEG,) * 11, "too_many_images"), ((MP4, MP4), "too_many_videos"), ((JPEG, MP4), "media_mixed")],
)
def test_counts_and_mixes(content_types: tuple[str, ...], rule: str) -> None:
    assert rules(PUBLISHER, draft("", *content_types)) == [("media", rule)]


@pytest.mark.parametrize("content_type", ["image/heic", "image/avif", "video/quicktime", "video/webm"])
def test_types_the_network_does_not_show(content_type: str) -> None:
    assert rules(PUBLISHER, draft("", content_type)) == [("media[0]", "media_type_unsupported")]


@pytest.mark.parametrize("content_type", [JPEG, MP4])
def test_descriptions_have_a_length(content_type: str) -> None:
    wanted = draft("x")
    fits = asset(content_type, "a" * 2_000)
    long = asset(content_type, "a" * 2_001)
    assert rules(PUBLISHER, type(wanted)(text="x", assets=(fits,), created_at=wanted.created_at)) == []
    (problem,) = PUBLISHER.check(type(wanted)(text="x", assets=(long,), created_at=wanted.created_at))
    assert (problem.field, problem.rule, problem.limit, problem.value) == (
        "media[0].altText", "alt_text_too_long", 2_000, 2_001,
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [{}, {"langs": []}, {"langs": ["en", "pt-BR", "de"]}, {"reply": {"root": REFERENCE, "parent": REFERENCE}}],
)
def test_options_bluesky_has(options: dict[str, JSON]) -> None:
    assert rules(PUBLISHER, draft("x", options=options)) == []


@pytest.mark.parametrize(
    ("options", "broken"),
    [
        ({"boardId": "1"}, [("options.boardId", "option_unknown")]),
        ({"langs": "en"}, [("options.langs", "option_invalid")]),
        ({"langs": ["english"]}, [("options.langs", "option_invalid")]),
        ({"langs": [1]}, [("options.langs", "option_invalid")]),
        ({"langs": ["en", "de", "fr", "it"]}, [("options.langs", "option_invalid")]),
        ({"reply": {"root": REFERENCE}}, [("options.reply.parent", "option_invalid")]),
        ({"reply": "at://x"}, [("options.reply.root", "option_invalid"), ("options.reply.parent", "option_invalid")]),
        ({"reply": {"root": REFERENCE, "parent": {"uri": "at://bob", "cid": "y"}}},
         [("options.reply.parent", "option_invalid")]),
    ],
)  # fmt: skip
def test_options_it_has_not(options: dict[str, JSON], broken: list[tuple[str, str]]) -> None:
    assert rules(PUBLISHER, draft("x", options=options)) == broken


def test_every_problem_is_told_at_once() -> None:
    wanted = draft("a" * 301, MP4, JPEG, "image/heic", options={"langs": "en", "x": 1})
    assert rules(PUBLISHER, wanted) == [
        ("text", "text_too_long"),
        ("media", "media_mixed"),
        ("media[2]", "media_type_unsupported"),
        ("options.langs", "option_invalid"),
        ("options.x", "option_unknown"),
    ]

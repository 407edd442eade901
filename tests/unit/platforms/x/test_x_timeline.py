"""Which post of a timeline is ours."""

from dataclasses import replace

import pytest

from services.platforms.ports import JSON
from services.platforms.x.timeline import is_post
from tests.unit.platforms.drafts import draft

SHORT = "https://t.co/abc123"


def shown(text: str, expanded: str | None = None, **more: JSON) -> dict[str, JSON]:
    """A post as X gives it."""
    entities: JSON = {"urls": [{"url": SHORT, "expanded_url": expanded}]} if expanded else {}
    return {"id": "1", "text": text, "entities": entities, **more}


@pytest.mark.parametrize(
    ("found", "text", "ours"),
    [
        (shown("plain words"), "plain words", True),
        (shown("plain words"), "other words", False),
        (shown("a &amp; b &lt;3 &gt;"), "a & b <3 >", True),
        (shown(f"go to {SHORT} now", "https://example.com/a"), "go to https://example.com/a now", True),
        (shown(f"go to {SHORT} now", "http://example.com"), "go to example.com now", True),
        (shown(f"go to {SHORT} now", "https://example.com/b"), "go to https://example.com/a now", False),
        (shown("two\nlines "), "two\r\nlines", True),
        (shown("e\u0301"), "\u00e9", True),
        (shown("plain words", attachments={"media_keys": ["3_7"]}), "plain words", False),
    ],
)
def test_by_text(found: JSON, text: str, ours: bool) -> None:
    assert is_post(found, draft(text), []) is ours


def test_by_media_whatever_the_text() -> None:
    media: list[dict[str, JSON]] = [{"id": "7", "key": "3_7"}, {"id": "8", "key": ""}]
    attached = shown("words", attachments={"media_keys": ["3_8", "3_7"]})
    assert is_post(attached, draft("words changed by X"), media)
    assert not is_post(shown("words", attachments={"media_keys": ["3_7"]}), draft("words"), media)
    assert not is_post(shown("words"), draft("words"), media)


def test_an_answer_begins_with_those_it_answers() -> None:
    reply = replace(draft("thanks"), options={"replyToId": "5"})
    assert is_post(shown("@one @two thanks"), reply, [])
    assert not is_post(shown("@one thanks"), draft("thanks"), [])


def test_a_quote_ends_with_what_it_quotes() -> None:
    quote = replace(draft("look"), options={"quoteId": "5"})
    assert is_post(shown(f"look {SHORT}", "https://twitter.com/one/status/5"), quote, [])
    assert not is_post(shown(f"look {SHORT}", "https://twitter.com/one/status/6"), quote, [])

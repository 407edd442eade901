"""A post is known again by its media, or by its words as a server shows them."""

import pytest

from services.platforms.mastodon.sandbox_html import content
from services.platforms.mastodon.statuses import is_post
from services.platforms.ports import JSON
from tests.unit.platforms.drafts import draft

REAL = (
    '<p>Hi <span class="h-card" translate="no"><a href="https://example.social/@anna" class="u-url mention">@'
    '<span>anna</span></a></span> &amp; all<br />see <a href="https://example.com/a/long/path/of/more/than/thirty"'
    ' rel="nofollow"><span class="invisible">https://</span><span class="ellipsis">example.com/a/long/path/of/mor'
    '</span><span class="invisible">e/than/thirty</span></a></p><p><a href="/tags/one" class="mention hashtag">#'
    "<span>one</span></a></p>"
)
WRITTEN = "Hi @anna@example.social & all\nsee https://example.com/a/long/path/of/more/than/thirty\n\n#one"


def found(shown: str, *media_ids: str, **others: JSON) -> dict[str, JSON]:
    """As a server lists it."""
    return {"content": shown, "media_attachments": [{"id": it} for it in media_ids], **others}


@pytest.mark.parametrize("shown", [REAL, content(WRITTEN)], ids=["real", "sandbox"])
def test_words_are_known_through_the_markup(shown: str) -> None:
    assert is_post(found(shown), draft(WRITTEN), [])
    assert not is_post(found(shown), draft(WRITTEN + "!"), [])


def test_the_same_words_with_another_warning_or_in_another_thread_are_another_post() -> None:
    wanted = draft("Yes.", options={"spoilerText": "an answer", "inReplyToId": "7"})
    assert is_post(found("<p>Yes.</p>", spoiler_text="an answer", in_reply_to_id="7"), wanted, [])
    assert not is_post(found("<p>Yes.</p>", spoiler_text="", in_reply_to_id="7"), wanted, [])
    assert not is_post(found("<p>Yes.</p>", spoiler_text="an answer", in_reply_to_id=None), wanted, [])


def test_media_decide_where_there_are_some() -> None:
    assert is_post(found("<p>cut by the server</p>", "1", "2"), draft("words"), ["2", "1"])
    assert not is_post(found("<p>words</p>", "3"), draft("words"), ["1"])
    assert not is_post(found("<p>words</p>", "3"), draft("words"), [])
    assert not is_post(found("<p>words</p>"), draft("words"), ["1"])

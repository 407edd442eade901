"""A post as it is sent, and found again among those of its account. Pure.

Source: docs.joinmastodon.org/methods/statuses/#create, docs.joinmastodon.org/entities/Status.
"""

import unicodedata
from collections.abc import Sequence
from html.parser import HTMLParser

from services.platforms.calls import list_at, text_at
from services.platforms.mastodon.checks import spoiler_of
from services.platforms.mastodon.text import without_domains
from services.platforms.ports import JSON, Draft

_NAMES = {
    "visibility": "visibility",
    "spoilerText": "spoiler_text",
    "sensitive": "sensitive",
    "language": "language",
    "inReplyToId": "in_reply_to_id",
}


def status(draft: Draft, media_ids: Sequence[JSON]) -> dict[str, JSON]:
    """The body of POST /api/v1/statuses."""
    wanted: dict[str, JSON] = {"status": draft.text}
    if media_ids:
        wanted["media_ids"] = list(media_ids)
    return wanted | {theirs: draft.options[ours] for ours, theirs in _NAMES.items() if ours in draft.options}


def is_post(found: JSON, draft: Draft, media_ids: Sequence[JSON]) -> bool:
    """Whether a post of the account is this draft: by its media, whose ids nobody else has, or else by its words."""
    attached = {text_at(one, "id") for one in list_at(found, "media_attachments")}
    if media_ids:
        return attached == set(media_ids)
    return (
        not attached
        and _letters(_plain(text_at(found, "content"))) == _letters(without_domains(draft.text))
        and _letters(text_at(found, "spoiler_text")) == _letters(spoiler_of(draft))
        and text_at(found, "in_reply_to_id") == text_at(draft.options, "inReplyToId")
    )


def _plain(content: str) -> str:
    reader = _Reader()
    reader.feed(content)
    reader.close()
    return without_domains("".join(reader.parts))


def _letters(text: str) -> str:
    """Without blanks, which servers set and drop as they like."""
    return "".join(unicodedata.normalize("NFC", text).split())


class _Reader(HTMLParser):
    """What is between the tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        """Called by feed()."""
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A line's end keeps the words around it apart."""
        if tag in ("br", "p"):
            self.parts.append("\n")

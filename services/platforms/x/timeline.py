"""Finds a post among those the account published. Pure.

X returns a text with t.co links in it, one more for the media, and three characters escaped.
Source: docs.x.com/x-api/fundamentals/data-dictionary.
"""

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence

from services.platforms.calls import list_at, text_at
from services.platforms.ports import JSON, Draft
from services.platforms.x.text import links

_ANSWERED = re.compile(r"^(@\w+ )+")
_SPACES = re.compile(r"\s+")


def is_post(found: JSON, draft: Draft, media: Sequence[Mapping[str, JSON]]) -> bool:
    """Whether a post of the timeline is this draft: by its media, whose ids nobody else has, or else by its text.

    Args:
        media: id and key of each, as prepared.
    """
    attached = {str(key) for key in list_at(found, "attachments", "media_keys")}
    if not media:
        return not attached and _same_text(found, draft)
    return attached == {text_at(one, "key") for one in media} or (
        {_media_id(key) for key in attached} == {text_at(one, "id") for one in media}
    )


def _same_text(found: JSON, draft: Draft) -> bool:
    shown, wanted = _plain(found, str(draft.options.get("quoteId", ""))), _normal(_with_full_links(draft.text))
    if "replyToId" in draft.options:  # X puts those before it who are answered
        shown, wanted = _ANSWERED.sub("", shown), _ANSWERED.sub("", wanted)
    return shown == wanted


def _media_id(key: str) -> str:
    """A media key is a number for its kind, "_", and the id."""
    return key.rpartition("_")[2]


def _plain(found: JSON, quoted: str) -> str:
    """The text as it was written, as far as X tells. quoted: the id of the post it quotes, which X adds as a link."""
    shown = html.unescape(text_at(found, "text"))
    for entity in list_at(found, "entities", "urls"):
        short, full = text_at(entity, "url"), text_at(entity, "expanded_url")
        if short and full:
            added = bool(quoted) and full.endswith(f"/status/{quoted}")
            shown = shown.replace(short, " " if added else _bare(full))
    return _normal(shown)


def _with_full_links(text: str) -> str:
    parts, at = [], 0
    for link in links(text):
        parts += [text[at : link.start], _bare(link.url)]
        at = link.end
    return "".join([*parts, text[at:]])


def _bare(url: str) -> str:
    """Without what X may add to a URL: its scheme, and the slash after a host."""
    return url.partition("://")[2].removesuffix("/").lower()


def _normal(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()

"""Text as Bluesky counts and annotates it. Pure.

Source: bluesky-social/atproto lexicons/app/bsky/feed/post.json and lexicons/app/bsky/richtext/facet.json.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

import regex

from services.platforms.domains import is_known
from services.platforms.ports import JSON

TAG_MAX_GRAPHEMES, TAG_MAX_BYTES = 64, 640  # facet.json, #tag

_LINK = re.compile(
    r"(?:(?<=\s)|(?<=\()|^)(?:(?P<scheme>https?://)(?P<rest>[^\s]+)|(?P<bare>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+)(?P<path>(?:[/?#:][^\s]*)?))",
    re.IGNORECASE,
)
_MENTION = re.compile(
    r"(?:(?<=\s)|(?<=\()|^)@(?P<handle>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+)",
    re.IGNORECASE,
)
_TAG = re.compile(r"(?:(?<=\s)|^)[#＃](?P<tag>(?!️)[^\s#＃]+)")
_TAIL = ".,;:!?…'\"”’»"
_PUNCTUATION = regex.compile(r"\p{P}+$")


class Kind(StrEnum):
    """What a part of the text refers to."""

    LINK = "link"
    MENTION = "mention"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the text. start, end: UTF-8 bytes, end exclusive. value: the URL, the handle, or the tag."""

    start: int
    end: int
    kind: Kind
    value: str


def graphemes(text: str) -> int:
    """Extended grapheme clusters (UAX #29)."""
    return len(regex.findall(r"\X", text))


def spans(text: str) -> list[Span]:
    """Links, mentions and tags in their order; they do not overlap."""
    found = [*_links(text), *_mentions(text), *_tags(text)]
    found.sort(key=lambda it: (it.start, -it.end))
    kept: list[Span] = []
    for span in found:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def facet(span: Span, did: str | None = None) -> dict[str, JSON]:
    """A span as a record holds it. did: whom a mention means."""
    feature: dict[str, JSON] = {"$type": f"app.bsky.richtext.facet#{span.kind}"}
    match span.kind:
        case Kind.LINK:
            feature["uri"] = span.value
        case Kind.TAG:
            feature["tag"] = span.value
        case Kind.MENTION:
            feature["did"] = did
    return {"index": {"byteStart": span.start, "byteEnd": span.end}, "features": [feature]}


def _links(text: str) -> list[Span]:
    found = []
    for match in _LINK.finditer(text):
        if match["bare"] is not None and not is_known(match["bare"]):
            continue
        shown = _without_tail(match[0])
        url = shown if match["scheme"] else f"https://{shown}"
        if len(url.partition("://")[2]) > 1:
            found.append(_span(text, match.start(), shown, Kind.LINK, url))
    return found


def _mentions(text: str) -> list[Span]:
    return [
        _span(text, match.start(), match[0], Kind.MENTION, match["handle"].lower()) for match in _MENTION.finditer(text)
    ]


def _tags(text: str) -> list[Span]:
    found = []
    for match in _TAG.finditer(text):
        tag = _PUNCTUATION.sub("", match["tag"])
        fits = graphemes(tag) <= TAG_MAX_GRAPHEMES and len(tag.encode()) <= TAG_MAX_BYTES
        if tag and not tag.isdigit() and fits:
            found.append(_span(text, match.start(), match[0][: 1 + len(tag)], Kind.TAG, tag))
    return found


def _without_tail(shown: str) -> str:
    """Without the punctuation of the sentence around it; a closing bracket belongs to the link that opened one."""
    shown = shown.rstrip(_TAIL)
    while shown.endswith(")") and shown.count("(") < shown.count(")"):
        shown = shown[:-1].rstrip(_TAIL)
    return shown


def _span(text: str, at: int, shown: str, kind: Kind, value: str) -> Span:
    start = len(text[:at].encode())
    return Span(start, start + len(shown.encode()), kind, value)

"""A post's text as X counts and links it. Pure.

Source: docs.x.com/fundamentals/counting-characters; twitter/twitter-text config/v3.json and its URL grammar.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from services.platforms.domains import is_known

URL_WEIGHT = 23  # every URL becomes a t.co link of this length
EMOJI_WEIGHT = 2
LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  # code points that weigh 1; all others weigh 2

_LATIN = r"a-z0-9\u00c0-\u024f"
_IN_PATH = rf"{_LATIN}!*';:=+,.$/%#\[\]_~@|&\-\u0400-\u04ff"
_URL = regex.compile(
    rf"""
    (?<![a-z0-9@＠$#＃])
    (?:
        https?://(?P<domain>(?:[\p{{L}}\p{{N}}_-]{{1,63}}\.){{1,30}}[a-z]{{2,63}})
        | (?<![-_./]) (?P<bare>(?:[{_LATIN}_-]{{1,63}}\.){{1,30}}[a-z]{{2,63}})
    )
    (?![a-z0-9@])
    (?::\d+)?
    (?:/(?:\([{_IN_PATH}]*\)|[{_IN_PATH}])*)?
    (?:\?[a-z0-9!?*'@();:&=+$/%\#\[\]\-_.,~|]*)?
    """,
    regex.IGNORECASE | regex.VERBOSE,
)
_TAIL = "!*';:,.$%[]~|@?("  # may not end a URL: it belongs to the sentence around it

# What begins an emoji; those of _TEXT_BY_DEFAULT are one only if the selector follows.
_EMOJI = regex.compile(r"[\p{Extended_Pictographic}](?!\ufe0e)|\p{RI}\p{RI}|[#*0-9]\ufe0f?\u20e3")
_TEXT_BY_DEFAULT = "©®™♟"
_SELECTOR = "\ufe0f"


@dataclass(frozen=True, slots=True)
class Link:
    """A URL in a text. start, end: code points, end exclusive. url: with a scheme, as the link leads to."""

    start: int
    end: int
    url: str


def weighted_length(text: str) -> int:
    """What X compares with its limit."""
    text = unicodedata.normalize("NFC", text)
    length = at = 0
    for link in links(text):
        length += _weight(text[at : link.start]) + URL_WEIGHT
        at = link.end
    return length + _weight(text[at:])


def links(text: str) -> Iterator[Link]:
    """URLs in their order, those without a scheme too."""
    for match in _URL.finditer(text):
        bare = match["bare"]
        if bare is not None and not is_known(bare):
            continue
        shown = match[0].rstrip(_TAIL)
        yield Link(match.start(), match.start() + len(shown), shown if bare is None else f"http://{shown}")


def _weight(text: str) -> int:
    return sum(
        EMOJI_WEIGHT if _is_emoji(cluster) else sum(1 if _is_light(ord(char)) else 2 for char in cluster)
        for cluster in regex.findall(r"\X", text)
    )


def _is_emoji(cluster: str) -> bool:
    if cluster[0] in _TEXT_BY_DEFAULT and cluster[1:2] != _SELECTOR:
        return False
    return _EMOJI.match(cluster) is not None


def _is_light(code: int) -> bool:
    return any(first <= code <= last for first, last in LIGHT)

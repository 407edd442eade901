"""A text as Threads counts it. Pure.

Source: developers.facebook.com/docs/threads/overview, read 2026-10-10: emoji count as their UTF-8 bytes. It does not
say what of a sequence is counted, so all of it is.
"""

import regex

from services.platforms.domains import is_known

_EMOJI = regex.compile(r"\p{Extended_Pictographic}(?!\ufe0e)|\p{RI}\p{RI}|[#*0-9]\ufe0f?\u20e3")
_TEXT_BY_DEFAULT = "©®™"
_LINK = regex.compile(
    r"https?://[^\s<>\"]+|(?<![\w@./#-])(?P<bare>(?:[\w-]{1,63}\.){1,10}[a-z]{2,63})(?![\w@])(?:/[^\s<>\"]*)?",
    regex.IGNORECASE,
)
_TAIL = ".,;:!?)]}'"


def counted(text: str) -> int:
    """What Threads compares with its limit: a grapheme that is an emoji counts its bytes, all else its characters."""
    return sum(_weight(cluster) for cluster in regex.findall(r"\X", text))


def links(text: str) -> set[str]:
    """Different URLs, those without a scheme too."""
    return {
        match[0].rstrip(_TAIL).lower()
        for match in _LINK.finditer(text)
        if match["bare"] is None or is_known(match["bare"])
    }


def _weight(cluster: str) -> int:
    if _EMOJI.match(cluster) and cluster not in _TEXT_BY_DEFAULT:
        return len(cluster.encode())
    return len(cluster)

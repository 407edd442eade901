"""A post's text as Mastodon counts it. Pure.

Source: docs.joinmastodon.org/user/posting/#text; links need their scheme, and every link counts the same.
"""

import regex

URL_CHARS = 23

_URL = regex.compile(
    r"""
    (?<![\p{L}\p{N}@$\#])
    https?://(?:[\p{L}\p{N}_-]+\.)+\p{L}[\p{L}\p{N}-]+
    (?::\d+)?
    (?:[/?\#]\S*)?
    (?<![!*';:,.?)\]}"])
    """,
    regex.IGNORECASE | regex.VERBOSE,
)
_MENTION = regex.compile(
    r"(?<![=/\p{L}\p{N}_])(@[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)@[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?(?::\d+)?",
    regex.IGNORECASE,
)


def length(text: str, spoiler_text: str = "", url_chars: int = URL_CHARS) -> int:
    """What a server compares with its limit: characters as people see them, the warning's too.

    url_chars: what it counts for a link.
    """
    return graphemes(spoiler_text) + graphemes(without_domains(_URL.sub("u" * url_chars, text)))


def without_domains(text: str) -> str:
    """Mentions as @name, which is all that is counted of them, and all that is shown."""
    return _MENTION.sub(r"\1", text)


def graphemes(text: str) -> int:
    """Extended grapheme clusters."""
    return len(regex.findall(r"\X", text))

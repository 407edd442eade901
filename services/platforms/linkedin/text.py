"""LinkedIn's "little text": reserved characters behind a backslash, hashtags as templates. Pure.

Source: learn.microsoft.com/linkedin/marketing/community-management/shares/little-text-format, read 2026-09-19.
"""

import re

_HASHTAG = re.compile(r"(?<![\w&/#])#(\w+)")
_RESERVED = re.compile(r"[|{}@\[\]()<>#\\*_~]")


def little(text: str) -> str:
    """A text as the API takes it; people see it as it was written."""
    parts, at = [], 0
    for tag in _HASHTAG.finditer(text):
        parts += [_escaped(text[at : tag.start()]), f"{{hashtag|\\#|{_escaped(tag[1])}}}"]
        at = tag.end()
    return "".join([*parts, _escaped(text[at:])])


def seen(text: str) -> str:
    """The reverse: what people see of a text of the API."""
    plain = re.sub(r"\{hashtag\|\\#\|((?:\\.|[^\\}])*)\}", r"\\#\1", text)
    return re.sub(r"\\(.)", r"\1", plain, flags=re.DOTALL)


def _escaped(text: str) -> str:
    return _RESERVED.sub(lambda found: f"\\{found[0]}", text)

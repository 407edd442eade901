"""What a client may call things. Names are metadata: no key, path or header is ever built from them."""

import unicodedata

from services.common.errors import Code, MediaError, Violation

FILENAME_LIMIT_BYTES = 255
ALT_TEXT_LIMIT_CHARS = 2000  # above the longest any platform takes (Mastodon and Bluesky: 1,500 and 2,000)

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
_JOINERS = "\u200c\u200d"  # zero width, but they make emoji and Persian words what they are


def clean_filename(name: str) -> str:
    """The last path component, NFC, without control or direction characters, at most 255 bytes of UTF-8.

    Empty when nothing of the name is left.
    """
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(char for char in base if char in _JOINERS or unicodedata.category(char) not in _UNSEEN)
    normal = unicodedata.normalize("NFC", visible).strip()
    if normal in (".", ".."):
        return ""
    return normal.encode()[:FILENAME_LIMIT_BYTES].decode(errors="ignore")


def check_alt_text(alt_text: str | None) -> str | None:
    """The text itself; an empty one is none at all.

    Raises:
        MediaError: INVALID_REQUEST, longer than ALT_TEXT_LIMIT_CHARS, or with a NUL that no text column takes.
    """
    if alt_text and "\x00" in alt_text:
        raise MediaError(Code.INVALID_REQUEST, violations=(Violation("altText", "Must not contain U+0000."),))
    if alt_text and len(alt_text) > ALT_TEXT_LIMIT_CHARS:
        violation = Violation("altText", f"At most {ALT_TEXT_LIMIT_CHARS} characters; this has {len(alt_text)}.")
        raise MediaError(Code.INVALID_REQUEST, violations=(violation,))
    return alt_text or None

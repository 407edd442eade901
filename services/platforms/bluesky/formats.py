"""Formats of strings in the AT Protocol. Pure; each function tells whether a text is of the format.

Source: atproto.com/specs/{lexicon,handle,did,at-uri-scheme,record-key,tid}, RFC 5646 §2.1; where those leave room, as
@atproto/pds 0.5.35 decides.
"""

import re

_KEY = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:~-]{1,512}")
_TID = re.compile(r"[234567a-j][234567a-z]{12}")
_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]")
_HANDLE = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_COLLECTION = re.compile(
    r"([a-z]([a-z0-9-]{0,61}[a-z0-9])?\.)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9]{0,62}", re.I
)
_URI = re.compile(r"[A-Za-z0-9_]+:(//)?[^\s/]\S*")
_CID = re.compile(r"b[a-z2-7]{58,}|Qm[1-9A-HJ-NP-Za-km-z]{44}")
_INSTANT = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
    r"(Z|(?!-00:00)[+-]([01]\d|2[0-3]):[0-5]\d)"
)
# The primary subtag is lower-case and of two or three letters.
_LANGUAGE = re.compile(
    r"[a-z]{2,3}(-[A-Za-z]{3}){0,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?"
    r"(?P<variants>(-([A-Za-z0-9]{5,8}|\d[A-Za-z0-9]{3}))*)"
    r"(?P<extensions>(-[0-9A-WY-Za-wy-z](-[A-Za-z0-9]{2,8})+)*)(-[xX](-[A-Za-z0-9]{1,8})+)?"
)
_PRIVATE = re.compile(r"[xX](-[A-Za-z0-9]{1,8})+")
_GRANDFATHERED = frozenset(
    [
        "en-GB-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux", "i-mingo", "i-navajo",
        "i-pwn", "i-tao", "i-tay", "i-tsu", "sgn-BE-FR", "sgn-BE-NL", "sgn-CH-DE", "art-lojban", "cel-gaulish",
        "no-bok", "no-nyn", "zh-guoyu", "zh-hakka", "zh-min", "zh-min-nan", "zh-xiang",
    ]
)  # fmt: skip

MAX_HANDLE_CHARS = 253


def is_key(text: str) -> bool:
    """A record key of any kind."""
    return _KEY.fullmatch(text) is not None


def is_tid(text: str) -> bool:
    """A record key that tells the time."""
    return _TID.fullmatch(text) is not None


def is_did(text: str) -> bool:
    """A decentralized identifier."""
    return _DID.fullmatch(text) is not None


def is_handle(text: str) -> bool:
    """A domain name that stands for an account."""
    return len(text) <= MAX_HANDLE_CHARS and _HANDLE.fullmatch(text) is not None


def is_identifier(text: str) -> bool:
    """A handle or a DID."""
    return is_handle(text) or is_did(text)


def is_at_uri(text: str) -> bool:
    """at://account, at://account/collection or at://account/collection/key."""
    scheme, _, rest = text.partition("at://")
    account, *path = rest.split("/")
    if scheme or len(path) > 2 or not is_identifier(account):
        return False
    return (not path or _COLLECTION.fullmatch(path[0]) is not None) and all(is_key(key) for key in path[1:])


def is_uri(text: str) -> bool:
    """Any URI: scheme, colon, something."""
    return _URI.fullmatch(text) is not None


def is_cid(text: str) -> bool:
    """A content identifier."""
    return _CID.fullmatch(text) is not None


def is_instant(text: str) -> bool:
    """Date and time of day with an offset; the day need not be in its month."""
    return _INSTANT.fullmatch(text) is not None


def is_language(text: str) -> bool:
    """A language tag."""
    if text in _GRANDFATHERED or _PRIVATE.fullmatch(text):
        return True
    match = _LANGUAGE.fullmatch(text)
    if match is None:
        return False
    variants = match["variants"].lower().split("-")[1:]
    singletons = [part for part in match["extensions"].lower().split("-")[1:] if len(part) == 1]
    return len(set(variants)) == len(variants) and len(set(singletons)) == len(singletons)

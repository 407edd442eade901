"""API keys: their text, what they may do, and how a presented one is recognised.

`lmp_<mode>_<id>_<secret><crc>`: the id is the row's ULID, the secret 43 characters of base62 (256 bits), the checksum
the CRC32 of all before it in 6 more. The fixed prefix and the checksum let a log redactor or a repository scanner
recognise a key offline; the shape follows GitHub's tokens.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import Code, MediaError, Violation

SECRET_BYTES = 32
MAX_NAME_CHARACTERS = 100
PLANS = ("free", "pro", "business")
_SECRET_CHARACTERS = 43
_CRC_CHARACTERS = 6
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"lmp_(live|test)_([0-9A-HJKMNP-TV-Z]{26})_[0-9A-Za-z]{49}")


class Mode(StrEnum):
    """What a key's posts reach: the platforms, or their sandbox."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One customer; `plan` is one of PLANS. suspended_at: since when its keys are not taken."""

    workspace_id: str
    name: str
    plan: str
    created_at: datetime
    suspended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as it is stored: never its text. No scopes means every scope."""

    key_id: str
    workspace_id: str
    name: str
    mode: Mode
    scopes: tuple[str, ...]
    digest: bytes
    hint: str
    created_at: datetime
    last_used_at: datetime | None = None

    def may(self, scope: str) -> bool:
        """Whether the key has `scope`."""
        return not self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True)
class Grant:
    """A key together with what its workspace has: what authentication needs."""

    key: ApiKey
    plan: str
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Presented:
    """A key's text as a request brought it, its checksum already found right."""

    key_id: str
    text: str


def mint(mode: Mode, key_id: str, secret: bytes) -> str:
    """The text of a new key. `secret` is 32 random bytes, `key_id` is "key_" and a ULID."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret has {SECRET_BYTES} bytes")
    body = f"lmp_{mode}_{key_id.removeprefix('key_')}_{_base62(int.from_bytes(secret), _SECRET_CHARACTERS)}"
    return body + _checksum(body)


def recognise(text: str) -> Presented | None:
    """Read a presented key; None where shape or checksum are wrong, which needs no table to tell."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    body, checksum = text[:-_CRC_CHARACTERS], text[-_CRC_CHARACTERS:]
    if not hmac.compare_digest(_checksum(body), checksum):
        return None
    return Presented(key_id=f"key_{match[2]}", text=text)


def digest(pepper: str, text: str) -> bytes:
    """What is stored instead of a key: HMAC-SHA256 of its whole text, so its mode and id are bound too."""
    return hmac.digest(pepper.encode(), text.encode(), hashlib.sha256)


def grantable(creator: ApiKey, *, mode: Mode | None, scopes: tuple[str, ...], known: AbstractSet[str]) -> Mode:
    """The mode of a key that `creator` may make; a key never makes one that may do more than itself.

    Raises:
        MediaError: INVALID_REQUEST for unknown scopes, FORBIDDEN for more than the creator has.
    """
    unknown = [
        Violation(f"scopes[{index}]", f"must be one of {', '.join(sorted(known))}")
        for index, scope in enumerate(scopes)
        if scope not in known
    ]
    if unknown:
        raise MediaError(Code.INVALID_REQUEST, violations=unknown, field=unknown[0].field)
    if creator.scopes and not (scopes and set(scopes) <= set(creator.scopes)):
        raise MediaError(Code.FORBIDDEN, scope="every scope of the new key")
    if creator.mode is Mode.TEST and mode is Mode.LIVE:
        raise MediaError(Code.FORBIDDEN, scope="a live key")
    return mode or creator.mode


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CRC_CHARACTERS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))

"""JSON Web Tokens as a PDS issues them: HS256, which only the PDS itself reads. Pure.

Source: bluesky-social/atproto packages/pds/src/account-manager/helpers/auth.ts; RFC 7515.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping

from services.platforms.ports import JSON

ACCESS, REFRESH = "com.atproto.access", "com.atproto.refresh"


class TokenInvalidError(Exception):
    """Not a token of ours."""


class TokenExpiredError(Exception):
    """A token of ours, past its end."""


def issue(key: bytes, *, kind: str, claims: Mapping[str, JSON]) -> str:
    """A signed token. kind: the header's `typ`."""
    head = ".".join(_encode(json.dumps(part).encode()) for part in ({"typ": kind, "alg": "HS256"}, dict(claims)))
    return f"{head}.{_signature(key, head)}"


def read(key: bytes, token: str, *, kind: str, now: float) -> Mapping[str, JSON]:
    """The token's claims. now: seconds since 1970. Raises TokenInvalidError, TokenExpiredError."""
    head, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(key, head).encode(), signature.encode()):
        raise TokenInvalidError
    try:
        header, claims = (json.loads(_decode(part)) for part in head.split("."))
        if header["typ"] != kind:
            raise TokenInvalidError
        expired = claims["exp"] <= now
    except (ValueError, KeyError, TypeError, binascii.Error) as exc:
        raise TokenInvalidError from exc
    if expired:
        raise TokenExpiredError
    found: Mapping[str, JSON] = claims
    return found


def _signature(key: bytes, head: str) -> str:
    return _encode(hmac.digest(key, head.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

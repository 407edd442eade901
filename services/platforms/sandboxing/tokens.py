"""Bearer tokens of sandboxes: "sandbox-<name>" belongs to <name>, and so does "sandbox-<name>.<mark>.<anything>".

Refresh tokens are of the same form, and each is taken once where they rotate.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from services.platforms.ports import JSON
from services.platforms.sandboxing.state import VALID_PREFIX, is_valid
from services.platforms.sandboxing.store import Store

LASTS_S = 7_200
READONLY = "readonly"


def bearer_name(request: Request) -> str | None:
    """Whose token the request carries; None if it has none we take."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return _name(token) if kind.lower() == "bearer" and is_valid(token) else None


def bearer_mark(request: Request) -> str:
    """What stands behind the name in the request's token, by which platforms' sandboxes tell special accounts."""
    return mark_of(request.headers.get("authorization", "").partition(" ")[2])


def mark_of(token: str) -> str:
    """The same of a token."""
    return f"{token}..".split(".")[1]


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a platform's tokens are given; those that say "readonly" only what is for reading."""

    reading: tuple[str, ...]
    writing: tuple[str, ...]

    def of(self, token: str) -> list[str]:
        """Of this one."""
        return [*self.reading, *(() if mark_of(token) == READONLY else self.writing)]


def is_readonly(request: Request) -> bool:
    """Whether the request's token was not given what posts need."""
    return bearer_mark(request) == READONLY


def successor(token: str) -> str:
    """Another token of the same account, as special as this one."""
    return f"{VALID_PREFIX}{_name(token)}.{mark_of(token)}.{secrets.token_hex(8)}"


async def renewed(
    request: Request,
    store: Store,
    *,
    rotates: bool = True,
    client_field: str = "client_id",
    scopes: Scopes | None = None,
) -> Mapping[str, JSON] | None:
    """The answer to a form of RFC 6749 §6; None if it is to be refused.

    The client is named by the Authorization header if it is confidential, else by the form; any name will do.

    Args:
        rotates: A refresh token is taken once, and the answer holds the next one.
        client_field: Of the form.
        scopes: Where the answer tells them.
    """
    async with request.form(max_files=0, max_fields=10) as form:
        refresh_token, grant = str(form.get("refresh_token", "")), form.get("grant_type")
        client_id = _basic_name(request) or str(form.get(client_field, ""))
    if grant != "refresh_token" or not client_id or not is_valid(refresh_token):
        return None
    access, refresh = successor(refresh_token), successor(refresh_token)
    answer: dict[str, JSON] = {"token_type": "bearer", "expires_in": LASTS_S, "access_token": access}
    if scopes is not None:
        answer["scope"] = " ".join(scopes.of(access))
    if not rotates:
        return answer
    digest = hashlib.sha256(refresh_token.encode()).hexdigest()
    return {**answer, "refresh_token": refresh} if await store.add("refresh-token", digest, {}) else None


def number_of(name: str) -> str:
    """A user id that is always the same for one name."""
    return str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big"))


def _name(token: str) -> str:
    return token.removeprefix(VALID_PREFIX).partition(".")[0]


def _basic_name(request: Request) -> str:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""

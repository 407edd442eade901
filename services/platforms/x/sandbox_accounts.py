"""The sandbox's accounts: a token "sandbox-<name>" belongs to <name>, and so does "sandbox-<name>.<anything>".

Refresh tokens are of the same form, and each is taken once.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from services.platforms.ports import JSON
from services.platforms.sandboxing.state import VALID_PREFIX, is_valid
from services.platforms.sandboxing.store import Store
from services.platforms.sandboxing.web import RefusedError

PROBLEMS = "https://api.twitter.com/2/problems"
WINDOW_S = 2  # X's is 15 minutes, which no test waits for
ACCESS_LASTS_S = 7_200
USERNAME_CHARS = 15


def problem(
    status: int,
    title: str,
    detail: str,
    kind: str = "about:blank",
    *,
    errors: list[JSON] | None = None,
    headers: dict[str, str] | None = None,
) -> RefusedError:
    """X's refusals. kind: the last part of their type."""
    where = kind if kind == "about:blank" else f"{PROBLEMS}/{kind}"
    fields: dict[str, JSON] = {"title": title, "detail": detail, "type": where, "status": status}
    return RefusedError(status, {**fields, **({"errors": errors} if errors else {})}, headers)


def invalid(message: str, parameter: str = "") -> RefusedError:
    """A request with a wrong parameter."""
    error: dict[str, JSON] = {"message": message, "parameters": {parameter: []} if parameter else {}}
    detail = "One or more parameters to your request was invalid."
    return problem(400, "Invalid Request", detail, "invalid-request", errors=[error])


def too_many() -> RefusedError:
    """The answer past a limit."""
    headers = {
        "x-rate-limit-limit": "100",
        "x-rate-limit-remaining": "0",
        "x-rate-limit-reset": str(int(time.time()) + WINDOW_S),
    }
    return problem(429, "Too Many Requests", "Too Many Requests", headers=headers)


@dataclass(frozen=True, slots=True)
class Owner:
    """An account of the sandbox."""

    user_id: str
    username: str


class Accounts:
    """Whose tokens are whose."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def authorize(self, request: Request) -> Owner:
        """Whose token the request carries. Raises RefusedError."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not is_valid(token):
            raise problem(401, "Unauthorized", "Unauthorized")
        name = _name(token)
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
        return Owner(str(number), re.sub(r"\W", "_", name, flags=re.ASCII)[:USERNAME_CHARS] or "nobody")

    async def renew(self, refresh_token: str) -> Mapping[str, JSON] | None:
        """A new pair; None for a token that was taken before."""
        digest = hashlib.sha256(refresh_token.encode()).hexdigest()
        if not await self._store.add("refresh-token", digest, {}):
            return None
        access, refresh = (f"{VALID_PREFIX}{_name(refresh_token)}.{secrets.token_hex(8)}" for _ in range(2))
        return {
            "token_type": "bearer",
            "expires_in": ACCESS_LASTS_S,
            "access_token": access,
            "refresh_token": refresh,
            "scope": "tweet.read tweet.write users.read media.write offline.access",
        }


def new_id() -> str:
    """Ids grow with time, as X's do."""
    return str((int(time.time() * 1000) << 22) | secrets.randbits(22))


def _name(token: str) -> str:
    return token.removeprefix(VALID_PREFIX).partition(".")[0]

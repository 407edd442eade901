"""The sandbox's accounts, named by their tokens, and how a server refuses."""

import re
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request

from services.platforms.mastodon.sandbox_servers import Server
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import now
from services.platforms.sandboxing.tokens import bearer_name, is_readonly, number_of
from services.platforms.sandboxing.web import RefusedError

WINDOW_S = 2  # a server's is minutes, which no test waits for
USERNAME_CHARS = 30


def refused(status: int, error: str, headers: dict[str, str] | None = None) -> RefusedError:
    """Every refusal has this shape."""
    return RefusedError(status, {"error": error}, headers)


def invalid(why: str) -> RefusedError:
    """Something the server's models do not take."""
    return refused(422, f"Validation failed: {why}")


def too_many() -> RefusedError:
    """The answer past a limit."""
    reset = (now() + timedelta(seconds=WINDOW_S)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    return refused(429, "Too many requests", headers)


@dataclass(frozen=True, slots=True)
class Owner:
    """An account of a server."""

    user_id: str
    username: str
    url: str

    def shown(self) -> dict[str, JSON]:
        """As an Account."""
        return {"id": self.user_id, "username": self.username, "acct": self.username, "url": self.url}


def authorize(request: Request, server: Server, *, writing: bool = False) -> Owner:
    """Whose token the request carries. Raises RefusedError."""
    name = bearer_name(request)
    if name is None:
        raise refused(401, "The access token is invalid")
    if writing and is_readonly(request):
        raise refused(403, "This action is outside the authorized scopes")
    username = re.sub(r"\W", "_", name, flags=re.ASCII)[:USERNAME_CHARS] or "nobody"
    return Owner(number_of(f"{server.url}/{name}"), username, f"{server.url}/@{username}")


def new_id() -> str:
    """Ids grow with time, as a server's do."""
    return str((int(time.time() * 1000) << 16) | secrets.randbits(16))

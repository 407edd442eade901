"""The sandbox's accounts, named by their tokens, and how X refuses."""

import re
import secrets
import time
from dataclasses import dataclass

from starlette.requests import Request

from services.platforms.ports import JSON
from services.platforms.sandboxing.tokens import bearer_name, is_readonly, number_of
from services.platforms.sandboxing.web import RefusedError

PROBLEMS = "https://api.twitter.com/2/problems"
WINDOW_S = 2  # X's is 15 minutes, which no test waits for
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


def authorize(request: Request, *, writing: bool = False) -> Owner:
    """Whose token the request carries. Raises RefusedError."""
    name = bearer_name(request)
    if name is None:
        raise problem(401, "Unauthorized", "Unauthorized")
    if writing and is_readonly(request):
        detail = "The token lacks a scope that this endpoint needs."
        raise problem(403, "Unsupported Authentication", detail, "unsupported-authentication")
    return Owner(number_of(name), re.sub(r"\W", "_", name, flags=re.ASCII)[:USERNAME_CHARS] or "nobody")


def new_id() -> str:
    """Ids grow with time, as X's do."""
    return str((int(time.time() * 1000) << 22) | secrets.randbits(22))

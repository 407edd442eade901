"""The sandbox's accounts, named by their tokens, and how TikTok answers and refuses."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.platforms.ports import JSON
from services.platforms.sandboxing.tokens import READONLY, bearer_mark, bearer_name
from services.platforms.sandboxing.web import RefusedError
from services.platforms.tiktok.checks import PRIVACIES

MAX_DURATION_S, BRIEF_S = 600, 10


def answered(data: Mapping[str, JSON]) -> Response:
    """A success."""
    return JSONResponse({"data": dict(data), "error": _error("ok", "")})


def refused(status: int, code: str, message: str) -> RefusedError:
    """A refusal."""
    return RefusedError(status, {"error": _error(code, message)})


def invalid(message: str) -> RefusedError:
    """A request that is wrong by itself."""
    return refused(400, "invalid_params", message)


def too_many() -> RefusedError:
    """The answer past a limit on requests."""
    return refused(429, "rate_limit_exceeded", "The API rate limit was exceeded. Please try again later.")


@dataclass(frozen=True, slots=True)
class Owner:
    """An account of the sandbox. mark: what its token ends in."""

    name: str
    mark: str

    @property
    def open_id(self) -> str:
        """Always the same for one name."""
        return f"-000{hashlib.sha256(self.name.encode()).hexdigest()[:32]}"

    @property
    def privacies(self) -> tuple[str, ...]:
        """What its posts may be."""
        is_private = self.mark == "private"
        own = "followers" if is_private else "public"
        return tuple(PRIVACIES[name] for name in (own, "friends", "private"))

    @property
    def max_duration_s(self) -> int:
        """Of its videos."""
        return BRIEF_S if self.mark == "brief" else MAX_DURATION_S

    @property
    def audited(self) -> bool:
        """Whether its app may post for others to see."""
        return self.mark != "unaudited"


def authorize(request: Request, *, posting: bool = False) -> Owner:
    """Whose token the request carries. Raises RefusedError."""
    name = bearer_name(request)
    if name is None:
        raise refused(401, "access_token_invalid", "The access token is invalid or not found in the request.")
    owner = Owner(name, bearer_mark(request))
    if posting and owner.mark == READONLY:
        raise refused(401, "scope_not_authorized", "The user did not authorize the scope video.publish.")
    return owner


def _error(code: str, message: str) -> dict[str, JSON]:
    return {"code": code, "message": message, "log_id": secrets.token_hex(16)}

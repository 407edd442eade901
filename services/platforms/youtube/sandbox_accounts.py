"""The sandbox's channels, named by their tokens, and how YouTube refuses."""

import base64
import hashlib
from dataclasses import dataclass

from starlette.requests import Request

from services.platforms.ports import JSON
from services.platforms.sandboxing.tokens import READONLY, bearer_mark, bearer_name
from services.platforms.sandboxing.web import RefusedError


def refused(status: int, reason: str, message: str, domain: str = "youtube") -> RefusedError:
    """A refusal, in the shape of Google's APIs."""
    error: JSON = {"message": message, "domain": domain, "reason": reason}
    return RefusedError(status, {"error": {"code": status, "message": message, "errors": [error]}})


def invalid(message: str, reason: str = "badRequest") -> RefusedError:
    """A request that is wrong by itself."""
    return refused(400, reason, message)


def too_many() -> RefusedError:
    """The answer past a limit on requests."""
    return refused(429, "rateLimitExceeded", "Too many requests.", "global")


@dataclass(frozen=True, slots=True)
class Owner:
    """A channel of the sandbox. mark: what its token ends in."""

    name: str
    mark: str

    @property
    def channel_id(self) -> str:
        """Always the same for one name."""
        digest = hashlib.sha256(self.name.encode()).digest()[:18]
        return "UC" + base64.urlsafe_b64encode(digest).decode()[:22]

    @property
    def has_channel(self) -> bool:
        """Whether the account ever made one."""
        return self.mark != "channelless"

    @property
    def audited(self) -> bool:
        """Whether its app may show videos to people."""
        return self.mark != "unaudited"

    @property
    def takes_thumbnails(self) -> bool:
        """Whether it may set pictures of its own."""
        return self.mark != "plain"


def authorize(request: Request, *, writing: bool = False) -> Owner:
    """Whose token the request carries. Raises RefusedError."""
    name = bearer_name(request)
    if name is None:
        raise refused(401, "authError", "Invalid Credentials", "global")
    owner = Owner(name, bearer_mark(request))
    if writing and owner.mark == READONLY:
        message = "Request had insufficient authentication scopes."
        raise refused(403, "insufficientPermissions", message, "global")
    if writing and not owner.has_channel:
        raise refused(401, "youtubeSignupRequired", "Unauthorized", "youtube.header")
    return owner


def required(request: Request, *names: str) -> list[str]:
    """Query parameters that must be there. Raises RefusedError."""
    if missing := [name for name in names if not request.query_params.get(name)]:
        raise refused(400, "missingRequiredParameter", f"Required parameter: {missing[0]}")
    return [request.query_params[name] for name in names]

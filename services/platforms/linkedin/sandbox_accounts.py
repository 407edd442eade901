"""The sandbox's accounts, named by their tokens, and how LinkedIn refuses.

"sandbox-anna.social" may post and see nothing of it, as most members' tokens; "sandbox-anna.readonly" may not post.
"""

import re

from starlette.requests import Request

from services.platforms.linkedin.api import VERSION
from services.platforms.ports import JSON
from services.platforms.sandboxing.tokens import READONLY, bearer_mark, bearer_name, number_of
from services.platforms.sandboxing.web import RefusedError

OLDEST = f"{int(VERSION[:4]) - 1}{VERSION[4:]}"


def refused(status: int, code: str, message: str) -> RefusedError:
    """A refusal."""
    return RefusedError(status, {"status": status, "code": code, "message": message})


def refused_input(code: str, description: str, message: str) -> RefusedError:
    """A post that may not be as it is, told as such refusals are."""
    inputs: list[JSON] = [{"description": description, "input": {}, "code": code}]
    fields: dict[str, JSON] = {"message": message, "errorDetails": {"inputErrors": inputs}, "status": 422}
    return RefusedError(422, {"errorDetailType": "com.linkedin.common.error.BadRequest", **fields})


def invalid(message: str) -> RefusedError:
    """A request that is wrong by itself."""
    return refused(400, "INVALID_REQUEST", message)


def too_many() -> RefusedError:
    """The answer past a limit of a day."""
    return refused(429, "TOO_MANY_REQUESTS", "Resource level throttle limit for calls to this resource is reached")


def named(request: Request) -> str:
    """Whose token the request carries. Raises RefusedError."""
    name = bearer_name(request)
    if name is None:
        raise refused(401, "INVALID_ACCESS_TOKEN", "Invalid access token")
    return name


def authorize(request: Request, *, posting: bool = False, looking: bool = False) -> str:
    """The same for what lies below /rest. Raises RefusedError."""
    version = request.headers.get("linkedin-version", "")
    if not version:
        raise refused(400, "VERSION_MISSING", "A version must be present. Please specify a version")
    if not re.fullmatch(r"\d{6}", version) or not OLDEST <= version <= VERSION:
        raise refused(426, "NONEXISTENT_VERSION", f"Requested version {version} is not active")
    if request.headers.get("x-restli-protocol-version") != "2.0.0":
        raise invalid("X-Restli-Protocol-Version must be 2.0.0")
    name, mark = named(request), bearer_mark(request)
    if (posting and mark == READONLY) or (looking and mark == "social"):
        raise refused(403, "ACCESS_DENIED", "Not enough permissions to access this resource")
    return name


def is_own(urn: str, name: str) -> bool:
    """Whether the account may act as this author."""
    return urn in (f"urn:li:person:{number_of(name)}", f"urn:li:organization:{number_of(name)}")

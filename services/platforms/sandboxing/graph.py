"""Meta's Graph API as sandboxes play it: accounts named by their tokens, refusals in its shape, refreshed tokens.

Source: developers.facebook.com/docs/graph-api/guides/error-handling, read 2026-10-10.
"""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms.graph import Service
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import is_valid
from services.platforms.sandboxing.tokens import Scopes, bearer_name, number_of, successor
from services.platforms.sandboxing.web import RefusedError

TOKEN_LASTS_S = 60 * 86_400


def refused(code: int, message: str, subcode: int | None = None, *, status: int = 400) -> RefusedError:
    """A refusal. subcode: where it has one."""
    error: dict[str, JSON] = {
        "message": message,
        "type": "OAuthException",
        "code": code,
        "is_transient": code in (1, 2, 4),
        "fbtrace_id": secrets.token_urlsafe(9),
    }
    if subcode is not None:
        error["error_subcode"] = subcode
    return RefusedError(status, {"error": error})


def too_many() -> RefusedError:
    """The answer past a limit."""
    return refused(4, "Application request limit reached", status=403)


def unsupported() -> RefusedError:
    """For paths the API does not have."""
    return refused(2500, "Unknown path components")


def missing(object_id: str) -> RefusedError:
    """For ids of nothing the account may see."""
    return refused(100, f"Unsupported request. Object with ID '{object_id}' does not exist", 33)


def authorize(request: Request) -> str:
    """Whose token the request carries. Raises RefusedError."""
    name = bearer_name(request)
    if name is None:
        raise refused(190, "Invalid OAuth access token - Cannot parse access token", status=401)
    return name


def new_id() -> str:
    """Of posts and containers."""
    return str(10**16 + secrets.randbelow(9 * 10**16))


def told(scopes: Scopes, token: str) -> Response:
    """What /debug_token answers about a token."""
    if not is_valid(token):
        return JSONResponse({"data": {"is_valid": False, "scopes": []}})
    granted: list[JSON] = [*scopes.of(token)]
    return JSONResponse({"data": {"is_valid": True, "type": "USER", "scopes": granted}})


def account_routes(service: Service) -> list[BaseRoute]:
    """Whose token it is, and how it is refreshed."""

    async def me(request: Request) -> Response:
        name = authorize(request)
        return JSONResponse({"id": number_of(name), service.user_id: number_of(name), "username": name})

    async def refresh(request: Request) -> Response:
        token = request.query_params.get("access_token", "")
        if request.query_params.get("grant_type") != service.refresh_grant:
            raise refused(100, f"grant_type must be {service.refresh_grant}")
        if not is_valid(token):
            raise refused(190, "Error validating access token: Session has expired", 463, status=401)
        return JSONResponse({"access_token": successor(token), "token_type": "bearer", "expires_in": TOKEN_LASTS_S})

    return [Route(f"{service.version}/me", me), Route("/refresh_access_token", refresh)]

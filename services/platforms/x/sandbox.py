"""Plays X, for test accounts: limits, states and refusals as its reference has them.

Source: docs.x.com/x-api (users, posts, media), docs.x.com/fundamentals/authentication/oauth-2-0.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.tokens import Scopes, renewed
from services.platforms.sandboxing.web import build
from services.platforms.x.sandbox_accounts import authorize, problem, too_many
from services.platforms.x.sandbox_media import MediaService
from services.platforms.x.sandbox_posts import Posts

SCOPES = Scopes(("tweet.read", "users.read", "offline.access"), ("tweet.write", "media.write"))
TOKEN_REFUSED = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""

    async def token(request: Request) -> Response:
        pair = await renewed(request, state.store, scopes=SCOPES)
        return JSONResponse(TOKEN_REFUSED, 400) if pair is None else JSONResponse(dict(pair))

    media = MediaService(state.store)
    routes = [
        Route("/2/oauth2/token", token, methods=["POST"]),
        Route("/2/users/me", _me),
        *media.routes(),
        *Posts(state.store, media).routes(),
    ]
    return build(state, routes, too_many=too_many, unknown=problem(404, "Not Found Error", "No such endpoint."))


async def _me(request: Request) -> Response:
    owner = authorize(request)
    return JSONResponse({"data": {"id": owner.user_id, "name": owner.username, "username": owner.username}})

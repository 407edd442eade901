"""Plays two Mastodon servers, for test accounts: one with the usual limits and, below /small, one with small ones.

Source: docs.joinmastodon.org/methods (accounts, instance, media, statuses).
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from services.platforms.mastodon.sandbox_accounts import authorize, refused, too_many
from services.platforms.mastodon.sandbox_media import MediaService
from services.platforms.mastodon.sandbox_servers import Server, small, usual
from services.platforms.mastodon.sandbox_statuses import Statuses
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.tokens import Scopes
from services.platforms.sandboxing.web import build

SCOPES = Scopes(("read",), ("write:media", "write:statuses"))


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""
    routes = [
        Mount("/small", routes=_routes(state, small(f"{state.public_url}/small"))),
        *_routes(state, usual(state.public_url)),
    ]
    return build(state, routes, too_many=too_many, unknown=refused(404, "Not Found"))


def _routes(state: SandboxState, server: Server) -> list[BaseRoute]:
    async def instance(_: Request) -> Response:
        return JSONResponse(server.instance())

    async def me(request: Request) -> Response:
        return JSONResponse(authorize(request, server).shown())

    async def app_of(request: Request) -> Response:
        authorize(request, server)
        scopes: list[JSON] = [*SCOPES.of(request.headers["authorization"].partition(" ")[2])]
        return JSONResponse({"id": "1", "name": "sandbox", "scopes": scopes, "scope": " ".join(map(str, scopes))})

    media = MediaService(state.store, server)
    return [
        Route("/api/v2/instance", instance),
        Route("/api/v1/accounts/verify_credentials", me),
        Route("/api/v1/apps/verify_credentials", app_of),
        *media.routes(),
        *Statuses(state.store, server, media).routes(),
    ]

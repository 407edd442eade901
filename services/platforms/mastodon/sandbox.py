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
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.web import build


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

    media = MediaService(state.store, server)
    return [
        Route("/api/v2/instance", instance),
        Route("/api/v1/accounts/verify_credentials", me),
        *media.routes(),
        *Statuses(state.store, server, media).routes(),
    ]

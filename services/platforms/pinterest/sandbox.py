"""Plays Pinterest, for test accounts: limits, states and refusals as its schema has them.

Every account begins with one board, whose id is that of our API's examples.
Source: github.com/pinterest/api-description v5/openapi.json.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms.pinterest.sandbox_accounts import Boards, authorize, refused, too_many, user_id
from services.platforms.pinterest.sandbox_media import MediaService
from services.platforms.pinterest.sandbox_pins import Pins
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.tokens import Scopes, renewed
from services.platforms.sandboxing.web import build

SCOPES = Scopes(("boards:read", "pins:read", "user_accounts:read"), ("pins:write",))


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""

    async def token(request: Request) -> Response:
        pair = await renewed(request, state.store, scopes=SCOPES)
        if pair is None:
            raise refused(401, 2, "Authentication failed.")
        return JSONResponse(dict(pair))

    boards, media = Boards(state.store), MediaService(state.store, state.public_url)
    routes = [
        Route("/v5/oauth/token", token, methods=["POST"]),
        Route("/v5/user_account", _account),
        *boards.routes(),
        *media.routes(),
        *Pins(state.store, boards, media).routes(),
    ]
    return build(state, routes, too_many=too_many, unknown=refused(404, 0, "API method not found."))


async def _account(request: Request) -> Response:
    name = authorize(request)
    return JSONResponse({"id": user_id(name), "username": name, "account_type": "BUSINESS", "board_count": 1})

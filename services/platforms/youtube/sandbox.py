"""Plays YouTube, for test accounts: limits, states and refusals as its reference has them.

A token that ends in ".readonly" lacks the right to write; ".channelless" is of an account without a channel,
".unaudited" of an app whose videos stay private, ".plain" of a channel that may set no thumbnails.
Source: developers.google.com/youtube/v3/docs, read 2026-10-08.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms.ports import JSON
from services.platforms.sandboxing.state import SandboxState, is_valid
from services.platforms.sandboxing.tokens import LASTS_S, Scopes, renewed
from services.platforms.sandboxing.web import build
from services.platforms.youtube.resource import SERVICE
from services.platforms.youtube.sandbox_accounts import authorize, refused, required, too_many
from services.platforms.youtube.sandbox_uploads import Uploads
from services.platforms.youtube.sandbox_videos import Videos

_AUTH = "https://www.googleapis.com/auth/"
SCOPES = Scopes((f"{_AUTH}youtube.readonly",), (f"{_AUTH}youtube",))


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""

    async def token(request: Request) -> Response:
        pair = await renewed(request, state.store, rotates=False, scopes=SCOPES)
        refusal = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        return JSONResponse(refusal, 400) if pair is None else JSONResponse(dict(pair))

    videos = Videos(state.store)
    routes = [
        Route(SERVICE.token_path, token, methods=["POST"]),
        Route("/oauth2/v2/tokeninfo", _told, methods=["POST"]),
        Route("/youtube/v3/channels", _channels),
        *videos.routes(),
        *Uploads(state, videos).routes(),
    ]
    return build(state, routes, too_many=too_many, unknown=refused(404, "notFound", "Not Found"))


async def _told(request: Request) -> Response:
    token = request.query_params.get("access_token", "")
    if not is_valid(token):
        return JSONResponse({"error": "invalid_token", "error_description": "Invalid Value"}, 400)
    return JSONResponse({"scope": " ".join(SCOPES.of(token)), "expires_in": LASTS_S, "access_type": "offline"})


async def _channels(request: Request) -> Response:
    owner = authorize(request)
    required(request, "part", "mine")
    found: list[JSON] = [{"kind": "youtube#channel", "id": owner.channel_id, "snippet": {"title": owner.name}}]
    return JSONResponse({"kind": "youtube#channelListResponse", "items": found if owner.has_channel else []})

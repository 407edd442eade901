"""Plays TikTok, for test accounts: limits, states and refusals as its reference has them.

A token that ends in ".readonly" lacks the right to post; ".private" is of a private account, ".unaudited" of an app
that may post for nobody else to see, ".brief" of an account whose videos may last 10 s.
Source: developers.tiktok.com/doc/content-posting-api-get-started, …/oauth-user-access-token-management, read
2026-10-08.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.tokens import renewed
from services.platforms.sandboxing.web import build
from services.platforms.tiktok.api import PUBLISH, SERVICE
from services.platforms.tiktok.sandbox_accounts import answered, authorize, refused, too_many
from services.platforms.tiktok.sandbox_posts import Posts
from services.platforms.tiktok.sandbox_uploads import Uploads


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""

    async def token(request: Request) -> Response:
        pair = await renewed(request, state.store, client_field=SERVICE.client_field)
        refusal = {"error": "invalid_grant", "error_description": "Refresh token is invalid or expired."}
        return JSONResponse(refusal, 400) if pair is None else JSONResponse({**pair, "refresh_expires_in": 31_536_000})

    uploads = Uploads(state)
    routes = [
        Route(SERVICE.token_path, token, methods=["POST"]),
        Route("/v2/user/info/", _user),
        Route(f"{PUBLISH}/creator_info/query/", _creator, methods=["POST"]),
        *uploads.routes(),
        *Posts(state, uploads).routes(),
    ]
    return build(state, routes, too_many=too_many, unknown=refused(404, "invalid_params", "Unsupported path"))


async def _user(request: Request) -> Response:
    owner = authorize(request)
    known = {"open_id": owner.open_id, "display_name": owner.name, "union_id": owner.open_id[::-1]}
    fields = request.query_params.get("fields", "").split(",")
    if not set(fields) <= set(known):
        raise refused(400, "invalid_params", "fields is missing, or names what the token may not see")
    return answered({"user": {name: known[name] for name in fields}})


async def _creator(request: Request) -> Response:
    owner = authorize(request, posting=True)
    return answered(
        {
            "creator_username": owner.name, "creator_nickname": owner.name, "creator_avatar_url": "",
            "privacy_level_options": list(owner.privacies), "comment_disabled": False, "duet_disabled": False,
            "stitch_disabled": False, "max_video_post_duration_sec": owner.max_duration_s,
        }
    )  # fmt: skip

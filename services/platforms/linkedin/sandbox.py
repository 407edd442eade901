"""Plays LinkedIn, for test accounts: limits, states and refusals as its reference has them.

Source: learn.microsoft.com/linkedin/marketing/community-management/shares/{posts,images,videos}-api, read 2026-09-19.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms.linkedin.api import INTROSPECTION, SERVICE
from services.platforms.linkedin.sandbox_accounts import authorize, named, refused, too_many
from services.platforms.linkedin.sandbox_media import Media
from services.platforms.linkedin.sandbox_posts import Posts
from services.platforms.sandboxing.state import SandboxState, is_valid
from services.platforms.sandboxing.tokens import Scopes, number_of, renewed
from services.platforms.sandboxing.web import build

SCOPES = Scopes(("openid", "profile", "r_organization_social"), ("w_member_social", "w_organization_social"))


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""

    async def token(request: Request) -> Response:
        pair = await renewed(request, state.store, scopes=SCOPES)
        refusal = {"error": "invalid_grant", "error_description": "The provided refresh token is invalid."}
        return JSONResponse(refusal, 400) if pair is None else JSONResponse(dict(pair))

    media = Media(state)
    routes = [
        Route(SERVICE.token_path, token, methods=["POST"]),
        Route(INTROSPECTION, _told, methods=["POST"]),
        Route("/v2/userinfo", _member),
        Route("/rest/organizations/{organization_id}", _organization),
        *media.routes(),
        *Posts(state.store, media).routes(),
    ]
    return build(state, routes, too_many=too_many, unknown=refused(404, "NOT_FOUND", "No such resource"))


async def _told(request: Request) -> Response:
    """To the app itself."""
    async with request.form(max_files=0, max_fields=10) as form:
        token, named_app = str(form.get("token", "")), form.get("client_id") and form.get("client_secret")
    if not named_app:
        return JSONResponse({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
    if not is_valid(token):
        return JSONResponse({"active": False})
    return JSONResponse({"active": True, "status": "active", "auth_type": "3L", "scope": ",".join(SCOPES.of(token))})


async def _member(request: Request) -> Response:
    name = named(request)
    return JSONResponse({"sub": number_of(name), "name": name})


async def _organization(request: Request) -> Response:
    name, organization = authorize(request), str(request.path_params["organization_id"])
    if organization != number_of(name):
        raise refused(403, "ACCESS_DENIED", "Not enough permissions to access this organization")
    return JSONResponse({"id": int(organization), "localizedName": name})

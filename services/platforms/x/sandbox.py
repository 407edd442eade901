"""Plays X, for test accounts: limits, states and refusals as its reference has them.

Source: docs.x.com/x-api (users, posts, media), docs.x.com/fundamentals/authentication/oauth-2-0.
"""

import base64
import binascii

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from services.platforms.sandboxing.state import SandboxState, is_valid
from services.platforms.sandboxing.web import build
from services.platforms.x.sandbox_accounts import Accounts, problem, too_many
from services.platforms.x.sandbox_media import MediaService
from services.platforms.x.sandbox_posts import Posts


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""
    accounts = Accounts(state.store)
    media = MediaService(state.store, accounts)
    routes = [*_account_routes(accounts), *media.routes(), *Posts(state.store, accounts, media).routes()]
    return build(state, routes, too_many=too_many, unknown=problem(404, "Not Found Error", "No such endpoint."))


def _account_routes(accounts: Accounts) -> list[BaseRoute]:
    async def me(request: Request) -> Response:
        owner = accounts.authorize(request)
        return JSONResponse({"data": {"id": owner.user_id, "name": owner.username, "username": owner.username}})

    async def token(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as form:
            invalid = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
            if form.get("grant_type") != "refresh_token" or not _client_id(request, form):
                return JSONResponse(invalid, 400)
            refresh_token = str(form.get("refresh_token", ""))
            pair = await accounts.renew(refresh_token) if is_valid(refresh_token) else None
        return JSONResponse(invalid, 400) if pair is None else JSONResponse(dict(pair))

    return [Route("/2/users/me", me), Route("/2/oauth2/token", token, methods=["POST"])]


def _client_id(request: Request, form: FormData) -> str:
    """From the Authorization header of a confidential app, else from the form of a public one."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return str(form.get("client_id", ""))

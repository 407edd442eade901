"""Plays Facebook's pages, for test accounts: limits, states and refusals as its reference has them.

Source: developers.facebook.com/docs/pages-api/posts, …/docs/video-api/guides/{publishing,reels-publishing}, read
2026-11-24.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms.facebook.pages import SERVICE
from services.platforms.facebook.sandbox_posts import Posts
from services.platforms.facebook.sandbox_videos import VIDEOS, Videos
from services.platforms.sandboxing import graph
from services.platforms.sandboxing.allowances import Allowances, Use
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.tokens import Scopes, bearer_mark, number_of
from services.platforms.sandboxing.web import build

SCOPES = Scopes(("pages_show_list", "pages_read_engagement"), ("pages_manage_posts", "publish_video"))


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""
    videos = Videos(state)

    async def shown(request: Request) -> Response:
        object_id, name = str(request.path_params["object_id"]), graph.authorize(request)
        video = await state.store.get(VIDEOS, object_id)
        if video is None or video["owner"] != name:
            raise graph.missing(object_id)
        return JSONResponse(videos.shown(video, request.query_params.get("fields", "id").split(",")))

    routes = [
        Route(f"{SERVICE.version}/me", _me),
        Route(f"{SERVICE.version}/debug_token", _told),
        *Posts(state).routes(),
        *videos.routes(),
        Route(f"{SERVICE.version}/{{object_id}}", shown),
    ]
    served = build(state, routes, too_many=graph.too_many, unknown=graph.unsupported())
    return Allowances(served, Use("pages", 80001))


async def _told(request: Request) -> Response:
    """To the app itself, whose token is its id and its secret."""
    client_id, _, secret = request.headers.get("authorization", "").removeprefix("Bearer ").partition("|")
    if not (client_id and secret):
        raise graph.refused(100, "(#100) You must provide an app access token, or a developer's of the app")
    return graph.told(SCOPES, request.query_params.get("input_token", ""))


async def _me(request: Request) -> Response:
    name = graph.authorize(request)
    fields = request.query_params.get("fields", "id,name").split(",")
    known = {"id": number_of(name), "name": name}
    if bearer_mark(request) != "person":
        known["category"] = "Community"
    if strange := set(fields) - set(known):
        raise graph.refused(100, f"(#100) Tried accessing nonexisting field ({', '.join(sorted(strange))})")
    return JSONResponse({field: known[field] for field in ("id", *fields)})

"""All platforms' sandboxes behind one address, and a page that shows what they received.

GET /               what was published, newest first, for people
GET /healthz        alive
*   /<platform>/…   that platform's API; see services/platforms/sandboxing/web.py for what is under /_sandbox/
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from services.platforms import catalog, registry
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.web import POSTS
from services.sandbox.page import Received, page

SHOWN = 60  # posts on the page
STYLE = Path(__file__).with_name("style.css")
PAGE_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self'; frame-ancestors 'none'"
HEADERS = {"Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


@asynccontextmanager
async def opened(state_dir: Path, public_url: str, trusted: tuple[str, ...] = ()) -> AsyncIterator[ASGIApp]:
    """The application, with what `state_dir` holds from earlier runs; its files are closed at the end.

    Args:
        public_url: Where clients reach it, with or without a trailing slash.
        trusted: URLs whose origins media are fetched from, whatever their addresses and by plain HTTP too.
    """
    apps = registry.sandboxes()
    base = public_url.rstrip("/")
    states = {name: SandboxState.open(state_dir / name, f"{base}/{name}", trusted) for name in apps}
    try:
        yield _application(states)
    finally:
        for state in states.values():
            await state.store.close()


def _application(states: Mapping[str, SandboxState]) -> ASGIApp:
    names = {name: platform.name for name, platform in catalog.load().items()}

    async def shown(_: Request) -> Response:
        found = await asyncio.gather(*(_received(name, state) for name, state in states.items()))
        newest = sorted((post for posts in found for post in posts), key=lambda it: it.created_at, reverse=True)
        return HTMLResponse(page(newest[:SHOWN], [names[name] for name in states]), headers=HEADERS)

    async def _received(name: str, state: SandboxState) -> list[Received]:
        return [Received.of(name, names[name], doc) for doc in await state.store.newest(POSTS, SHOWN)]

    async def style(_: Request) -> Response:
        return FileResponse(STYLE, media_type="text/css")

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    routes: list[BaseRoute] = [Route("/", shown), Route("/style.css", style), Route("/healthz", alive)]
    makers = registry.sandboxes()
    routes += [Mount(f"/{name}", makers[name](state)) for name, state in states.items()]
    return Starlette(routes=routes)

"""Files served by HTTP as the CDN serves renditions, for platforms that fetch what they are told of."""

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.platforms.ports import Asset
from tests.contract.platforms import samples
from tests.contract.platforms.playing import listening


@dataclass
class Cdn:
    """url: without a trailing slash. asked: how often each path was fetched."""

    url: str
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def put(self, data: bytes, content_type: str) -> str:
        """The file's URL."""
        name = sha256(data + content_type.encode()).hexdigest()[:20]
        self.files[name] = (data, content_type)
        return f"{self.url}/{name}"

    def asset(self, data: bytes, alt_text: str | None = None) -> Asset:
        """What the publisher would hand over for these bytes."""
        made = samples.asset(data, alt_text=alt_text)
        return samples.asset(data, alt_text=alt_text, url=self.put(data, made.content_type))

    async def serve(self, request: Request) -> Response:
        """A file, 404, or for /moved/… a redirect to it."""
        name = str(request.path_params["name"])
        self.asked[name] = self.asked.get(name, 0) + 1
        if name not in self.files:
            return Response(status_code=404)
        if request.url.path.startswith("/moved/"):
            return RedirectResponse(f"{self.url}/{name}")
        data, content_type = self.files[name]
        return Response(data, media_type=content_type)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Cdn]:
    """On a free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        cdn = Cdn(f"http://127.0.0.1:{sock.getsockname()[1]}")
        app = Starlette(routes=[Route("/{name}", cdn.serve), Route("/moved/{name}", cdn.serve)])
        async with listening(app, sock):
            yield cdn

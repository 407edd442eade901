"""The web application around a platform's routes: what was received, and faults on order.

GET  /_sandbox/posts             posts, newest first, in one shape for all platforms (see `posts`)
GET  /_sandbox/files/{sha256}    bytes of their media
POST /_sandbox/faults            {"path", "mode", "times"?, "method"?}; see faults.py
DELETE /_sandbox/faults
"""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.platforms.ports import JSON
from services.platforms.sandboxing.faults import Fault, Mode
from services.platforms.sandboxing.sniff import UNKNOWN, Facts
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.store import Doc

POSTS = "post"
SHOWN = (
    ("image/jpeg", 0, b"\xff\xd8\xff"), ("image/png", 0, b"\x89PNG"), ("image/gif", 0, b"GIF8"),
    ("image/webp", 8, b"WEBP"), ("video/mp4", 4, b"ftyp"),
)  # fmt: skip
HOLD_S = 600.0  # longer than any client waits


class RefusedError(Exception):
    """The upstream's refusal. `fields` is the JSON it answers with."""

    def __init__(self, status: int, fields: Doc, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status}: {fields}")
        self.status = status
        self.fields = fields
        self.headers = headers or {}


def build(
    state: SandboxState,
    routes: Sequence[BaseRoute],
    *,
    too_many: RefusedError | Callable[[], RefusedError],
    unknown: RefusedError,
) -> Starlette:
    """A platform's sandbox.

    Args:
        routes: Of the platform's API. Raise RefusedError to refuse.
        too_many: How it answers too many requests; called each time if it tells the hour.
        unknown: How it answers paths it does not have.
    """

    async def refused(_: Request, exc: Exception) -> Response:
        return answer(exc) if isinstance(exc, RefusedError) else JSONResponse({}, 500)

    async def not_found(_: Request, exc: Exception) -> Response:
        return (
            answer(unknown)
            if isinstance(exc, HTTPException) and exc.status_code in (404, 405)
            else Response(status_code=400)
        )

    return Starlette(
        routes=[*_own_routes(state), *routes],
        middleware=[Middleware(FaultMiddleware, state=state, too_many=too_many)],
        exception_handlers={RefusedError: refused, HTTPException: not_found},
    )


def media_doc(
    sha256: str, size_bytes: int, facts: Facts, *, alt_text: str | None, url: str | None = None
) -> dict[str, JSON]:
    """One medium of a received post. url: given instead of bytes, which are then unknown."""
    return {"sha256": sha256, "sizeBytes": size_bytes, "altText": alt_text, "url": url, **facts_doc(facts)}


def facts_doc(facts: Facts) -> dict[str, JSON]:
    """What sniffing found, as JSON."""
    return {
        "contentType": facts.content_type,
        "width": facts.width,
        "height": facts.height,
        "frames": facts.frames,
        "durationSeconds": facts.duration_s,
    }


async def json_body(request: Request, malformed: Callable[[str], RefusedError], max_bytes: int = 80_000_000) -> Doc:
    """The request's JSON object. Raises malformed(why)."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > max_bytes:
            raise malformed("the body is too large")
    try:
        found: object = await asyncio.to_thread(json.loads, bytes(raw))
    except ValueError as exc:
        raise malformed("the body is not JSON") from exc
    if not isinstance(found, dict):
        raise malformed("the body is not a JSON object")
    return found


def _own_routes(state: SandboxState) -> list[BaseRoute]:
    async def posts(request: Request) -> Response:
        limit = request.query_params.get("limit", "100")
        found = await state.store.newest(POSTS, int(limit) if limit.isdigit() else 100)
        return JSONResponse({"posts": found})

    async def file(request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        path = state.store.file(sha256)
        if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not path.exists():
            return Response(status_code=404)
        headers = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
        kind = await asyncio.to_thread(_shown_type, path)
        return FileResponse(path, media_type=kind, headers=headers)

    async def order(request: Request) -> Response:
        wanted = await json_body(request, lambda why: RefusedError(400, {"error": why}))
        try:
            fault = Fault(
                str(wanted["path"]),
                Mode(str(wanted["mode"])),
                _times(wanted.get("times", 1)),
                str(wanted.get("method", "")),
            )
        except (KeyError, ValueError) as exc:
            raise RefusedError(400, {"error": f"needs path and mode ({', '.join(Mode)}): {exc}"}) from exc
        state.faults.order(fault)
        return JSONResponse(asdict(fault), 201)

    async def clear(_: Request) -> Response:
        state.faults.clear()
        return Response(status_code=204)

    return [
        Route("/_sandbox/posts", posts),
        Route("/_sandbox/files/{sha256}", file),
        Route("/_sandbox/faults", order, methods=["POST"]),
        Route("/_sandbox/faults", clear, methods=["DELETE"]),
    ]


class FaultMiddleware:
    """Lets requests fail as ordered."""

    def __init__(
        self, app: ASGIApp, *, state: SandboxState, too_many: RefusedError | Callable[[], RefusedError]
    ) -> None:
        self._app = app
        self._faults = state.faults
        self._too_many = too_many

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mode = self._mode(scope)
        match mode:
            case None:
                await self._app(scope, receive, send)
            case Mode.ERROR:
                await Response(status_code=503)(scope, receive, send)
            case Mode.TOO_MANY:
                refusal = self._too_many if isinstance(self._too_many, RefusedError) else self._too_many()
                await answer(refusal)(scope, receive, send)
            case Mode.TIMEOUT:
                await _until_gone(receive)
                await _break_off(send)
            case Mode.DROP_BEFORE:
                await _break_off(send)
            case Mode.DROP_AFTER:
                await self._app(scope, receive, _swallow)
                await _break_off(send)

    def _mode(self, scope: Scope) -> Mode | None:
        if scope["type"] != "http":
            return None
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return None if path.startswith("/_sandbox/") else self._faults.take(scope["method"], path)


async def _swallow(message: Message) -> None:
    """An answer nobody gets."""


async def _break_off(send: Send) -> None:
    """An answer that promises more than comes: the server closes the connection, and the client knows nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


async def _until_gone(receive: Receive) -> None:
    try:
        async with asyncio.timeout(HOLD_S):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


def _shown_type(path: Path) -> str:
    """What browsers may show of it, by its first bytes; nothing else gets a type they would act on."""
    with path.open("rb") as file:
        start = file.read(12)
    return next((kind for kind, at, magic in SHOWN if start[at : at + len(magic)] == magic), UNKNOWN)


def answer(refusal: RefusedError) -> Response:
    """As the upstream refuses."""
    return JSONResponse(refusal.fields, refusal.status, headers=refusal.headers)


def _times(value: JSON) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError("times must be 1 or more")
    return value

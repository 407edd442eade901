"""The ASGI application: every request in, one answer out, whatever happens between."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.types import Receive, Scope, Send

from services.common import context, telemetry
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.gateway.domain.pace import STANDARD, Pace
from services.gateway.web import headers
from services.gateway.web.http import ClientGoneError, Exchange, Response
from services.gateway.web.problems import problem

log = logging.getLogger(__name__)

Page = Callable[[Exchange], Awaitable[Response]]

METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


class Api(Protocol):
    """What serves the routes of the protos."""

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request, or raise a MediaError."""


class Observe(Protocol):
    """Told of every request once it is over."""

    def __call__(self, exchange: Exchange, elapsed_s: float) -> None:
        """Count and log it."""


class Front:
    """Pages of the gateway itself, then the API; errors become problems here and nowhere else."""

    def __init__(
        self,
        api: Api,
        *,
        pages: Mapping[str, Page],
        new_request_id: Callable[[], str],
        observe: Observe,
        pace: Pace = STANDARD,
    ) -> None:
        self._api = api
        self._pages = pages
        self._new_request_id = new_request_id
        self._observe = observe
        self._pace = pace
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answers that would go on for long come to their end."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        exchange = Exchange(scope, receive, send, request_id="", pace=self._pace, stopping=self._stopping)
        exchange.request_id = headers.request_id(exchange.header("x-request-id")) or self._new_request_id()
        # A connection's next request may inherit what its last one left in the context.
        context.enter(CallContext(workspace_id="", request_id=exchange.request_id))
        if self._page_of(exchange) is not None:
            await self._observed(exchange)  # Probes come every few seconds: nothing to trace.
            return
        method = exchange.method if exchange.method in METHODS else "HTTP"
        with telemetry.span(method, exchange.header("traceparent") or "", SpanKind.SERVER) as span:
            try:
                await self._observed(exchange)
            finally:
                _describe(span, method, exchange)

    async def _observed(self, exchange: Exchange) -> None:
        began = time.perf_counter()
        try:
            await self._serve(exchange)
        finally:
            self._observe(exchange, time.perf_counter() - began)

    async def _serve(self, exchange: Exchange) -> None:
        try:
            page = self._page(exchange)
            if page is None:
                await self._api.serve(exchange)
            else:
                await exchange.respond(await page(exchange))
        except ClientGoneError:
            exchange.code = "client_gone"
        except MediaError as error:
            if error.row.http >= 500:
                log.warning("request failed", extra={"code": error.code, "why": error.why})
            await self._fail(exchange, error)
        except asyncio.CancelledError as cut:
            task = asyncio.current_task()
            if task is None or not self._stopping.is_set():
                raise
            task.uncancel()  # The time of those who leave is over; but whoever asked is told so, and asks another.
            await self._fail(exchange, MediaError(Code.UNAVAILABLE, why="told to stop"), cut)
        except Exception as error:
            log.exception("request failed", extra={"request_id": exchange.request_id, "path": exchange.path})
            await self._fail(exchange, MediaError(Code.INTERNAL), error)

    def _page_of(self, exchange: Exchange) -> Page | None:
        page = self._pages.get(exchange.path)
        if page is None and exchange.path.startswith("/docs/errors/"):
            page = self._pages.get("/docs/errors/")
        return page

    def _page(self, exchange: Exchange) -> Page | None:
        page = self._page_of(exchange)
        if page is None:
            return None
        exchange.route = "page"
        if exchange.method not in ("GET", "HEAD"):
            raise MediaError(Code.METHOD_NOT_ALLOWED, method=exchange.method, allow="GET, HEAD")
        return page

    async def _fail(self, exchange: Exchange, error: MediaError, cause: BaseException | None = None) -> None:
        exchange.code = str(error.code)
        if exchange.status:  # Headers are out: only a broken connection can still say that it failed.
            raise cause or error
        await exchange.respond(problem(error, instance=exchange.path, request_id=exchange.request_id))


def _describe(span: Span, method: str, exchange: Exchange) -> None:
    """What was asked and what came of it; never a path or a header, which may tell of somebody."""
    span.update_name(f"{method} {exchange.route}".rstrip())
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.route", exchange.route)
    span.set_attribute("http.response.status_code", exchange.status)
    if exchange.code:
        span.set_attribute("error.type", exchange.code)
    if exchange.status >= 500:
        span.set_status(StatusCode.ERROR, exchange.code)

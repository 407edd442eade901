"""/openapi.json, /docs and /docs/errors/<code>: made once at start, from the routes that are served."""

import hashlib
from collections.abc import Mapping

from services.common.public_json import dumps
from services.gateway.openapi import document, errors, html, page
from services.gateway.transcode.routes import RouteTable
from services.gateway.web import headers
from services.gateway.web.front import Page
from services.gateway.web.http import Exchange, Headers, Response

ERRORS = "/docs/errors/"
_HTML = "text/html; charset=utf-8"


class Docs:
    """The API reference."""

    def __init__(self, table: RouteTable, public_url: str) -> None:
        self._table = table
        described = document.build(table, public_url)
        self._json = dumps(described)
        self._html = page.render(described)

    def pages(self) -> Mapping[str, Page]:
        """By path; a path that ends in a slash stands for all below it."""
        return {"/openapi.json": self.openapi, "/docs": self.docs, ERRORS: self.error}

    async def openapi(self, exchange: Exchange) -> Response:
        """The document; any page may read it."""
        kept: Headers = (("cache-control", "public, max-age=300"),)
        return _answer(exchange, self._json, "application/json", kept)

    async def docs(self, exchange: Exchange) -> Response:
        """The same for people."""
        return _answer(exchange, self._html, _HTML, html.headers())

    async def error(self, exchange: Exchange) -> Response:
        """One error. Raises: MediaError NOT_FOUND."""
        body = errors.render(exchange.path.removeprefix(ERRORS), self._table)
        return _answer(exchange, body, _HTML, html.headers())


def _answer(exchange: Exchange, body: bytes, content_type: str, kept: Headers) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if headers.etag_matches(exchange.header("if-none-match"), etag):
        return Response(304, headers=(("etag", etag), *kept))
    return Response(200, body, content_type, (("etag", etag), *kept))

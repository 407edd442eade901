"""Which dialect a request below /v1/uploads speaks; what speaks none is a route like all others."""

from typing import Protocol

from services.common.errors import MediaError
from services.gateway.transcode.routes import RouteTable
from services.gateway.uploads import draft, tus
from services.gateway.uploads.draft import DraftDialect
from services.gateway.uploads.put import PutDialect
from services.gateway.uploads.sessions import COLLECTION, Sessions
from services.gateway.uploads.tus import TusDialect
from services.gateway.web.answers import Answers, Call
from services.gateway.web.api import TranscodingApi
from services.gateway.web.http import Exchange, Response
from services.gateway.web.problems import problem

# Bytes are one operation, whatever the method that brings them.
_ROUTED_AS = {"PATCH": "PUT"}


class Dialect(Protocol):
    """One way to speak of an upload."""

    def wants(self, exchange: Exchange, method: str) -> bool:
        """Whether this request speaks it."""

    async def answer(self, call: Call, method: str) -> Response:
        """Raises: MediaError."""

    def refused(self, exchange: Exchange, error: MediaError, response: Response) -> Response:
        """How a refusal looks in it."""


class UploadApi:
    """Serves uploads in pieces, and leaves all else to `others`."""

    def __init__(self, others: TranscodingApi, table: RouteTable, sessions: Sessions, answers: Answers) -> None:
        self._others = others
        self._table = table
        self._dialects: tuple[Dialect, ...] = (
            TusDialect(sessions),
            PutDialect(sessions, answers),
            DraftDialect(sessions, answers),
        )

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request. Raises: MediaError."""
        if exchange.path != COLLECTION and not exchange.path.startswith(f"{COLLECTION}/"):
            await self._others.serve(exchange)
            return
        if exchange.method == "OPTIONS":
            exchange.route = COLLECTION
            allow = "OPTIONS, POST" if exchange.path == COLLECTION else "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
            headers = (("allow", allow), *tus.OPTIONS, *draft.OPTIONS)
            await exchange.respond(Response(204, headers=headers))
            return
        method = _method(exchange)
        dialect = next((row for row in self._dialects if row.wants(exchange, method)), None)
        if dialect is None:
            await self._others.serve(exchange)
            return
        try:
            match = self._table.match(_ROUTED_AS.get(method, method), exchange.raw_path)
            response = await dialect.answer(await self._others.admit(exchange, match), method)
        except MediaError as error:
            exchange.code = str(error.code)
            told = problem(error, instance=exchange.path, request_id=exchange.request_id)
            response = dialect.refused(exchange, error, told)
        await exchange.respond(response)


def _method(exchange: Exchange) -> str:
    """tus lets clients that know no PATCH say so in a POST."""
    override = exchange.header("x-http-method-override")
    if exchange.method == "POST" and override in ("PATCH", "DELETE", "HEAD") and exchange.header("tus-resumable"):
        return override
    return exchange.method

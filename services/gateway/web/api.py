"""The routes of the protos over HTTP: who calls, what they want, and which answer that gets."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.common.public_json import JSON, dumps
from services.gateway import download, events, upload
from services.gateway.app import Authentication
from services.gateway.domain.keys import Grant, Mode
from services.gateway.domain.rates import Kind
from services.gateway.domain.replays import Scope
from services.gateway.idempotency import Claim, Idempotency
from services.gateway.limiting import Limiter
from services.gateway.transcode import calls, strict_json
from services.gateway.transcode.calls import Upstreams
from services.gateway.transcode.routes import Match, Route, RouteTable
from services.gateway.web import headers
from services.gateway.web.answers import Answers, Call, etag, replayed, stored, without_secrets
from services.gateway.web.http import Exchange, Response
from services.gateway.web.problems import problem


class TranscodingApi:
    """Serves the route table."""

    def __init__(
        self,
        table: RouteTable,
        *,
        authentication: Authentication,
        limiter: Limiter,
        upstreams: Upstreams,
        idempotency: Idempotency,
        answers: Answers,
    ) -> None:
        self._table = table
        self._authentication = authentication
        self._limiter = limiter
        self._upstreams = upstreams
        self._idempotency = idempotency
        self._answers = answers

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request. Raises: MediaError."""
        call = _by_content_type(await self.admit(exchange, self._table.match(exchange.method, exchange.raw_path)))
        match = call.match
        if match.route.attachment or match.route.events:
            await self._stream(call)
        elif match.route.method == "POST" and call.caller.idempotency_key is not None:
            await exchange.respond(await self._once(call, call.caller.idempotency_key))
        elif match.route.multipart:
            await exchange.respond(self._uploaded(call, await self._upload(call)))
        else:
            request = calls.read_request(match, call.query, await _json_body(call))
            condition = exchange.header("if-match") if match.route.method == "PATCH" else None
            async with self._unchanged(call, condition):
                response = await self._upstreams.call(match.route, request, call.caller, call.key_id)
            await exchange.respond(self._answers.response(call, calls.answer(match.route, response)))

    async def admit(self, exchange: Exchange, match: Match) -> Call:
        """Who asks for that route, if they may.

        Raises:
            MediaError: UNAUTHORIZED, RATE_LIMITED, FORBIDDEN, INVALID_REQUEST.
        """
        exchange.route = match.route.template
        query = exchange.query
        _refuse_keys_in_url(query)
        grant = await self._authentication.authenticate(headers.bearer(exchange.header("authorization")))
        exchange.workspace_id = grant.key.workspace_id
        await self._count(exchange, match.route, grant)
        if not grant.key.may(match.route.scope):
            raise MediaError(Code.FORBIDDEN, scope=match.route.scope)
        return Call(exchange, match, _caller(exchange, grant), grant.key.key_id, query)

    async def _count(self, exchange: Exchange, route: Route, grant: Grant) -> None:
        reads = exchange.method in ("GET", "HEAD")
        kind = Kind.READS if reads else Kind.PIECES if route.pieces else Kind.WRITES
        found = await self._limiter.count(grant.key.workspace_id, grant.plan, kind)
        exchange.told = headers.rate_limit(found)
        if not found.allowed:
            rate = found.rate
            raise MediaError(
                Code.RATE_LIMITED,
                kind=str(kind),
                limit=rate.requests,
                window_s=rate.window_s,
                retry_after_s=found.wait_s,
            )

    async def _stream(self, call: Call) -> None:
        request = calls.read_request(call.match, call.query, None)
        channel = self._upstreams.channel(call.match.route.service)
        send = events.send if call.match.route.events else download.send
        await send(call.exchange, channel, call.match.route, call.caller, call.key_id, request)

    @contextlib.asynccontextmanager
    async def _unchanged(self, call: Call, condition: str | None) -> AsyncIterator[None]:
        """Inside, the resource is as `condition` (If-Match) says; one conditional change of it at a time.

        Raises:
            MediaError: PRECONDITION_FAILED, it is not, or is being changed; whatever reading it raises.
        """
        reader = self._table.find("GET", call.match.route.template)
        if condition is None or reader is None:
            yield
            return
        digest = hashlib.sha256(call.exchange.raw_path).hexdigest()
        async with contextlib.AsyncExitStack() as held:
            try:
                scope = Scope(call.caller.workspace_id, call.match.route.rpc_path, digest)
                await held.enter_async_context(self._idempotency.claim(scope, None))
            except MediaError as exc:
                if exc.code is not Code.IDEMPOTENCY_IN_PROGRESS:
                    raise
                raise MediaError(Code.PRECONDITION_FAILED) from exc
            request = calls.read_request(replace(call.match, route=reader), (), None)
            shown = calls.answer(reader, await self._upstreams.call(reader, request, call.caller, call.key_id))
            if not headers.if_match(condition, etag(dumps(shown.body))):
                raise MediaError(Code.PRECONDITION_FAILED)
            yield

    async def _once(self, call: Call, key: str) -> Response:
        """A POST with an Idempotency-Key: run it, or show the first answer again."""
        mode = Mode.LIVE if call.caller.live else Mode.TEST  # What was tried in the sandbox is not yet done for real.
        scope = Scope(call.caller.workspace_id, f"{mode}:{call.match.route.template}", key)
        if call.match.route.multipart:
            _require_form(call)
            async with self._idempotency.claim(scope, None) as claim:
                if claim.prior is not None:
                    return replayed(claim.replay((await self._upload(call, repeated=True)).fingerprint))
                return await self._first_upload(call, claim)
        request = calls.read_request(call.match, call.query, await _json_body(call))
        fingerprint = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
        async with self._idempotency.claim(scope, fingerprint) as claim:
            if claim.prior is not None:
                return replayed(claim.replay(fingerprint))
            try:
                response = await self._upstreams.call(call.match.route, request, call.caller, call.key_id)
            except MediaError as error:
                await self._keep_refusal(call, claim, fingerprint, error)
                raise
            answer = calls.answer(call.match.route, response)
            await claim.settle(fingerprint, stored(self._answers.response(call, without_secrets(call.match, answer))))
            return self._answers.response(call, answer)

    async def _first_upload(self, call: Call, claim: Claim) -> Response:
        # Refused in mid-stream, its content is unknown and nothing is left of it: it may simply be tried again.
        uploaded = await self._upload(call)
        if uploaded.refusal is not None:
            await self._keep_refusal(call, claim, uploaded.fingerprint, uploaded.refusal)
        response = self._uploaded(call, uploaded)
        await claim.settle(uploaded.fingerprint, stored(response))
        return response

    def _uploaded(self, call: Call, uploaded: upload.Uploaded) -> Response:
        if uploaded.media is None:
            raise uploaded.refusal or MediaError(Code.INTERNAL)
        return self._answers.response(call, calls.answer(call.match.route, uploaded.media))

    async def _keep_refusal(self, call: Call, claim: Claim, fingerprint: bytes, error: MediaError) -> None:
        if error.row.retryable:
            return
        refusal = problem(error, instance=call.exchange.path, request_id=call.exchange.request_id)
        await claim.settle(fingerprint, stored(refusal))

    async def _upload(self, call: Call, *, repeated: bool = False) -> upload.Uploaded:
        boundary = _require_form(call)
        body = call.exchange.chunks(upload.MAX_REQUEST_BYTES, upload.too_large())
        if repeated:
            return await upload.fingerprint(boundary, body)
        route = call.match.route
        return await upload.forward(
            self._upstreams.channel(route.service), route, call.caller, call.key_id, boundary, body
        )


def _by_content_type(call: Call) -> Call:
    """A route with two bodies serves JSON by another RPC than forms. Raises: MediaError CONTENT_TYPE_INVALID."""
    twin = call.match.route.json_twin
    if twin is None or headers.media_type(call.exchange.header("content-type")).name != "application/json":
        return call
    return replace(call, match=replace(call.match, route=twin))


def _caller(exchange: Exchange, grant: Grant) -> CallContext:
    posts = exchange.method == "POST"
    return CallContext(
        workspace_id=grant.key.workspace_id,
        request_id=exchange.request_id,
        plan=grant.plan,
        live=grant.key.mode is Mode.LIVE,
        wait_s=headers.wait_s(exchange.header("prefer")),
        idempotency_key=headers.idempotency_key(exchange.header("idempotency-key")) if posts else None,
    )


def _refuse_keys_in_url(query: Sequence[tuple[str, str]]) -> None:
    """A key in a URL ends up in logs and histories: refuse it, so that nobody gets used to it."""
    if any(value.startswith("lmp_") for _, value in query):
        raise MediaError(Code.UNAUTHORIZED)


async def _json_body(call: Call) -> JSON:
    if not call.match.route.has_body:
        return None
    headers.refuse_encoded(call.exchange.header("content-encoding"))
    headers.require_json(call.exchange.header("content-type"))
    too_large = MediaError(Code.REQUEST_TOO_LARGE, limit=strict_json.MAX_BYTES)
    return strict_json.parse(await call.exchange.body(strict_json.MAX_BYTES, too_large))


def _require_form(call: Call) -> bytes:
    headers.refuse_encoded(call.exchange.header("content-encoding"))
    return headers.require_form_boundary(call.exchange.header("content-type"))

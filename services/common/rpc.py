"""gRPC between stages: the caller's context and the one error table cross it unchanged."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from google.rpc import status_pb2
from mediaapi.v1 import error_pb2
from opentelemetry.trace import SpanKind
from prometheus_client import Histogram

from services.common import context, telemetry
from services.common.errors import Code, MediaError, Violation

log = logging.getLogger(__name__)

TRAILER = "mediaapi-error-bin"
# What others than our own stages read errors by; asked for with the metadata x-error-details: status.
STATUS_TRAILER = "grpc-status-details-bin"
TIMEOUT_S = 30.0  # of a unary call nobody gave a deadline
OPTIONS = (
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_send_message_length", 4 << 20),
    # An error names everything that is wrong with a request, in the metadata at the end: of a post some hundred rows.
    ("grpc.max_metadata_size", 256 << 10),
    ("grpc.absolute_max_metadata_size", 512 << 10),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
    # Streams of bytes keep little on their way: what is refused in the middle was not taken by megabytes before. On the
    # short way between stages a large window makes nothing faster.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 256 << 10),
    # A stage that is back is used at once; gRPC itself would wait up to two minutes after a long absence.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
# A connection stays with the replica it was made to, so that one added later would never be called by those who were
# there before. So each ends at this age, a tenth more or less by gRPC's own dice, and whoever calls connects again, and
# asks again which addresses its target has. Less would gain little, since gRPC asks for a name every 30 s at most;
# connecting again costs a round trip, for which calls wait, or go to another replica.
CONNECTION_AGE_S = 60.0
# Calls that have begun are finished on the old connection. This ends only those that nobody ever would, and is longer
# than any deadline callers have: the longest is of an upload in one request by the slowest client that is let in.
CONNECTION_GRACE_S = 7_200.0
# A name or a list stands for all replicas of a stage, and calls go to each in turn. For one address it would only be
# worse: after an absence of the stage, calls fail until the next try to connect, where otherwise they wait for it.
REPLICAS = ("dns:///", "ipv4:")
# For calls and requests that were cut off when a server ended: what they have is stored, what they began undone.
LAST_WORDS_S = 5.0
CALLS = "calls"  # the health service by which a replica says whether it should be called, apart from whether it lives
BALANCED = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": CALLS}}
OURS = "/mediaapi."
PROBES = "/mediaapi.v1.HealthService/"  # asked every few seconds: nothing to count or trace

SERVED = Histogram("rpc_served_seconds", "RPCs answered.", ("method", "code"))


def pack(error: MediaError) -> bytes:
    """As it crosses an RPC."""
    return _detail(error).SerializeToString()


def pack_status(error: MediaError) -> bytes:
    """As a google.rpc.Status, with what `pack` says as its detail."""
    detail = any_pb2.Any()
    detail.Pack(_detail(error))
    code, _ = grpc.StatusCode[error.row.grpc].value
    told: bytes = status_pb2.Status(code=code, message=error.message, details=[detail]).SerializeToString()
    return told


def _detail(error: MediaError) -> error_pb2.ErrorDetail:
    details = struct_pb2.Struct()
    details.update({name: _plain(value) for name, value in error.details.items()})
    rows = [error_pb2.FieldViolation(field=row.field, message=row.message) for row in error.violations]
    return error_pb2.ErrorDetail(code=error.code, message=error.message, details=details, violations=rows)


def unpack(data: bytes) -> MediaError:
    """The error another stage raised. A code this version does not know is INTERNAL."""
    detail = error_pb2.ErrorDetail.FromString(data)
    try:
        code = Code(detail.code)
    except ValueError:
        return MediaError(Code.INTERNAL, why=f"unknown code {detail.code}: {detail.message}")
    rows = [Violation(row.field, row.message) for row in detail.violations]
    return MediaError(code, violations=rows, **MessageToDict(detail.details))


def from_rpc(exc: grpc.RpcError) -> MediaError:
    """What a failed call means here."""
    if isinstance(exc, grpc.aio.AioRpcError):
        for name, value in exc.trailing_metadata() or ():
            if name == TRAILER and isinstance(value, bytes):
                return unpack(value)
        why = f"{exc.code().name}: {exc.details()}"
        if exc.code() is grpc.StatusCode.UNAVAILABLE:
            return MediaError(Code.UNAVAILABLE, why=why)
        if exc.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return MediaError(Code.DEADLINE_EXCEEDED, why=why)
        return MediaError(Code.INTERNAL, why=why)
    return MediaError(Code.INTERNAL, why=str(exc))


def server(*, age_s: float = CONNECTION_AGE_S, interceptor: "ServerInterceptor | None" = None) -> grpc.aio.Server:
    """What a stage serves its RPCs by. age_s: after which connections to it end, about."""
    ages = (
        ("grpc.max_connection_age_ms", int(age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", int(CONNECTION_GRACE_S * 1000)),
    )
    return grpc.aio.server(interceptors=[interceptor or ServerInterceptor()], options=(*OPTIONS, *ages))


class ServerInterceptor(grpc.aio.ServerInterceptor):
    """Gives servicers their caller, and turns what they raise into the table's errors."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[Any]] = set()

    async def settle(self) -> None:
        """Waits for calls that were cut off, once the server has stopped: it does not wait for them itself."""
        if self._open:
            await asyncio.wait(self._open, timeout=LAST_WORDS_S)

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """See gRPC. Health and reflection pass untouched."""
        handler = await continuation(details)
        if handler is None or not details.method.startswith(OURS) or details.method.startswith(PROBES):
            return handler
        serve = _Served(details, handler, self._open)
        make = (
            (grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler),
            (grpc.stream_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler),
        )[handler.request_streaming][handler.response_streaming]
        behaviour = serve.stream if handler.response_streaming else serve.unary
        return make(
            behaviour,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class _Served:
    """One RPC. Each has a task of its own, so that the context need not be taken back."""

    def __init__(self, details: grpc.HandlerCallDetails, handler: Any, running: "set[asyncio.Task[Any]]") -> None:
        self._running = running
        self._method = details.method
        self._metadata = tuple(details.invocation_metadata)
        self._behaviour = (
            (handler.unary_unary, handler.unary_stream),
            (handler.stream_unary, handler.stream_stream),
        )[handler.request_streaming][handler.response_streaming]

    async def unary(self, request: Any, rpc: Any) -> Any:
        began, code = time.perf_counter(), "ok"
        try:
            with telemetry.span(self._method, self._enter(), SpanKind.SERVER):
                return await self._behaviour(request, rpc)
        except Exception as exc:  # noqa: BLE001  sorted by _known, and answered
            error = _known(exc)
            code = error.code
            await self._abort(rpc, error)
        finally:
            SERVED.labels(self._method, code).observe(time.perf_counter() - began)

    async def stream(self, request: Any, rpc: Any) -> AsyncIterator[Any]:
        began, code = time.perf_counter(), "ok"
        # Not as a block: when the caller goes away, it is another task that closes this generator.
        span = telemetry.begin(self._method, self._enter(), SpanKind.SERVER)
        try:
            async for message in self._behaviour(request, rpc):
                yield message
        except Exception as exc:  # noqa: BLE001  sorted by _known, and answered
            telemetry.failed(span, exc)
            error = _known(exc)
            code = error.code
            await self._abort(rpc, error)
        finally:
            span.end()
            SERVED.labels(self._method, code).observe(time.perf_counter() - began)

    def _enter(self) -> str:
        if task := asyncio.current_task():
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        context.enter(context.from_metadata(self._metadata))
        return str(dict(self._metadata).get("traceparent", ""))

    async def _abort(self, rpc: Any, error: MediaError) -> NoReturn:
        asked = ("x-error-details", "status") in self._metadata
        trailer = (STATUS_TRAILER, pack_status(error)) if asked else (TRAILER, pack(error))
        await rpc.abort(grpc.StatusCode[error.row.grpc], error.message, trailing_metadata=(trailer,))
        raise AssertionError("abort raises")


def _known(exc: Exception) -> MediaError:
    if isinstance(exc, MediaError):
        if exc.row.http >= 500:
            log.warning("rpc failed", extra={"code": exc.code, "why": exc.why})
        return exc
    log.error("rpc failed", exc_info=exc)
    return MediaError(Code.INTERNAL)


@asynccontextmanager
async def channel(target: str) -> AsyncIterator[grpc.aio.Channel]:
    """Calls to another stage: they carry `context.current()` and fail with the MediaError the servicer raised.

    target: host:port, or dns:///name:port for all addresses behind a name, or ipv4:address:port,… for several.
    """
    balanced = (("grpc.service_config", json.dumps(BALANCED)),) if target.startswith(REPLICAS) else ()
    async with grpc.aio.insecure_channel(target, options=(*OPTIONS, *balanced)) as inner:
        yield Channel(inner)


class Channel(grpc.aio.Channel):
    """A channel whose calls know our context and our errors."""

    def __init__(self, inner: grpc.aio.Channel) -> None:
        self._inner = inner

    async def __aenter__(self) -> "Channel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """See gRPC."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """See gRPC."""
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """See gRPC."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """See gRPC."""
        await self._inner.channel_ready()

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """See gRPC."""
        return _calling(self._inner.unary_unary(method, *args, **kwargs), _Unary, TIMEOUT_S)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """See gRPC."""
        return _calling(self._inner.stream_unary(method, *args, **kwargs), _Sending, None)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """See gRPC."""
        return _calling(self._inner.unary_stream(method, *args, **kwargs), _Stream, None)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """See gRPC."""
        return _calling(self._inner.stream_stream(method, *args, **kwargs), _Stream, None)


def _calling(callable_: Any, wrap: Any, default_s: float | None) -> Any:
    def call(
        request: Any = None, *, timeout: float | None = None, metadata: Sequence[tuple[str, str | bytes]] = ()
    ) -> Any:
        rows = [*context.to_metadata(context.current()), *(metadata or ())]
        if trace := telemetry.traceparent():
            rows.append(("traceparent", trace))
        return wrap(callable_(request, timeout=timeout or default_s, metadata=tuple(rows)))

    return call


class _Unary:
    def __init__(self, call: Any) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result().__await__()

    def cancel(self) -> bool:
        return bool(self._call.cancel())

    async def _result(self) -> Any:
        try:
            return await self._call
        except grpc.RpcError as exc:
            raise self._told(exc) from exc
        except asyncio.CancelledError:
            self._call.cancel()
            raise

    def _told(self, exc: grpc.RpcError) -> MediaError:
        return from_rpc(exc)


class _Sending(_Unary):
    """A call whose request is a stream. A server may answer before it has all of it; gRPC then fails the write that is
    under way, and puts an error of its own over the status that came. So what came is kept."""

    def __init__(self, call: Any) -> None:
        super().__init__(call)
        self._came: MediaError | None = None
        call.add_done_callback(self._done)

    async def write(self, message: Any) -> None:
        """Once there is room. What ended the call early is told by awaiting it."""
        await self._call.write(message)

    async def done_writing(self) -> None:
        await self._call.done_writing()

    def _done(self, call: Any) -> None:
        for name, value in _at_once(call.trailing_metadata()) or ():
            if name == TRAILER and isinstance(value, bytes):
                self._came = unpack(value)

    def _told(self, exc: grpc.RpcError) -> MediaError:
        return self._came or from_rpc(exc)


class _Stream:
    def __init__(self, call: Any) -> None:
        self._call = call

    def cancel(self) -> bool:
        return bool(self._call.cancel())

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for message in self._call:
                yield message
        except grpc.RpcError as exc:
            raise from_rpc(exc) from exc


def _at_once(asked: Coroutine[Any, Any, Any]) -> Any:
    """What is known already; None where it would have to be waited for."""
    try:
        asked.send(None)
    except StopIteration as known:
        return known.value
    asked.close()
    return None


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else str(value)

"""Start, ready, drain, stop: the same for every stage."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Protocol, TypeVar

from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as grpc_health
from grpc_reflection.v1alpha import reflection
from mediaapi.v1 import health_service_pb2 as pb
from mediaapi.v1 import health_service_pb2_grpc
from prometheus_client import Gauge

from services.common import metrics_http, rpc, telemetry, waiting
from services.common.errors import MediaError
from services.common.events import Bus, Handler

log = logging.getLogger(__name__)

T = TypeVar("T")
Check = Callable[[], Awaitable[str | None]]

CHECK_TIMEOUT_S = 2.0
AGAIN_AFTER_S = 1.0
VITAL_EVERY_S = 2.0
ASK_AGAIN_AFTER_S = 10.0  # more than what was asked once takes to put things in order
READY_EVERY_S = 15.0
SECOND_SIGNAL = 130

READY = Gauge("dependency_ready", "1: what this process needs answers as it should.", ("dependency",))


class Worker(Protocol):
    """Takes work on as long as it runs; `stop` lets what was begun finish within those seconds, and gives back the
    rest."""

    async def run(self) -> None: ...
    async def stop(self, within_s: float) -> None: ...


class Runtime:
    """One process of a stage.

    Stopping, in this order: health says NOT_SERVING, fronts close as late as they wish, no more work is taken on, RPCs
    and work finish within `drain_s` seconds, what is left is given back, everything entered is closed in reverse.
    """

    def __init__(self, name: str, *, listen: str, metrics_listen: str, drain_s: float, otel_endpoint: str = "") -> None:
        self.name = name
        self._drain_s = drain_s
        self._leave_s = 0.0
        self._metrics_listen = metrics_listen
        self._closing = AsyncExitStack()
        self._fronts: list[AbstractAsyncContextManager[object]] = []
        self._checks: dict[str, Check] = {}
        self._vital: dict[str, Check] = {}
        self._alive = True
        self._workers: list[Worker] = []
        self._starting: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []
        self._stop = asyncio.Event()
        self._health = grpc_health.HealthServicer()
        self._traces = telemetry.setup(name, otel_endpoint)
        self._calls = rpc.ServerInterceptor()
        self.server = rpc.server(interceptor=self._calls)
        self.port = self.server.add_insecure_port(listen)

    async def __aenter__(self) -> "Runtime":
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()
        if self._traces is not None:
            self._traces.shutdown()

    async def enter(self, resource: AbstractAsyncContextManager[T]) -> T:
        """Opens something that is closed at the end."""
        return await self._closing.enter_async_context(resource)

    def front(self, server: AbstractAsyncContextManager[object], *, leave_s: float = 0.0) -> None:
        """A server that calls this process's own RPCs: opened after they are served, closed before they end, and no
        sooner than `leave_s` seconds after health says so."""
        self._fronts.append(server)
        self._leave_s = max(self._leave_s, leave_s)

    def check(self, name: str, ask: Callable[[], Awaitable[Any]], *, vital: bool = False) -> None:
        """A dependency: ready while `ask` returns, with what an operator should know, and does not raise.

        vital: nothing works without it. Callers with a choice then call another replica, which may be better off; if
        none is, a probe that ends processes must not know.
        """
        self._checks[name] = ask
        if vital:
            self._vital[name] = ask

    def consume(
        self, bus: Bus, durable: str, subjects: Sequence[str], handler: Handler, *, concurrency: int = 8
    ) -> None:
        """Hands those events to the handler."""
        self.check("nats", bus.ping)
        self.work(bus.consumer(durable, subjects, handler, concurrency=concurrency), name=durable)
        self.background(lambda: waiting.watch(bus, durable), name=f"watch {durable}")

    def work(self, worker: Worker, *, name: str) -> None:
        """Work that is finished, or given back, before the process ends."""
        self._workers.append(worker)
        self._starting.append((name, worker.run))

    def background(self, work: Callable[[], Coroutine[Any, Any, None]], *, name: str) -> None:
        """Work that goes on as long as the process; begun anew when it fails."""
        self._starting.append((name, work))

    def every(self, seconds: float, work: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Work to be done again and again, `seconds` after the time before."""

        async def loop() -> None:
            while True:
                await work()
                await asyncio.sleep(seconds)

        self._starting.append((name, loop))

    @property
    def takes_calls(self) -> bool:
        """Else those who choose among several should choose another: it was told to stop, or lacks what is vital."""
        return self._alive and not self._stop.is_set()

    def stop(self) -> None:
        """Begins to stop; when told again, ends at once."""
        if self._stop.is_set():
            os._exit(SECOND_SIGNAL)
        self._stop.set()

    async def serve(self) -> None:
        """Serves until told to stop."""
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        health_service_pb2_grpc.add_HealthServiceServicer_to_server(Readiness(self._checks), self.server)
        reflection.enable_server_reflection((reflection.SERVICE_NAME, "grpc.health.v1.Health"), self.server)
        await self.enter(metrics_http.serving(self._metrics_listen, lambda: readiness(self._checks)))
        await self.server.start()
        # As often as somebody looks at the metrics, whether or not anybody asks for readiness.
        self.every(READY_EVERY_S, lambda: readiness(self._checks), name="readiness")
        self.every(VITAL_EVERY_S, self._look_at_vital, name="vital checks")
        running = [asyncio.create_task(_forever(name, work), name=name) for name, work in self._starting]
        async with AsyncExitStack() as fronts:
            for server in self._fronts:
                await fronts.enter_async_context(server)
            await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
            log.info("serving", extra={"port": self.port})
            await self._stop.wait()
            log.info("stopping")
            await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
            await self._health.set(rpc.CALLS, health_pb2.HealthCheckResponse.NOT_SERVING)
            await asyncio.sleep(self._leave_s)
        await asyncio.gather(self.server.stop(self._drain_s), *(worker.stop(self._drain_s) for worker in self._workers))
        await self._calls.settle()
        await _end(running)
        log.info("stopped")

    async def _look_at_vital(self) -> None:
        self._alive = (await readiness(self._vital)).ready
        status = health_pb2.HealthCheckResponse
        await self._health.set(rpc.CALLS, status.SERVING if self.takes_calls else status.NOT_SERVING)


class Readiness(health_service_pb2_grpc.HealthServiceServicer):
    """HealthService over the checks."""

    def __init__(self, checks: dict[str, Check]) -> None:
        self._checks = checks

    async def GetReadiness(  # noqa: N802  named by the proto
        self, request: pb.GetReadinessRequest, context: Any
    ) -> pb.GetReadinessResponse:
        """See HealthService.GetReadiness."""
        return await readiness(self._checks)


async def readiness(checks: dict[str, Check]) -> pb.GetReadinessResponse:
    """Asks every dependency at once."""
    rows = await asyncio.gather(*(_asked(name, ask) for name, ask in checks.items()))
    for row in rows:
        READY.labels(row.name).set(row.ok)
    return pb.GetReadinessResponse(ready=all(row.ok for row in rows), checks=rows)


async def _asked(name: str, ask: Check) -> pb.DependencyCheck:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            detail = await ask()
    except MediaError as exc:
        return pb.DependencyCheck(name=name, ok=False, detail=exc.why or exc.message)
    except TimeoutError:
        return pb.DependencyCheck(name=name, ok=False, detail="no answer in time")
    return pb.DependencyCheck(name=name, ok=True, detail=detail or "")


async def _end(running: Collection["asyncio.Task[None]"]) -> None:
    """Asks more than once: `asyncio.wait_for`, which libraries use, loses a cancellation that comes together with what
    it waits for (Python 3.11), and what was to end goes on for ever."""
    left = set(running)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASK_AGAIN_AFTER_S)


async def _forever(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """One failure must not end a relay or a sweeper for the rest of the process's life."""
    while True:
        try:
            await work()
        except Exception as exc:
            shown = None if isinstance(exc, MediaError) else exc  # a store that is away needs no stack trace
            log.warning("background work failed", exc_info=shown, extra={"task": name, "why": str(exc)})
            await asyncio.sleep(AGAIN_AFTER_S)
        else:
            return

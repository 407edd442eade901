"""The HTTP server: uvicorn without its own ideas about signals, logs and headers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from services.common.rpc import LAST_WORDS_S
from services.gateway.web.protocol import BoundedProtocol

# Longer than Envoy keeps an idle upstream connection, so that it is always Envoy that closes: no request meets a close.
KEEP_ALIVE_S = 120


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the runtime."""
        yield


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, listen: str, *, drain_s: float, stop: Callable[[], None] = lambda: None
) -> AsyncIterator[str]:
    """Serve `app` while inside; yields the bound "host:port".

    Leaving calls `stop`, by which long answers learn of it, and waits for open requests, at most `drain_s`. What is
    left then is cancelled, and what `app` answers to that still goes out.
    """
    host, _, port = listen.rpartition(":")
    server = _Server(
        uvicorn.Config(
            app,
            host=host.strip("[]"),
            port=int(port),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, int(drain_s)),
        )
    )
    task = asyncio.create_task(server.serve(), name="http")
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError(f"cannot listen on {listen}")
        await asyncio.sleep(0.01)
    bound = server.servers[0].sockets[0].getsockname()
    try:
        yield f"{bound[0]}:{bound[1]}"
    finally:
        stop()
        server.should_exit = True
        await task
        if cut := set(server.server_state.tasks):
            await asyncio.wait(cut, timeout=LAST_WORDS_S)

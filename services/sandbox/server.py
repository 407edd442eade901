"""The HTTP server: uvicorn, stopped by SIGTERM or SIGINT with exit code 0."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

log = logging.getLogger("sandbox.server")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but the signal is not raised again once everything is closed: a stop is no failure."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


async def serve(app: ASGIApp, listen: str, *, drain_s: float) -> None:
    """Serves until told to stop, then waits for open requests, at most `drain_s`. A second SIGINT does not wait."""
    host, _, port = listen.rpartition(":")
    server = _Server(
        uvicorn.Config(
            app,
            host=host.strip("[]"),
            port=int(port),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # connections that break off are what faults on order do
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, int(drain_s)),
        )
    )
    log.info("starting", extra={"listen": listen})
    await server.serve()
    log.info("stopped")

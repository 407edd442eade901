"""A real Chromium without a window, driven by Playwright, and a listener that tells what reached it."""

import shutil
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.async_api import Browser, async_playwright

from deploy.local.bootstrap import CHROMIUM
from deploy.local.ports import HOST


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Chromium as this machine has it. Its own sandbox is off: root and many containers cannot have it."""
    program = next(found for found in map(shutil.which, CHROMIUM) if found is not None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            await browser.close()


class Site:
    """Serves `pages`, (content type, body) by path, and remembers every path that was asked for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []


@contextmanager
def site(headers: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Listens on a free port while inside; `headers` go with every page. What is not there is a 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            content_type, body = served.pages.get(self.path, ("text/plain", b""))
            self.send_response(200 if self.path in served.pages else 404)
            for name, value in {"content-type": content_type, **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True  # A browser keeps connections open that it does not use.
    served = Site(server.server_port)
    serving = threading.Thread(target=server.serve_forever, name="site")
    serving.start()
    try:
        yield served
    finally:
        server.shutdown()
        serving.join()
        server.server_close()

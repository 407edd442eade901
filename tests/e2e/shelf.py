"""A web server on this machine with files for imports."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deploy.local.ports import HOST


@dataclass
class Shelf:
    """`files` by path, and the paths that were asked for. Any other path is 404."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(self, path: str, data: bytes) -> str:
        """Its URL."""
        self.files[path] = data
        return self.url + path


@contextmanager
def serving_files() -> Iterator[Shelf]:
    """Serves on a free port while inside."""
    found = Shelf()

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            data = found.files.get(self.path)
            self.send_response(200 if data else 404)
            self.send_header("content-length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((HOST, 0), Server)
    found.url = f"http://{HOST}:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, name="shelf")
    serving.start()
    try:
        yield found
    finally:
        server.shutdown()
        serving.join()
        server.server_close()

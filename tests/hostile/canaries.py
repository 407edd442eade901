"""A host and a file that nobody may touch, and who knows when somebody did."""

import ctypes
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from deploy.local.ports import HOST
from tests.hostile.samples import sample

_IN_OPEN = 0x20  # inotify(7)


class Canaries:
    """`touched` tells what was: requests to `url`, and opens of `path`, which is a film as good as any."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "canary.mp4"
        self._file.write_bytes(sample("video/mp4"))

    @property
    def path(self) -> str:
        """Of the file."""
        return str(self._file)

    @property
    def url(self) -> str:
        """Of the host, without a slash at its end."""
        return f"http://{HOST}:{self._server.server_port}"

    def touched(self) -> list[str]:
        """Paths asked for, and "opened" for each time the file was; each is told once."""
        try:
            events = os.read(self._watch, 1 << 16)
        except BlockingIOError:
            events = b""
        opens = ["opened"] * (len(events) // 16)  # an event without a name has 16 bytes
        found = [*self._asked, *opens]
        self._asked.clear()
        return found

    def __enter__(self) -> "Canaries":
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._watch < 0 or libc.inotify_add_watch(self._watch, os.fsencode(self._file), _IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self._asked: list[str] = []
        handler = type("Handler", (_Handler,), {"asked": self._asked})
        self._server = ThreadingHTTPServer((HOST, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        os.close(self._watch)


class _Handler(BaseHTTPRequestHandler):
    """Notes every path; says nothing."""

    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass

"""What the person at the terminal sees."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.stages import STAGES
from deploy.local.state import State, write_private

if TYPE_CHECKING:
    from deploy.local.stack import Stack

FOLLOW_EVERY_S = 0.2
ACCOUNTS_A_LINE = 3
DAEMONS = ("postgres", "nats", "s3", "clamd", "envoy")
TEST_SIGNATURES = """\
  !! NO VIRUS SIGNATURES: clamd has the bundled test signatures and finds test files only. Fine for trying things,
  !! worthless as protection. `sudo freshclam` fetches the real ones; then start again."""


class StatusLine:
    """One line that changes while things start; warnings stay. Plain lines where the output is no terminal."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._started = time.monotonic()
        self._shown = False

    def tell(self, text: str) -> None:
        """Show a step, a warning, or (any time) that something died."""
        passing = "\n" not in text and not text.startswith("WARNING")
        if self._live and passing and not self._finished():
            width = shutil.get_terminal_size().columns - 1
            line = f"{time.monotonic() - self._started:4.1f} s  {text} …"[:width]
            print(f"\r\x1b[K{line}", end="", flush=True)
            self._shown = True
        else:
            self._clear()
            print(text, flush=True)

    def done(self) -> None:
        """The start is over, one way or the other."""
        self._clear()
        self._live = False

    def _finished(self) -> bool:
        return not self._live

    def _clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", flush=True)
            self._shown = False


class LogView:
    """The logs of all processes as one, each line with the name of who wrote it."""

    def __init__(self, state: State, *, everything: bool) -> None:
        names = (*STAGES, "sandbox", *(DAEMONS if everything else ()))
        self._width = max(len(name) for name in names)
        self._state = state
        # Whatever earlier runs wrote is not shown again.
        self._offsets = {name: _size(state.log(name)) for name in names}

    def follow(self) -> None:
        """Print what comes, until interrupted."""
        while True:
            for name in self._offsets:
                self._print_new(name)
            time.sleep(FOLLOW_EVERY_S)

    def _print_new(self, name: str) -> None:
        path = self._state.log(name)
        size = _size(path)
        # Smaller than before: a fresh file took its place.
        offset = self._offsets[name] if self._offsets[name] <= size else 0
        if size == offset:
            self._offsets[name] = offset
            return
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size - offset)
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].decode(errors="replace").splitlines():
            print(f"{name:<{self._width}} | {line}")
        sys.stdout.flush()
        self._offsets[name] = offset + whole


def environment_file(stack: "Stack") -> Path:
    """Write .local/env, to be sourced by a shell: LMP_BASE_URL, LMP_API_KEY, LMP_KEY."""
    values = {"LMP_BASE_URL": stack.url, "LMP_API_KEY": stack.api_key, "LMP_KEY": stack.api_key}
    text = "".join(f"export {name}='{value}'\n" for name, value in values.items())
    return write_private(stack.state.root / "env", text)


def banner(stack: "Stack", *, seconds: float) -> str:
    """Where it is and how to use it; also kept in a file for `up`."""
    shown = [f"{account.id} ({account.platform})" for account in stack.tenant.accounts]
    rows = ["  ".join(shown[at : at + ACCOUNTS_A_LINE]) for at in range(0, len(shown), ACCOUNTS_A_LINE)]
    env = _near(stack.state.root / "env")
    lines = [
        "",
        f"  letmepost Media API   {stack.url}   ready in {seconds:.1f} s",
        f"  API key               {stack.api_key}",
        *(f"  {'accounts' if row is rows[0] else '':<22}{row}" for row in rows),
        f"  what they published   {stack.wiring.sandbox_url}/",
        f"  reference             {stack.url}/docs   {stack.url}/openapi.json",
        f"  logs                  {_near(stack.state.logs)}/",
        "",
        f"  in another terminal:  . {env}",
        '  then:                 curl -X POST $LMP_BASE_URL/v1/media -H "Authorization: Bearer $LMP_KEY" \\',
        '                             -F "file=@./photo.jpg" -F "kind=image"',
        "",
    ]
    if not stack.clamd.official:
        lines += [TEST_SIGNATURES, ""]
    text = "\n".join(lines)
    write_private(banner_file(stack.state), text)
    return text


def banner_file(state: State) -> Path:
    """Where the last start's banner is."""
    return state.root / "banner"


def _near(path: Path) -> str:
    """The path as one would type it from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

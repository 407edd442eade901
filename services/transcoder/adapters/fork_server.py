"""Our side of the process that decoders are forked from (services/transcoder/fork_server.py)."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeVar

from services.common.errors import Code, MediaError
from services.transcoder.fork_server import MESSAGE_BYTES

log = logging.getLogger(__name__)

T = TypeVar("T")

START_S = 20.0
ANSWER_BYTES = 4 << 20
# Copies of one process all have its memory's layout. Whoever could learn it from one has that long to use it.
CHILDREN_MOST = 100
# Nothing else is inherited.
ENVIRONMENT = {
    # One thread for the numbers library and few memory arenas: the address space is bounded.
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    # Pixels are taken and given back many times in a job. Mapped each time, their pages would all be cleared again,
    # which is a fifth of a photograph's time; kept, they are a tenth more memory, and of a film's a little less.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Process:
    """A forked child. out, err: what it prints."""

    def __init__(self, server: "ForkServer", pid: int, files: "_Files") -> None:
        self._server = server
        self._files = files
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.pid = pid
        self.out = files.out
        self.err = files.err

    @property
    def alive(self) -> bool:
        return not self._ended.done()

    def say(self, line: bytes) -> None:
        """To its standard input. Whether anybody reads it, its answer tells."""
        self._files.into.write(line)

    async def wait(self) -> int:
        """What it ended with; below 0: by that signal."""
        return await asyncio.shield(self._ended)

    async def end(self) -> None:
        """Kills it if it still runs, and waits until it does not."""
        if self.alive:
            self._server.kill(self.pid)
            await self._server.in_time(self.wait())

    def close(self) -> None:
        """What it said was read."""
        self._files.close()

    def ended(self, code: int) -> None:
        if self.alive:
            self._ended.set_result(code)


class ForkServer:
    """Forks children, and hears of their ends. It is replaced after so many, or when it died."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked: deque[_Asked] = deque()
        self._living: dict[int, Process] = {}
        self._left = CHILDREN_MOST
        self._open, self._retired = True, False
        self._listening = asyncio.create_task(self._listen(), name=f"fork-server-{process.pid}")
        asyncio.get_running_loop().add_reader(control.fileno(), self._hear)

    @classmethod
    async def start(cls) -> "ForkServer":
        """Raises MediaError UNAVAILABLE, it did not come up."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    "-m",
                    "services.transcoder.fork_server",
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    env=ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                )
            except BaseException as exc:
                ours.close()
                if isinstance(exc, OSError):
                    raise MediaError(Code.UNAVAILABLE, why=f"no decoder could be started: {exc}") from exc
                raise
        server = cls(process, ours)
        try:
            async with asyncio.timeout(START_S):
                await server._ready
        except BaseException as exc:
            await server.end()
            if isinstance(exc, TimeoutError):
                why = f"nothing to fork decoders from after {START_S:.0f} s"
                raise MediaError(Code.UNAVAILABLE, why=why) from exc
            raise
        return server

    @property
    def usable(self) -> bool:
        return self._open and self._ready.done() and self._left > 0

    async def fork(self) -> Process:
        """A child that has read nothing yet.

        Raises:
            MediaError: UNAVAILABLE, there is none.
        """
        self._left -= 1
        try:
            files, theirs = await _Files.open()
            try:
                socket.send_fds(self._control, [b"fork"], theirs)
            except OSError:
                files.close()
                raise
            finally:
                _close(theirs)
        except OSError as exc:
            raise MediaError(Code.UNAVAILABLE, why=f"no decoder could be forked: {exc}") from exc
        asked = _Asked(files, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        try:
            return await self.in_time(asked.answer)
        except asyncio.CancelledError:
            answer = asked.answer
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._drop(answer.result())
            raise

    async def in_time(self, what: Awaitable[T]) -> T:
        """What it has to do for us, which takes it no time. Where it does not, it is ended, which settles that too."""
        waiting = asyncio.ensure_future(what)
        try:
            done, _ = await asyncio.wait([waiting], timeout=START_S)
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if not done:
            log.error("ended, since it does nothing")
            await self.end()
        return await waiting

    def kill(self, pid: int) -> None:
        """One of its children."""
        with contextlib.suppress(OSError):  # it is gone, and they with it
            self._control.send(f"kill {pid}".encode())

    def retire(self) -> None:
        """It forks no more, and ends with the last of its children."""
        self._retired = True
        self._hang_up_if_idle()

    async def end(self) -> None:
        """At once, and its children with it."""
        self._hang_up()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        await self._listening

    async def _listen(self) -> None:
        """What it complains of becomes a line of our log."""
        assert self._process.stderr is not None
        while heard := await self._process.stderr.read(MESSAGE_BYTES):
            log.warning("fork server", extra={"why": heard.decode(errors="replace").rstrip()})

    def _hear(self) -> None:
        """One message."""
        try:
            heard = self._control.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self._hang_up()
            return
        said = json.loads(heard)
        if "ready" in said:
            self._ready.set_result(None)
        elif "ended" in said:
            if (process := self._living.pop(said["ended"], None)) is not None:
                process.ended(said["code"])
        else:
            self._answer(said)
        self._hang_up_if_idle()

    def _answer(self, said: dict[str, object]) -> None:
        asked, pid = self._asked.popleft(), said.get("forked")
        if not isinstance(pid, int):
            asked.refuse(f"no decoder could be forked: {said.get('refused')}")
            return
        self._living[pid] = process = Process(self, pid, asked.files)
        if asked.answer.done():  # nobody waits for it any more
            self._drop(process)
        else:
            asked.answer.set_result(process)

    def _drop(self, process: Process) -> None:
        self.kill(process.pid)
        process.close()

    def _hang_up_if_idle(self) -> None:
        if self._retired and not self._living and not self._asked:
            self._hang_up()

    def _hang_up(self) -> None:
        """It ends when it hears that; the kernel sees to it that its children do."""
        if not self._open:
            return
        self._open = False
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        while self._asked:
            self._asked.popleft().refuse("what decoders are forked from has died")
        for process in self._living.values():
            process.ended(-signal.SIGKILL)
        self._living.clear()
        if not self._ready.done():
            self._ready.set_exception(MediaError(Code.UNAVAILABLE, why="no decoder could be started: it died"))


@dataclass(frozen=True, slots=True)
class _Asked:
    """For a child that is not there yet."""

    files: "_Files"
    answer: asyncio.Future[Process]

    def refuse(self, why: str) -> None:
        self.files.close()
        if not self.answer.done():
            self.answer.set_exception(MediaError(Code.UNAVAILABLE, why=why))


class _Files:
    """A child's standard files, our ends of them."""

    def __init__(self, into: asyncio.WriteTransport, out: "_Heard", err: "_Heard") -> None:
        self.into = into
        self._read = (out, err)
        self.out, self.err = out.reader, err.reader

    @classmethod
    async def open(cls) -> tuple["_Files", list[int]]:
        """And the child's ends, which whoever passes them on closes. Whoever is cancelled here leaves none open."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as undoing:

            def pipe(mode: Literal["rb", "wb"]) -> tuple[BinaryIO, int]:
                reads, writes = os.pipe()
                ours, theirs = (reads, writes) if mode == "rb" else (writes, reads)
                undoing.callback(os.close, theirs)
                return undoing.enter_context(os.fdopen(ours, mode, 0)), theirs

            (into, theirs_in), (out, theirs_out), (err, theirs_err) = pipe("wb"), pipe("rb"), pipe("rb")
            writing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, into)
            undoing.callback(writing.close)
            heard = []
            for file in (out, err):
                heard.append(one := await _Heard.of(file))
                undoing.callback(one.transport.close)
            undoing.pop_all()
        return cls(writing, *heard), [theirs_in, theirs_out, theirs_err]

    def close(self) -> None:
        self.into.close()
        for one in self._read:
            one.transport.close()


@dataclass(frozen=True, slots=True)
class _Heard:
    """A pipe that is read from."""

    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport

    @classmethod
    async def of(cls, file: BinaryIO) -> "_Heard":
        reader = asyncio.StreamReader(limit=ANSWER_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, file)
        return cls(reader, transport)


def _close(files: Iterable[int]) -> None:
    for one in files:
        os.close(one)

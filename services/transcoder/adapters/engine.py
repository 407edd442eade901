"""Decoding and encoding in processes of their own: one stranger's file each, confined, killed when late."""

import asyncio
import json
import logging
import os
import re
import signal
from collections import deque
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType

from prometheus_client import Counter

from services.common.errors import Code, MediaError
from services.transcoder.adapters.fork_server import START_S, ForkServer, Process
from services.transcoder.domain.work import InputFault, Progress, Status, WorkRequest, WorkResult, untold

log = logging.getLogger(__name__)

# Without these a stranger's bytes are not touched. The others depend on the kernel and are reported.
REQUIRED = frozenset({"no_new_privs", "rlimits", "seccomp"})
PROGRESS_EVERY_S = 0.4  # a little more often than an honest child tells
COMPLAINT_BYTES = 4096
# Of any file written: a rendition is never much larger than the largest source taken in.
FILE_BYTES = 1 << 30
_DIGEST = re.compile(r"[0-9a-f]{8}")
# The file made the decoder break one of its limits, or break.
_TOO_MUCH = frozenset({signal.SIGXCPU, signal.SIGXFSZ})
_BROKEN = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS})

ENDED = Counter("transcoder_children_total", "Decoders that did a job, by what they ended with.", ("end",))


class SandboxedEngine:
    """ports.Engine. Children wait for jobs, forked ahead of need.

    Args:
        spares: How many wait.
    """

    def __init__(self, *, spares: int = 2) -> None:
        self._spares = spares
        self._waiting: deque[_Child] = deque()
        self._starting: set[asyncio.Task[None]] = set()
        self._fork_server: ForkServer | None = None
        self._forking = asyncio.Lock()
        self.layers: tuple[str, ...] = ()

    async def __aenter__(self) -> "SandboxedEngine":
        """Starts one child. Raises MediaError UNAVAILABLE where none can be confined."""
        try:
            child = await self._start()
        except BaseException:
            await self._end_fork_server()
            raise
        self.layers = child.layers
        self._waiting.append(child)
        self._refill()
        log.info("decoders are confined", extra={"layers": ",".join(self.layers)})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        while self._waiting:
            await self._waiting.popleft().end()
        await self._end_fork_server()

    async def described(self) -> str:
        """Readiness: the layers of isolation in force."""
        return ", ".join(self.layers)

    async def run(
        self, request: WorkRequest, scratch: Path, *, deadline_s: float, progress: Progress = untold
    ) -> WorkResult:
        """Does one job in a child that has done none before.

        Args:
            request: What to make of which file.
            scratch: An empty folder; the renditions lie there afterwards.
            deadline_s: Wall-clock seconds; of processor time there is as much on every core.
            progress: Told how far it is, about twice a second.

        Raises:
            InputFault: The file's fault; the same file will never do.
            MediaError: UNAVAILABLE, the job was not done and may be tried again; DEADLINE_EXCEEDED, it took too long,
                and may do so again.
        """
        child = await self._take()
        try:
            answer = await child.work(request, scratch, deadline_s, progress)
        except MediaError:
            ENDED.labels("late").inc()
            raise
        finally:
            await child.end()
            self._refill()
        ENDED.labels(_end(answer)).inc()
        result = _read(answer)
        _inspect(result, scratch)
        return result

    async def _take(self) -> "_Child":
        while self._waiting:
            child = self._waiting.popleft()
            if child.alive:
                # The next is started once this job ends, and does not take its processor, unless it was the last.
                if not self._waiting:
                    self._refill()
                return child
            await child.end()
        self._refill()
        return await self._start()

    def _refill(self) -> None:
        for _ in range(self._spares - len(self._waiting) - len(self._starting)):
            task = asyncio.create_task(self._start_spare(), name="decoder-spare")
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start_spare(self) -> None:
        try:
            self._waiting.append(await self._start())
        except MediaError as exc:
            log.warning("no spare decoder", extra={"why": str(exc)})  # the next job starts its own, and fails aloud

    async def _start(self) -> "_Child":
        async with self._forking:
            if self._fork_server is None or not self._fork_server.usable:
                if self._fork_server is not None:
                    self._fork_server.retire()
                self._fork_server = await ForkServer.start()
            process = await self._fork_server.fork()
        return await _Child.of(process)

    async def _end_fork_server(self) -> None:
        if self._fork_server is not None:
            await self._fork_server.end()


class _Child:
    """One process. `complaint` is the end of what it printed."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._complaint = b""
        self._listening = asyncio.create_task(self._listen(), name=f"decoder-{process.pid}")
        self.layers: tuple[str, ...] = ()

    @classmethod
    async def of(cls, process: Process) -> "_Child":
        """Once it has said hello."""
        child = cls(process)
        try:
            hello = await asyncio.wait_for(child._line(), START_S)
        except TimeoutError:
            hello = {}
        except BaseException:
            await child.end()
            raise
        layers = hello.get("layers")
        child.layers = tuple(str(one) for one in layers) if isinstance(layers, list) else ()
        if missing := REQUIRED - set(child.layers):
            await child.end()
            why = f"a decoder without {', '.join(sorted(missing))}: {child.complaint}"
            raise MediaError(Code.UNAVAILABLE, why=why)
        return child

    @property
    def alive(self) -> bool:
        return self._process.alive

    @property
    def complaint(self) -> str:
        return self._complaint.decode(errors="replace").strip()

    async def work(
        self, request: WorkRequest, scratch: Path, deadline_s: float, progress: Progress
    ) -> Mapping[str, object]:
        """Its answer; what a death means is told in the same form."""
        job = {
            "request": request.to_dict(),
            "scratch": str(scratch),
            "cpu_s": round(deadline_s * (os.cpu_count() or 1)),
            "file_bytes": FILE_BYTES,
        }
        self._process.say(json.dumps(job).encode() + b"\n")
        try:
            async with asyncio.timeout(deadline_s):
                answer = await self._answer(request.presets, progress)
        except TimeoutError as exc:
            raise MediaError(Code.DEADLINE_EXCEEDED, why=f"nothing after {deadline_s:.0f} s") from exc
        except (ConnectionError, ValueError) as exc:
            return {"unavailable": f"its pipe broke: {exc}"}
        return answer or await self._death()

    async def end(self) -> None:
        """Kills it if it still runs, and waits for it."""
        await self._process.end()
        await self._listening
        self._process.close()

    async def _answer(self, presets: Collection[str], progress: Progress) -> Mapping[str, object]:
        """Its last line. What comes before is how far it is, heard now and then, however often it is said."""
        loop, next_s = asyncio.get_running_loop(), 0.0
        while (line := await self._line()) and "progress" in line:
            if loop.time() >= next_s:
                next_s = loop.time() + PROGRESS_EVERY_S
                progress(_percent(line["progress"], presets))
        return line

    async def _line(self) -> Mapping[str, object]:
        """Empty when it ended without a word."""
        line = await self._process.out.readline()
        said = json.loads(line) if line.endswith(b"\n") else {}
        return said if isinstance(said, dict) else {}

    async def _death(self) -> Mapping[str, object]:
        died = -(await self._process.wait())
        if died in _TOO_MUCH:
            return {"fault": InputFault(Code.MEDIA_TOO_COMPLEX, f"ended by signal {died}").to_dict()}
        if died in _BROKEN:
            return {"fault": InputFault(Code.MEDIA_CORRUPT, f"ended by signal {died}").to_dict()}
        return {"unavailable": f"it ended with {-died}: {self.complaint}"}

    async def _listen(self) -> None:
        while heard := await self._process.err.read(COMPLAINT_BYTES):
            self._complaint = (self._complaint + heard)[-COMPLAINT_BYTES:]


def _percent(said: object, presets: Collection[str]) -> Mapping[str, int]:
    """What makes sense of it."""
    found = said.items() if isinstance(said, dict) else ()
    return {name: one for name, one in found if name in presets and type(one) is int and 0 <= one < 100}


def _end(answer: Mapping[str, object]) -> str:
    return next((name for name in ("result", "fault", "crash") if name in answer), "unavailable")


def _read(answer: Mapping[str, object]) -> WorkResult:
    """What a child said. A crash of ours inside it is final too: the same bytes would bring it about again."""
    result, fault = answer.get("result"), answer.get("fault")
    try:
        if isinstance(result, dict):
            return WorkResult.from_dict(result)
        if isinstance(fault, dict):
            raise InputFault.from_dict(fault)
    except (KeyError, TypeError, ValueError) as exc:
        raise InputFault(Code.PROCESSING_FAILED, f"an answer nobody can read: {exc}") from exc
    if "crash" in answer:
        log.error("decoder crashed", extra={"why": str(answer["crash"])[-COMPLAINT_BYTES:]})
        raise InputFault(Code.PROCESSING_FAILED, str(answer["crash"])[-200:])
    raise MediaError(Code.UNAVAILABLE, why=f"decoder: {answer.get('unavailable', 'said nothing')}")


def _inspect(result: WorkResult, scratch: Path) -> None:
    """A child that was taken over may lie: files are where it says, plain, and as large."""
    for digest in (*result.segments, *(one.digest for one in result.renditions)):
        if not _DIGEST.fullmatch(digest):  # it becomes a part of keys
            raise InputFault(Code.PROCESSING_FAILED, f"no digest: {digest[:20]!r}")
    for rendition in result.renditions:
        if rendition.status is not Status.READY:
            continue
        path = scratch / (rendition.file or "")
        plain = path.parent == scratch and path.is_file() and not path.is_symlink()
        if not plain or path.stat().st_size != rendition.size_bytes:
            raise InputFault(Code.PROCESSING_FAILED, f"no such rendition: {rendition.file}")

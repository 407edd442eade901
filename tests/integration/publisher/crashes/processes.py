"""A publisher's process that ends, or whose requests are lost, at a chosen step of its work.

A step is a request to the platform, a write to the targets' rows, or a named fault point of the engine, counted from 0
over all processes of one run.
"""

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import httpx

from services.platforms.ports import JSON
from services.publisher.app.assembly import Application, World
from services.publisher.domain.delivery import Again, Counters, Stop
from services.publisher.domain.post import TargetError
from services.publisher.ports import Attempt, Chosen, Claim, Deliveries, Published, SealedBytes, Work

T = TypeVar("T")

CRASHES = ("crash_before", "crash_after")
# What becomes of a request: done or not, and what its sender learns.
LOST = ("refused", "drop_before", "drop_after", "timeout_before", "timeout_after", "error_before", "error_after")
REQUEST = "request"
WRITE = "write"
POINT = "point"


class EndedError(BaseException):
    """The process is gone: nothing of it may handle this."""


@dataclass(frozen=True, slots=True)
class Fault:
    """At the n-th step of a kind (request, write, point), this happens."""

    kind: str
    step: int
    mode: str


@dataclass
class Plan:
    """The faults of one run, and how many steps of each kind were taken so far."""

    faults: Sequence[Fault] = ()
    taken: dict[str, int] = field(default_factory=lambda: dict.fromkeys((REQUEST, WRITE, POINT), 0))
    met: list[Fault] = field(default_factory=list)

    def next(self, kind: str) -> str:
        """What happens at the step that begins now; "" is nothing."""
        step = self.taken[kind]
        self.taken[kind] += 1
        found = next((it for it in self.faults if (it.kind, it.step) == (kind, step)), None)
        if found is None:
            return ""
        self.met.append(found)
        return found.mode


class Process:
    """One process over the tables of a world. Once it has ended, none of its tasks does anything more."""

    def __init__(self, world: World, transport: httpx.AsyncBaseTransport, plan: Plan) -> None:
        self.ended = False
        self._plan = plan
        # No request is lost but those of the plan, however busy the machine.
        self._client = httpx.AsyncClient(transport=_Line(self, transport), timeout=3_600.0, trust_env=False)
        # What a platform's module remembers ends with its process.
        publishers = {name: copy.deepcopy(it) for name, it in world.publishers.items()}
        deliveries = _Rows(self, world.deliveries)
        self.world = replace(
            world, publishers=publishers, http=self._client, deliveries=deliveries, fault_point=self._point
        )
        self.app = Application(self.world)

    async def step(self, kind: str, work: Callable[[], Awaitable[T]]) -> T:
        """Does the work, unless the process ends before it."""
        mode = self.begin(kind)
        if mode == "crash_before":
            self.end()
        done = await work()
        if mode == "crash_after":
            self.end()
        return done

    def begin(self, kind: str) -> str:
        """What happens at this step; a process that ended takes no step."""
        if self.ended:
            raise EndedError(kind)
        return self._plan.next(kind)

    def end(self) -> None:
        """Nothing happens any more."""
        self.ended = True
        raise EndedError

    async def close(self) -> None:
        """Gives back what it holds."""
        await self._client.aclose()

    async def _point(self, name: str) -> None:
        if self.begin(POINT):
            self.end()


class _Line(httpx.AsyncBaseTransport):
    """The way to the platforms, on which requests and answers are lost."""

    def __init__(self, process: Process, inner: httpx.AsyncBaseTransport) -> None:
        self._process = process
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        mode = self._process.begin(REQUEST)
        if mode == "refused":
            raise httpx.ConnectError("refused", request=request)
        if mode == "crash_before":
            self._process.end()
        if mode.endswith("_before"):
            return _lost(mode, request)
        answer = await self._inner.handle_async_request(request)
        if mode:
            await answer.aread()
        if mode == "crash_after":
            self._process.end()
        return _lost(mode, request) if mode else answer


def _lost(mode: str, request: httpx.Request) -> httpx.Response:
    if mode.startswith("drop"):
        raise httpx.ReadError("the connection ended", request=request)
    if mode.startswith("timeout"):
        raise httpx.ReadTimeout("no answer came", request=request)
    return httpx.Response(503, request=request)


class _Rows:
    """ports.Deliveries, whose every write is a step."""

    def __init__(self, process: Process, inner: Deliveries) -> None:
        self._process = process
        self._inner = inner

    async def claim(self, limit: int, lease_s: float) -> Sequence[Claim]:
        return await self._inner.claim(limit, lease_s)

    async def next_due_s(self, within_s: float) -> float | None:
        return await self._inner.next_due_s(within_s)

    async def extend(self, claim: Claim, lease_s: float) -> None:
        await self._inner.extend(claim, lease_s)

    async def load(self, claim: Claim) -> Work:
        return await self._inner.load(claim)

    async def choose(self, claim: Claim, chosen: Chosen, counters: Counters) -> None:
        await self._process.step(WRITE, lambda: self._inner.choose(claim, chosen, counters))

    async def save_progress(self, claim: Claim, step: str, sealed: SealedBytes) -> None:
        await self._process.step(WRITE, lambda: self._inner.save_progress(claim, step, sealed))

    async def intend(self, claim: Claim, handle: str, prepared: Mapping[str, JSON], counters: Counters) -> Attempt:
        return await self._process.step(WRITE, lambda: self._inner.intend(claim, handle, prepared, counters))

    async def published(self, claim: Claim, number: int, published: Published) -> bool:
        return await self._process.step(WRITE, lambda: self._inner.published(claim, number, published))

    async def again(self, claim: Claim, again: Again, error: TargetError | None) -> None:
        await self._process.step(WRITE, lambda: self._inner.again(claim, again, error))

    async def hand_back(self, claim: Claim) -> None:
        await self._process.step(WRITE, lambda: self._inner.hand_back(claim))

    async def stop(self, claim: Claim, stop: Stop) -> None:
        await self._process.step(WRITE, lambda: self._inner.stop(claim, stop))

    async def media_settled(self, workspace_id: str, media_id: str) -> None:
        await self._inner.media_settled(workspace_id, media_id)

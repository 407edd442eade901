"""Gives due items to free workers. PostgreSQL is the queue, so that nothing is lost with a message or a process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from services.common import context, tasks, telemetry
from services.common.context import CallContext
from services.common.seat import Seat
from services.platforms.catalog import Kind
from services.transcoder.app.making import LEASE_S, Making
from services.transcoder.app.segmenting import Segmenting
from services.transcoder.domain.costs import frame_px, memory_bytes, room_px
from services.transcoder.domain.item import Item
from services.transcoder.ports import Items

log = logging.getLogger(__name__)

POLL_S = 1.0  # a wake-up may be lost, or meant for another process


class Dispatcher:
    """Runs jobs, images before videos; while no video is due, segments of those that others work at.

    Args:
        workers: Jobs at once, ≥ 1. From 2 on, videos never take the last place: an image need not wait for one.
        films_bytes: Of memory, that videos may take together by estimate. One may always run, however large.
    """

    def __init__(self, items: Items, making: Making, segmenting: Segmenting, *, workers: int, films_bytes: int) -> None:
        if workers < 1:
            raise ValueError("there must be a worker")
        self._items = items
        self._making = making
        self._segmenting = segmenting
        self._places = asyncio.Semaphore(workers)
        self._most_videos = max(1, workers - 1)
        self._films_bytes = films_bytes
        self._films: dict[str, int] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._at_rest = False
        self._stopping = False

    def films_taken_bytes(self) -> int:
        """Of memory, by estimate, by the videos under way."""
        return sum(memory_bytes(px) for px in self._films.values())

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    @asynccontextmanager
    async def seat(self, kind: Kind) -> AsyncIterator[Seat[Item] | None]:
        """Room for an item that is claimed for LEASE_S as it is added. None: there is none, or others may wait; for a
        film there never is, since what it saves is nothing beside the film."""
        if kind == "video" or self._stopping or not self._at_rest or self._places.locked():
            yield None
            return
        await self._places.acquire()
        seat = Seat[Item]()
        try:
            yield seat
        finally:
            if seat.taken is None:
                self._places.release()
            else:
                self._start(seat.taken, self._making.make(seat.taken, self._looked_at))

    async def run(self) -> None:
        """Until stopped."""
        while not self._stopping:
            await self._places.acquire()
            started = False
            try:
                self._woken.clear()
                started = await self._start_one()
            finally:
                if not started:
                    self._places.release()
            if not started:
                await self._idle()

    async def stop(self, within_s: float) -> None:
        """Takes on no more; jobs have `within_s` seconds, then they are handed back."""
        self._stopping = True
        self.wake()
        await tasks.drain(self._running, within_s)

    async def _start_one(self) -> bool:
        kinds: tuple[Kind, ...] = ("image", "video") if len(self._films) < self._most_videos else ("image",)
        item = await self._items.claim(kinds, lease_s=LEASE_S, most_px=self._most_px())
        if item is not None:
            self._start(item, self._making.make(item, self._looked_at))
            return True
        # None beside a film of its own, which is the better use of this machine.
        taken = None if self._films else await self._segmenting.take()
        if taken is not None:
            self._start(taken.item, self._segmenting.help(taken))
        return taken is not None

    def _start(self, item: Item, work: Coroutine[object, object, None]) -> None:
        if item.kind == "video":
            self._films[item.media_id] = frame_px(item.finding)
        task = asyncio.create_task(self._job(item, work), name=f"job-{item.media_id}")
        self._running.add(task)
        task.add_done_callback(lambda task: self._done(task, item))

    async def _job(self, item: Item, work: Coroutine[object, object, None]) -> None:
        context.enter(CallContext(workspace_id=item.workspace_id, request_id=item.request_id))
        with telemetry.span("transcoder_job", item.traceparent):
            await work

    def _looked_at(self, item: Item) -> None:
        """Most films are smaller than was assumed."""
        if item.media_id in self._films:
            self._films[item.media_id] = frame_px(item.finding)
            self.wake()

    def _most_px(self) -> int | None:
        return room_px(self._films_bytes - self.films_taken_bytes()) if self._films else None

    def _done(self, task: asyncio.Task[None], item: Item) -> None:
        self._running.discard(task)
        self._films.pop(item.media_id, None)
        self._places.release()
        self.wake()
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("a job broke off; its claim runs out", exc_info=exc, extra={"media_id": item.media_id})

    async def _idle(self) -> None:
        self._at_rest = True
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._at_rest = False

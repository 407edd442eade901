"""Keeps deliveries moving: claims what is due, and works on a bounded number at once, fairly by endpoint.

PostgreSQL is the queue. A wake-up says "look now"; looked is at least every second, so none has to arrive.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from services.common import tasks
from services.publisher.app.webhooks.delivering import Courier
from services.publisher.app.webhooks.ports import Parcel, Queue, Room

log = logging.getLogger("publisher.webhooks")

POLL_S = 1.0
# What becomes due or is done within this time is claimed for together, since a claim looks at all endpoints in turn.
GATHER_S = 0.02
SLOTS = 96  # attempts under way at once, which the client has connections for: nearly all of it is waiting
# Endpoints that fail may take half of them at most, whatever their number: the rest is for those that do not.
SLOTS_FAILING = 48
PER_ENDPOINT = 8
PER_FAILING = 2  # one that is down is asked rarely; one that is up again clears the mark with its first answer


class Rounds:
    """The one loop that starts attempts."""

    def __init__(
        self,
        queue: Queue,
        courier: Courier,
        *,
        lease_s: float,
        now: Callable[[], datetime],
        slots: int = SLOTS,
        slots_failing: int = SLOTS_FAILING,
        poll_s: float = POLL_S,
    ) -> None:
        self._queue = queue
        self._courier = courier
        self._lease_s = lease_s
        self._now = now
        self._slots = slots
        self._slots_failing = slots_failing
        self._poll_s = poll_s
        self._due = asyncio.Event()
        self._running: dict[asyncio.Task[None], Parcel] = {}
        self._stopping = False

    def wake(self) -> None:
        """Something may be due."""
        self._due.set()

    async def run(self) -> None:
        """Until stopped. Raises MediaError UNAVAILABLE when the database is away: run it again."""
        while not self._stopping:
            self._due.clear()
            await self._start_due()
            await asyncio.sleep(GATHER_S)
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def stop(self, within_s: float) -> None:
        """Takes on no more; attempts have `within_s` seconds, then they are handed back."""
        self._stopping = True
        self.wake()
        await tasks.drain(self._running, within_s)

    async def _start_due(self) -> None:
        failing = sum(parcel.failing for parcel in self._running.values())
        room = Room(
            parcels=self._slots - len(self._running),
            failing=self._slots_failing - failing,
            per_endpoint=PER_ENDPOINT,
            per_failing=PER_FAILING,
        )
        if room.parcels <= 0:
            return
        for parcel in await self._queue.claim(room, self._now(), self._lease_s):
            task = asyncio.create_task(self._attempt(parcel), name=f"webhook-{parcel.delivery_id}")
            self._running[task] = parcel
            task.add_done_callback(self._done)

    async def _attempt(self, parcel: Parcel) -> None:
        try:
            await self._courier.deliver(parcel)
        except asyncio.CancelledError:
            await self._queue.hand_back(parcel, self._now())
            raise

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.wake()
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("an attempt broke off; its lease will end", exc_info=fault)

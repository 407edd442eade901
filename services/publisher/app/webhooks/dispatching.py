"""Keeps deliveries moving, fairly by endpoint."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from services.publisher.app.due import POLL_S, DueWork
from services.publisher.app.webhooks.delivering import Courier
from services.publisher.app.webhooks.ports import Parcel, Queue, Room

# What becomes due or is done within this time is claimed for together, since a claim looks at all endpoints in turn.
GATHER_S = 0.02
SLOTS = 96  # attempts under way at once, which the client has connections for: nearly all of it is waiting
# Endpoints that fail may take half of them at most, whatever their number: the rest is for those that do not.
SLOTS_FAILING = 48
PER_ENDPOINT = 8
PER_FAILING = 2  # one that is down is asked rarely; one that is up again clears the mark with its first answer


class Rounds(DueWork):
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
        super().__init__(poll_s=poll_s, gather_s=GATHER_S)
        self._queue = queue
        self._courier = courier
        self._lease_s = lease_s
        self._now = now
        self._slots = slots
        self._slots_failing = slots_failing
        self._parcels: dict[asyncio.Task[None], Parcel] = {}

    async def _start_due(self) -> None:
        failing = sum(parcel.failing for parcel in self._parcels.values())
        room = Room(
            parcels=self._slots - len(self._running),
            failing=self._slots_failing - failing,
            per_endpoint=PER_ENDPOINT,
            per_failing=PER_FAILING,
        )
        if room.parcels <= 0:
            return
        for parcel in await self._queue.claim(room, self._now(), self._lease_s):
            task = self._begin(self._attempt(parcel), f"webhook-{parcel.delivery_id}")
            self._parcels[task] = parcel

    async def _attempt(self, parcel: Parcel) -> None:
        try:
            await self._courier.deliver(parcel)
        except asyncio.CancelledError:
            await self._queue.hand_back(parcel, self._now())
            raise

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._parcels[task]
        super()._done(task)

"""ports.Buckets in memory."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from services.common.errors import Code, MediaError
from services.gateway.domain import rates
from services.gateway.domain.rates import Kind, Rate, Taken


class MemoryBuckets:
    """On a clock of their own, a minute late. asked: how often. away: there is no database."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.full_at: dict[tuple[str, Kind], datetime] = {}
        self.asked = 0
        self.away = False

    async def take(self, workspace_id: str, kind: Kind, rate: Rate, *, wanted: int, returned: int) -> Taken:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise MediaError(Code.UNAVAILABLE)
        now = self._now() - timedelta(minutes=1)
        taken = rates.take(rate, self.full_at.get((workspace_id, kind), now), now, wanted=wanted, returned=returned)
        self.full_at[workspace_id, kind] = taken.full_at
        return taken

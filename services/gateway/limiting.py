"""Counts the requests of workspaces: exactly, over all gateways, without asking the database for each."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.common.errors import MediaError
from services.common.plans import Plans
from services.gateway.domain import rates
from services.gateway.domain.rates import Kind, Rate, Rates, Standing, Taken
from services.gateway.ports import Buckets

log = logging.getLogger(__name__)

# What was taken in advance and is not used within this time goes back with the next question.
FRESH = timedelta(seconds=2)
# Of a bucket, the most that is taken in advance: one part of so many.
SHARE = 20
MOST_AHEAD = 100
MAX_REMEMBERED = 10_000
ALONE_AGAIN = timedelta(seconds=1)


@dataclass(slots=True)
class _Lease:
    """Requests of one workspace and kind that this gateway may let through without asking."""

    full_at: datetime
    held: int = 0
    batch: int = 0
    fresh_until: datetime | None = None
    refused_until: datetime | None = None
    alone_until: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limiter:
    """One gateway's part of the counting.

    A workspace that asks now and then is counted in the database each time. One that asks often is counted in batches,
    doubled as long as they are used up. While the database is away each gateway counts for itself.
    """

    def __init__(self, buckets: Buckets, plans: Plans[Rates], *, now: Callable[[], datetime]) -> None:
        self._buckets = buckets
        self._plans = plans
        self._now = now
        self._leases: OrderedDict[tuple[str, Kind], _Lease] = OrderedDict()

    async def count(self, workspace_id: str, plan: str, kind: Kind) -> Standing:
        """Counts one request. Returns whether it may go on, and where its workspace stands."""
        rate = self._plans.of(plan)[kind]
        lease = self._lease(workspace_id, kind)
        async with lease.lock:
            allowed = self._spend(lease)
            asks = not allowed and not self._is_before(lease.refused_until)
            if asks:
                allowed = await self._ask(lease, workspace_id, kind, rate)
            now = self._now()
            found = rates.standing(kind, rate, lease.full_at, now, allowed=allowed, held=lease.held)
            if asks and not allowed:
                lease.refused_until = now + timedelta(seconds=found.wait_s)
        return found

    def _lease(self, workspace_id: str, kind: Kind) -> _Lease:
        key = (workspace_id, kind)
        lease = self._leases.setdefault(key, _Lease(self._now()))
        self._leases.move_to_end(key)
        if len(self._leases) > MAX_REMEMBERED:
            self._leases.popitem(last=False)
        return lease

    def _spend(self, lease: _Lease) -> bool:
        if lease.held == 0 or not self._is_before(lease.fresh_until):
            return False
        lease.held -= 1
        return True

    async def _ask(self, lease: _Lease, workspace_id: str, kind: Kind, rate: Rate) -> bool:
        """Takes the next batch, and one request out of it."""
        used_up = lease.held == 0 and self._is_before(lease.fresh_until)
        lease.batch = max(1, min(2 * lease.batch, MOST_AHEAD, rate.requests // SHARE)) if used_up else 1
        taken = await self._take(lease, workspace_id, kind, rate)
        now = self._now()
        lease.full_at = now + (taken.full_at - taken.at)  # The clocks of two machines need not agree.
        lease.fresh_until = now + FRESH
        lease.held = max(0, taken.granted - 1)
        return taken.granted > 0

    async def _take(self, lease: _Lease, workspace_id: str, kind: Kind, rate: Rate) -> Taken:
        if not self._is_before(lease.alone_until):
            try:
                return await self._buckets.take(workspace_id, kind, rate, wanted=lease.batch, returned=lease.held)
            except MediaError as exc:
                log.warning("counting alone", extra={"code": str(exc.code), "why": exc.why})
                lease.alone_until = self._now() + ALONE_AGAIN
        return rates.take(rate, lease.full_at, self._now(), wanted=1, returned=lease.held)

    def _is_before(self, moment: datetime | None) -> bool:
        return moment is not None and self._now() < moment

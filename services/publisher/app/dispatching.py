"""Keeps targets moving."""

import asyncio
import logging

from services.common import tasks
from services.publisher.app.delivering import Engine
from services.publisher.app.due import POLL_S, DueWork
from services.publisher.ports import Claim, Deliveries, LeaseLostError

log = logging.getLogger("publisher.dispatching")

SLOTS = 16  # targets worked on at once: nearly all their time is waiting for platforms
LAST_S = 1.0  # for the answer to a mutation under way, when all other time to stop is over


class Dispatcher(DueWork):
    """The one loop that starts deliveries."""

    def __init__(
        self, deliveries: Deliveries, engine: Engine, *, lease_s: float, slots: int = SLOTS, poll_s: float = POLL_S
    ) -> None:
        super().__init__(poll_s=poll_s)
        self._deliveries = deliveries
        self._engine = engine
        self._lease_s = lease_s
        self._slots = slots

    async def _start_due(self) -> None:
        free = self._slots - len(self._running)
        if free <= 0:
            return
        try:
            claims = await self._deliveries.claim(free, self._lease_s)
        except Exception:  # the database is away: asked again at the next poll
            log.exception("nothing could be claimed")
            return
        for claim in claims:
            if self._stopping:
                await self._hand_back(claim)
                continue
            self._begin(self._work(claim), f"delivery-{claim.post_id}-{claim.index}")
        if len(claims) < free:  # with every place taken, whoever is done looks again
            await self._wake_when_due()

    async def _wake_when_due(self) -> None:
        """A post is to go out when its time has come, and not at the poll after that."""
        try:
            self._wake_in(await self._deliveries.next_due_s(self._poll_s))
        except Exception:  # the database is away: the next poll finds what is due
            log.exception("nobody knows what is due next")

    async def _work(self, claim: Claim) -> None:
        delivering = asyncio.create_task(self._engine.deliver(claim))
        keeping = asyncio.create_task(self._keep(claim))
        try:
            await asyncio.wait({delivering, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if delivering.done():
                self._wake_in(delivering.result())
        except LeaseLostError:
            log.warning("lease lost", extra={"post_id": claim.post_id, "target": claim.index})
        except asyncio.CancelledError:
            await tasks.end(delivering)
            await self._engine.finish_sending(claim, LAST_S)
            await self._hand_back(claim)
            raise
        finally:
            await tasks.end(delivering, keeping)

    async def _keep(self, claim: Claim) -> None:
        """Extends the lease until it is lost."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._lease_s
        while loop.time() < ends:
            await asyncio.sleep(self._lease_s / 3)
            try:
                await self._deliveries.extend(claim, self._lease_s)
                ends = loop.time() + self._lease_s
            except LeaseLostError:
                return
            except Exception:  # the database is away: as long as the lease lasts, so does the right to work
                log.exception("the lease was not extended")

    async def _hand_back(self, claim: Claim) -> None:
        try:
            await self._deliveries.hand_back(claim)
        except LeaseLostError:
            return  # it was settled, or put back already

    def _wake_in(self, delay_s: float | None) -> None:
        if delay_s is not None and delay_s < self._poll_s:
            asyncio.get_running_loop().call_later(delay_s, self.wake)

"""The use cases of webhooks, put together from the ports they need."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.publisher.app.webhooks.delivering import Courier
from services.publisher.app.webhooks.dispatching import Rounds
from services.publisher.app.webhooks.managing import Manage
from services.publisher.app.webhooks.ports import Deliveries, Endpoints, Meter, Occasions, Queue, Resources, Sender
from services.publisher.app.webhooks.telling import Tell
from services.publisher.domain.webhooks.delivery import Schedule
from services.publisher.ports import Vault

log = logging.getLogger("publisher.webhooks")

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookWorld:
    """Everything outside of webhooks. chance: 0 to 1."""

    endpoints: Endpoints
    deliveries: Deliveries
    occasions: Occasions
    queue: Queue
    resources: Resources
    sender: Sender
    vault: Vault
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    random_bytes: Callable[[int], bytes]
    chance: Callable[[], float]
    meter: Meter
    schedule: Schedule = field(default_factory=Schedule)


class Webhooks:
    """The use cases over one world."""

    def __init__(self, world: WebhookWorld) -> None:
        self._queue = world.queue
        self._now = world.now
        self.manage = Manage(
            endpoints=world.endpoints,
            deliveries=world.deliveries,
            sender=world.sender,
            vault=world.vault,
            now=world.now,
            new_id=world.new_id,
            random_bytes=world.random_bytes,
        )
        self.tell = Tell(world.occasions, world.resources)
        self.courier = Courier(
            queue=world.queue,
            sender=world.sender,
            vault=world.vault,
            schedule=world.schedule,
            now=world.now,
            chance=world.chance,
            meter=world.meter,
        )
        self.rounds = Rounds(world.queue, self.courier, lease_s=world.schedule.lease_s, now=world.now)

    async def forget_old(self) -> None:
        """Drops what was settled and is older than a delivery is kept."""
        before = self._now() - KEPT
        while await self._queue.forget(before):
            log.info("old events forgotten")

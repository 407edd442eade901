"""One attempt: sign, send, and what follows from how it ended."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from services.common import telemetry
from services.publisher.app.webhooks.ports import Meter, Parcel, Queue, Sender
from services.publisher.domain.webhooks import signing
from services.publisher.domain.webhooks.delivery import GONE, Outcome, Schedule, pause_s
from services.publisher.ports import SealedBytes, Vault

log = logging.getLogger("publisher.webhooks")

SECRETS_KEPT = 1_000


class Courier:
    """Delivers what was claimed. At least once: a result that is not written down makes it be sent again."""

    def __init__(
        self,
        *,
        queue: Queue,
        sender: Sender,
        vault: Vault,
        schedule: Schedule,
        now: Callable[[], datetime],
        chance: Callable[[], float],
        meter: Meter,
    ) -> None:
        self._queue = queue
        self._sender = sender
        self._vault = vault
        self._schedule = schedule
        self._now = now
        self._chance = chance
        self._meter = meter
        self._opened: OrderedDict[bytes, bytes] = OrderedDict()

    async def deliver(self, parcel: Parcel) -> None:
        """Sends it and writes down how that ended. The receiver is told nothing of the trace."""
        with telemetry.span("publisher_webhook_attempt", parcel.traceparent) as attempt:
            outcome = await self._send(parcel)
            if outcome.status is not None:
                attempt.set_attribute("http.response.status_code", outcome.status)
            if outcome.fault is not None:
                attempt.set_attribute("error.type", outcome.fault.value)
            await self._settle(parcel, outcome, self._now())

    async def _send(self, parcel: Parcel) -> Outcome:
        body = parcel.body.encode()
        secrets = [await self._open(parcel, sealed) for sealed in (parcel.sealed, parcel.old_sealed) if sealed]
        started = self._now()
        headers = signing.headers(secrets, parcel.event_id, int(started.timestamp()), body)
        outcome = await self._sender.post(parcel.url, headers, body, within_s=self._schedule.attempt_max_s)
        self._meter.attempted(outcome, (self._now() - started).total_seconds())
        return outcome

    async def _settle(self, parcel: Parcel, outcome: Outcome, now: datetime) -> None:
        if outcome.fault is None:
            await self._queue.delivered(parcel, outcome, now)
            return
        known = {"endpoint_id": parcel.endpoint_id, "delivery_id": parcel.delivery_id}
        log.info("not delivered", extra={**known, "status": outcome.status, "fault": outcome.fault})
        if outcome.status == GONE:
            await self._queue.gone(parcel, outcome, now)
            return
        pause = pause_s(self._schedule, parcel.failures + 1, outcome, chance=self._chance(), now=now)
        next_at = None if pause is None or parcel.once else now + timedelta(seconds=pause)
        await self._queue.failed(parcel, outcome, now, next_at)

    async def _open(self, parcel: Parcel, sealed: SealedBytes) -> bytes:
        """A secret, kept opened: to open it anew would cost a look into the database for each attempt."""
        key = sealed.blob
        if key in self._opened:
            self._opened.move_to_end(key)
            return self._opened[key]
        opened = await self._vault.open(parcel.workspace_id, parcel.endpoint_id, sealed)
        self._opened[key] = signing.secret_bytes(opened["secret"])
        if len(self._opened) > SECRETS_KEPT:
            self._opened.popitem(last=False)
        return self._opened[key]

"""Endpoints as their owners see them: registered, changed, tried out, and what was sent to them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from services.common.errors import Code, MediaError
from services.publisher.app.webhooks.ports import Changes, Deliveries, Endpoints, Sender
from services.publisher.domain.webhooks import endpoint as rules
from services.publisher.domain.webhooks import signing
from services.publisher.domain.webhooks.delivery import Delivery, DeliveryStatus
from services.publisher.domain.webhooks.endpoint import Endpoint, EndpointStatus
from services.publisher.domain.webhooks.events import EventType, News, subscription_problems
from services.publisher.ports import Caller, Position, SealedBytes, Vault

log = logging.getLogger("publisher.webhooks")

# Few wait, and each for one delivery: to look costs less than to tell of all of them.
LOOK_EVERY_S = 0.1


class Manage:
    """Use cases around endpoints."""

    def __init__(
        self,
        *,
        endpoints: Endpoints,
        deliveries: Deliveries,
        sender: Sender,
        vault: Vault,
        now: Callable[[], datetime],
        new_id: Callable[[str], str],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._sender = sender
        self._vault = vault
        self._now = now
        self._new_id = new_id
        self._random_bytes = random_bytes

    async def create(self, caller: Caller, url: str, events: Sequence[str], description: str) -> tuple[Endpoint, str]:
        """The endpoint, and its secret, which nobody is shown again.

        Raises:
            MediaError: INVALID_REQUEST, WEBHOOK_URL_NOT_ALLOWED, WEBHOOK_LIMIT_REACHED.
        """
        await self._check(url, events, description)
        endpoint = Endpoint(
            endpoint_id=self._new_id("whk"),
            live=caller.live,
            url=url,
            description=description,
            events=tuple(dict.fromkeys(events)),
            status=EndpointStatus.ACTIVE,
            created_at=self._now(),
        )
        secret, sealed = await self._secret(caller, endpoint.endpoint_id)
        if not await self._endpoints.add(caller, endpoint, sealed):
            raise MediaError(Code.WEBHOOK_LIMIT_REACHED, limit=rules.MAX_ENDPOINTS)
        log.info("endpoint registered", extra={"endpoint_id": endpoint.endpoint_id, "live": caller.live})
        return endpoint, secret

    async def get(self, caller: Caller, endpoint_id: str) -> Endpoint:
        """Raises WEBHOOK_ENDPOINT_NOT_FOUND."""
        return _found(await self._endpoints.get(caller, endpoint_id), endpoint_id)

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None
    ) -> tuple[Sequence[Endpoint], Position | None]:
        """A page, newest first, and where the next one starts."""
        found = await self._endpoints.page(caller, limit=limit + 1, after=after)
        last = found[limit - 1] if len(found) > limit else None
        return found[:limit], None if last is None else Position(last.created_at, last.endpoint_id)

    async def change(self, caller: Caller, endpoint_id: str, changes: Changes) -> Endpoint:
        """Raises as `create`, and WEBHOOK_ENDPOINT_NOT_FOUND."""
        await self.get(caller, endpoint_id)
        await self._check(changes.url, changes.events, changes.description)
        return _found(await self._endpoints.change(caller, endpoint_id, changes), endpoint_id)

    async def delete(self, caller: Caller, endpoint_id: str) -> None:
        """Raises WEBHOOK_ENDPOINT_NOT_FOUND."""
        if not await self._endpoints.delete(caller, endpoint_id):
            raise MediaError(Code.WEBHOOK_ENDPOINT_NOT_FOUND, endpoint_id=endpoint_id)

    async def rotate(self, caller: Caller, endpoint_id: str) -> tuple[Endpoint, str]:
        """A new secret; the one before also signs for a day. Raises WEBHOOK_ENDPOINT_NOT_FOUND."""
        secret, sealed = await self._secret(caller, endpoint_id)
        old_until = self._now() + rules.OLD_SECRET_LIFE
        return _found(await self._endpoints.rotate(caller, endpoint_id, sealed, old_until), endpoint_id), secret

    async def test(self, caller: Caller, endpoint_id: str, wait_s: float) -> Delivery:
        """Sends an event made for this, once, and waits for its end.

        Raises:
            MediaError: WEBHOOK_ENDPOINT_NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED.
        """
        await self._active(caller, endpoint_id)
        news = News(
            cause=self._new_id("test"),
            type=EventType.TEST,
            live=caller.live,
            happened_at=self._now(),
            data={"endpointId": endpoint_id},
        )
        return await self._settled(caller, await self._deliveries.send(caller, endpoint_id, news), wait_s)

    async def deliveries(
        self, caller: Caller, endpoint_id: str, *, limit: int, after: Position | None, status: DeliveryStatus | None
    ) -> tuple[Sequence[Delivery], Position | None]:
        """A page, newest first, and where the next one starts. Raises WEBHOOK_ENDPOINT_NOT_FOUND."""
        await self.get(caller, endpoint_id)
        found = await self._deliveries.page(caller, endpoint_id, limit=limit + 1, after=after, status=status)
        last = found[limit - 1] if len(found) > limit else None
        return found[:limit], None if last is None else Position(last.created_at, last.delivery_id)

    async def replay(self, caller: Caller, endpoint_id: str, delivery_id: str, wait_s: float) -> Delivery:
        """Makes a delivery due again.

        Raises:
            MediaError: WEBHOOK_ENDPOINT_NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_DELIVERY_NOT_FOUND.
        """
        await self._active(caller, endpoint_id)
        found = await self._deliveries.replay(caller, endpoint_id, delivery_id, self._now())
        if found is None:
            raise MediaError(Code.WEBHOOK_DELIVERY_NOT_FOUND, delivery_id=delivery_id)
        return await self._settled(caller, found, wait_s)

    async def _check(self, url: str | None, events: Sequence[str] | None, description: str | None) -> None:
        violations = rules.problems(url, description)
        if events is not None:
            violations += subscription_problems(events)
        if violations:
            raise MediaError(Code.INVALID_REQUEST, violations=violations)
        if url is not None and (reason := await self._sender.refusal(url)) is not None:
            raise MediaError(Code.WEBHOOK_URL_NOT_ALLOWED, reason=reason)

    async def _secret(self, caller: Caller, endpoint_id: str) -> tuple[str, SealedBytes]:
        text = signing.secret_text(self._random_bytes(signing.SECRET_BYTES))
        return text, await self._vault.seal(caller.workspace_id, endpoint_id, {"secret": text})

    async def _active(self, caller: Caller, endpoint_id: str) -> None:
        if (await self.get(caller, endpoint_id)).status is not EndpointStatus.ACTIVE:
            raise MediaError(Code.WEBHOOK_ENDPOINT_DISABLED, endpoint_id=endpoint_id)

    async def _settled(self, caller: Caller, delivery: Delivery, wait_s: float) -> Delivery:
        """The delivery once its end is known, or as it is when the time is over."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        while delivery.status is DeliveryStatus.PENDING and loop.time() < ends:
            await asyncio.sleep(LOOK_EVERY_S)
            found = await self._deliveries.get(caller, delivery.delivery_id)
            if found is None:  # deleted with its endpoint
                break
            delivery = found
        return delivery


def _found(endpoint: Endpoint | None, endpoint_id: str) -> Endpoint:
    if endpoint is None:
        raise MediaError(Code.WEBHOOK_ENDPOINT_NOT_FOUND, endpoint_id=endpoint_id)
    return endpoint

"""Events, and their fan-out to endpoints."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import db, inbox, telemetry
from services.common.db import Database
from services.common.public_json import dumps
from services.publisher.adapters.postgres.posts import SCHEMA
from services.publisher.adapters.postgres.webhooks import rows
from services.publisher.app.webhooks.ports import Receipt
from services.publisher.domain.webhooks.events import MAX_BODY_BYTES, News, envelope, shortened

_WANTED = text(
    "SELECT DISTINCT unnest(events) FROM publisher.webhook_endpoints"
    " WHERE workspace_id = :workspace_id AND status = 'active'"
)
_ADD_EVENT = text(
    "INSERT INTO publisher.webhook_events (workspace_id, id, cause, type, body, traceparent, created_at)"
    " VALUES (:workspace_id, :id, :cause, :type, :body, :traceparent, :created_at)"
    " ON CONFLICT (workspace_id, cause) DO NOTHING"
)
# Held, so that none of them is disabled or deleted before its deliveries are there.
_TAKERS = text(
    "SELECT id FROM publisher.webhook_endpoints WHERE workspace_id = :workspace_id AND status = 'active'"
    " AND :type = ANY(events) AND (CAST(:live AS boolean) IS NULL OR live = :live) ORDER BY id FOR SHARE"
)
_ADD_DELIVERY = text(
    "INSERT INTO publisher.webhook_deliveries"
    " (workspace_id, id, endpoint_id, event_id, status, once, next_at, created_at)"
    " VALUES (:workspace_id, :id, :endpoint_id, :event_id, 'pending', :once, :now, :now)"
)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An event's way to one endpoint. once: it is tried a single time."""

    id: str
    endpoint_id: str
    event_id: str
    once: bool = False


class PostgresOccasions:
    """ports.Occasions over PostgreSQL."""

    def __init__(self, database: Database, new_id: Callable[[str], str], now: Callable[[], datetime]) -> None:
        self._database = database
        self._new_id = new_id
        self._now = now

    async def wanted(self, workspace_id: str) -> frozenset[str]:
        """Event types that some active endpoint of the workspace is to be told of."""
        async with self._database.tx(workspace_id) as conn:
            return frozenset((await conn.execute(_WANTED, {"workspace_id": workspace_id})).scalars())

    async def tell(self, workspace_id: str, receipt: Receipt, news: Sequence[News]) -> int:
        """Events, deliveries and receipt in one transaction; how many deliveries."""
        made = 0
        async with self._database.tx(workspace_id) as conn:
            if not await inbox.first_time(conn, SCHEMA, receipt.consumer, receipt.event_id):
                return 0
            for item in news:
                made += await self._fan_out(conn, workspace_id, item)
            if made:
                await db.notify(conn, rows.DUE_CHANNEL, "")
        return made

    async def _fan_out(self, conn: AsyncConnection, workspace_id: str, news: News) -> int:
        bind = {"workspace_id": workspace_id, "type": news.type.value, "live": news.live}
        takers = (await conn.execute(_TAKERS, bind)).scalars().all()
        event_id = self._new_id("evt")
        if not takers or not await add_event(conn, workspace_id, event_id, news):
            return 0
        ways = [NewDelivery(self._new_id("dlv"), endpoint_id, event_id) for endpoint_id in takers]
        await add_deliveries(conn, workspace_id, ways, self._now())
        return len(ways)


async def add_event(conn: AsyncConnection, workspace_id: str, event_id: str, news: News) -> bool:
    """Keeps an event with its text. False: its cause made one before."""
    body = dumps(envelope(event_id, workspace_id, news))
    if len(body) > MAX_BODY_BYTES:
        body = dumps(envelope(event_id, workspace_id, shortened(news)))
    bind = {
        "workspace_id": workspace_id,
        "id": event_id,
        "cause": news.cause,
        "type": news.type.value,
        "body": body.decode(),
        "traceparent": telemetry.traceparent(),
        "created_at": news.happened_at,
    }
    return (await conn.execute(_ADD_EVENT, bind)).rowcount == 1


async def add_deliveries(conn: AsyncConnection, workspace_id: str, ways: Sequence[NewDelivery], now: datetime) -> None:
    """Owes the event to these endpoints, at least one, from now on."""
    await conn.execute(_ADD_DELIVERY, [{"workspace_id": workspace_id, "now": now, **asdict(way)} for way in ways])

"""Endpoints, and deliveries as their owners see them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import db
from services.common.db import Database
from services.publisher.adapters.postgres.posts import position
from services.publisher.adapters.postgres.webhooks import rows
from services.publisher.adapters.postgres.webhooks.events import NewDelivery, add_deliveries, add_event
from services.publisher.app.webhooks.ports import Changes
from services.publisher.domain.webhooks.delivery import Delivery, DeliveryStatus, Fault
from services.publisher.domain.webhooks.endpoint import MAX_ENDPOINTS, Endpoint
from services.publisher.domain.webhooks.events import News
from services.publisher.ports import Caller, Position, SealedBytes

# ruff: noqa: S608  what is put into these statements are names of ours

_MINE = "workspace_id = :workspace_id AND live = :live"
_ONE = f"{_MINE} AND id = :id"
# Endpoints of a workspace are added one after the other, so that many at once cannot pass the limit together.
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtextextended('webhooks ' || :workspace_id, 0))")
_COUNT = text(f"SELECT count(*) FROM publisher.webhook_endpoints WHERE {_MINE}")
_ADD = text(
    "INSERT INTO publisher.webhook_endpoints"
    " (workspace_id, id, live, url, description, events, status, key_version, sealed, created_at) VALUES"
    " (:workspace_id, :id, :live, :url, :description, :events, :status, :key_version, :sealed, :created_at)"
)
_GET = text(f"SELECT {rows.ENDPOINT} FROM publisher.webhook_endpoints WHERE {_ONE}")
_PAGE = text(
    f"SELECT {rows.ENDPOINT} FROM publisher.webhook_endpoints WHERE {_MINE}"
    " AND (CAST(:after_time AS timestamptz) IS NULL OR (created_at, id) < (:after_time, :after_id))"
    " ORDER BY created_at DESC, id DESC LIMIT :limit"
)
_CHANGE = text(
    "UPDATE publisher.webhook_endpoints SET url = coalesce(CAST(:url AS text), url),"
    " events = coalesce(CAST(:events AS text[]), events),"
    " description = coalesce(CAST(:description AS text), description),"
    " status = coalesce(CAST(:status AS text), status),"
    # What is new has not failed yet.
    " failing_since = CASE WHEN CAST(:url AS text) IS NULL AND CAST(:status AS text) IS NULL THEN failing_since END"
    f" WHERE {_ONE} RETURNING {rows.ENDPOINT}"
)
_GIVE_UP = text(
    "UPDATE publisher.webhook_deliveries SET status = 'failed', next_at = NULL, error = :error"
    " WHERE workspace_id = :workspace_id AND endpoint_id = :id AND status = 'pending' AND NOT claimed"
)
_DELETE = text(f"DELETE FROM publisher.webhook_endpoints WHERE {_ONE}")
_DELETE_DELIVERIES = text(
    "DELETE FROM publisher.webhook_deliveries WHERE workspace_id = :workspace_id AND endpoint_id = :id"
)
_ROTATE = text(
    "UPDATE publisher.webhook_endpoints SET old_key_version = key_version, old_sealed = sealed, old_until = :old_until,"
    f" key_version = :key_version, sealed = :sealed WHERE {_ONE} RETURNING {rows.ENDPOINT}"
)
_OF_MINE = (
    "FROM publisher.webhook_deliveries d"
    " JOIN publisher.webhook_events v ON v.workspace_id = d.workspace_id AND v.id = d.event_id"
    " JOIN publisher.webhook_endpoints e ON e.workspace_id = d.workspace_id AND e.id = d.endpoint_id"
    " WHERE d.workspace_id = :workspace_id AND e.live = :live"
)
_GET_DELIVERY = text(f"SELECT {rows.DELIVERY} {_OF_MINE} AND d.id = :id")
_PAGE_DELIVERIES = text(
    f"SELECT {rows.DELIVERY} {_OF_MINE} AND d.endpoint_id = :endpoint_id"
    " AND (CAST(:status AS text) IS NULL OR d.status = :status)"
    " AND (CAST(:after_time AS timestamptz) IS NULL OR (d.created_at, d.id) < (:after_time, :after_id))"
    " ORDER BY d.created_at DESC, d.id DESC LIMIT :limit"
)
# One that is under way stays so: what becomes of it is not known yet.
_REPLAY = text(
    "UPDATE publisher.webhook_deliveries SET status = 'pending', failures = 0,"
    " next_at = CASE WHEN claimed THEN next_at ELSE :now END"
    " WHERE workspace_id = :workspace_id AND endpoint_id = :endpoint_id AND id = :id"
)


class PostgresEndpoints:
    """ports.Endpoints over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, caller: Caller, endpoint: Endpoint, sealed: SealedBytes) -> bool:
        """Keeps an endpoint. False: the workspace has as many as it may."""
        bind = {
            **_key(caller, endpoint.endpoint_id),
            **_sealed(sealed),
            "url": endpoint.url,
            "description": endpoint.description,
            "events": list(endpoint.events),
            "status": endpoint.status.value,
            "created_at": endpoint.created_at,
        }
        async with self._database.tx(caller.workspace_id) as conn:
            await conn.execute(_ONE_BY_ONE, {"workspace_id": caller.workspace_id})
            if (await conn.execute(_COUNT, bind)).scalar_one() >= MAX_ENDPOINTS:
                return False
            await conn.execute(_ADD, bind)
        return True

    async def get(self, caller: Caller, endpoint_id: str) -> Endpoint | None:
        """One endpoint of the caller's, in the caller's mode."""
        async with self._database.tx(caller.workspace_id) as conn:
            row = (await conn.execute(_GET, _key(caller, endpoint_id))).mappings().one_or_none()
        return None if row is None else rows.endpoint(row)

    async def page(self, caller: Caller, *, limit: int, after: Position | None) -> Sequence[Endpoint]:
        """Up to `limit` endpoints, newest first."""
        bind = {**_key(caller, ""), **position(after), "limit": limit}
        async with self._database.tx(caller.workspace_id) as conn:
            return [rows.endpoint(row) for row in (await conn.execute(_PAGE, bind)).mappings()]

    async def change(self, caller: Caller, endpoint_id: str, changes: Changes) -> Endpoint | None:
        """As it is afterwards. One that is disabled is owed nothing any more."""
        bind = {
            **_key(caller, endpoint_id),
            "url": changes.url,
            "events": None if changes.events is None else list(changes.events),
            "description": changes.description,
            "status": {None: None, True: "disabled", False: "active"}[changes.disabled],
        }
        async with self._database.tx(caller.workspace_id) as conn:
            row = (await conn.execute(_CHANGE, bind)).mappings().one_or_none()
            if row is not None and changes.disabled:
                await give_up(conn, caller.workspace_id, endpoint_id)
        return None if row is None else rows.endpoint(row)

    async def delete(self, caller: Caller, endpoint_id: str) -> bool:
        """With all its deliveries. False: there is none."""
        bind = _key(caller, endpoint_id)
        async with self._database.tx(caller.workspace_id) as conn:
            found = (await conn.execute(_DELETE, bind)).rowcount == 1
            if found:
                await conn.execute(_DELETE_DELIVERIES, bind)
        return found

    async def rotate(
        self, caller: Caller, endpoint_id: str, sealed: SealedBytes, old_until: datetime
    ) -> Endpoint | None:
        """Keeps a new secret, and the one before until then."""
        bind = {**_key(caller, endpoint_id), **_sealed(sealed), "old_until": old_until}
        async with self._database.tx(caller.workspace_id) as conn:
            row = (await conn.execute(_ROTATE, bind)).mappings().one_or_none()
        return None if row is None else rows.endpoint(row)


class PostgresDeliveries:
    """ports.Deliveries over PostgreSQL."""

    def __init__(self, database: Database, new_id: Callable[[str], str]) -> None:
        self._database = database
        self._new_id = new_id

    async def page(
        self, caller: Caller, endpoint_id: str, *, limit: int, after: Position | None, status: DeliveryStatus | None
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries of one endpoint, newest first."""
        bind = {
            **_key(caller, ""),
            **position(after),
            "endpoint_id": endpoint_id,
            "status": status and status.value,
            "limit": limit,
        }
        async with self._database.tx(caller.workspace_id) as conn:
            return [rows.delivery(row) for row in (await conn.execute(_PAGE_DELIVERIES, bind)).mappings()]

    async def get(self, caller: Caller, delivery_id: str) -> Delivery | None:
        """One delivery to an endpoint of the caller's."""
        async with self._database.tx(caller.workspace_id) as conn:
            return await _delivery(conn, caller, delivery_id)

    async def send(self, caller: Caller, endpoint_id: str, news: News) -> Delivery:
        """Makes an event for one endpoint alone, to be tried once."""
        event_id = self._new_id("evt")
        way = NewDelivery(self._new_id("dlv"), endpoint_id, event_id, once=True)
        async with self._database.tx(caller.workspace_id) as conn:
            await add_event(conn, caller.workspace_id, event_id, news)
            await add_deliveries(conn, caller.workspace_id, [way], news.happened_at)
            await db.notify(conn, rows.DUE_CHANNEL, "")
            found = await _delivery(conn, caller, way.id)
        assert found is not None, "it was added in this transaction"
        return found

    async def replay(self, caller: Caller, endpoint_id: str, delivery_id: str, now: datetime) -> Delivery | None:
        """Makes it due, with the whole schedule before it."""
        bind = {**_key(caller, delivery_id), "endpoint_id": endpoint_id, "now": now}
        async with self._database.tx(caller.workspace_id) as conn:
            if (await conn.execute(_REPLAY, bind)).rowcount == 0:
                return None
            await db.notify(conn, rows.DUE_CHANNEL, "")
            return await _delivery(conn, caller, delivery_id)


async def give_up(conn: AsyncConnection, workspace_id: str, endpoint_id: str) -> None:
    """Settles what a disabled endpoint was still owed. The caller holds the endpoint's row."""
    bind = {"workspace_id": workspace_id, "id": endpoint_id, "error": Fault.DISABLED.value}
    await conn.execute(_GIVE_UP, bind)


async def _delivery(conn: AsyncConnection, caller: Caller, delivery_id: str) -> Delivery | None:
    row = (await conn.execute(_GET_DELIVERY, _key(caller, delivery_id))).mappings().one_or_none()
    return None if row is None else rows.delivery(row)


def _key(caller: Caller, an_id: str) -> dict[str, object]:
    return {"workspace_id": caller.workspace_id, "live": caller.live, "id": an_id}


def _sealed(sealed: SealedBytes) -> dict[str, object]:
    return {"key_version": sealed.key_version, "sealed": sealed.blob}

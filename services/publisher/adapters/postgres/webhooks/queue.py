"""Deliveries, as the workers see them: claims and results.

`next_at` says when a delivery is next anybody's: the time of an attempt while nobody works on it, the end of the lease
while somebody does. `epoch` fences: it grows with every claim, and a write that names an older one changes nothing.
Who changes an endpoint's row and its deliveries' takes the endpoint's first.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from services.common import db
from services.common.db import Database
from services.common.errors import MediaError
from services.publisher.adapters.postgres.webhooks import rows
from services.publisher.adapters.postgres.webhooks.endpoints import give_up
from services.publisher.app.webhooks.ports import Parcel, Room
from services.publisher.domain.webhooks.delivery import Fault, Outcome

# ruff: noqa: S608  what is put into these statements are names of ours

_HELD = "workspace_id = :workspace_id AND id = :id AND epoch = :epoch AND claimed"
# Who claims counts what others have claimed: one after the other, for some milliseconds.
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtextextended('publisher webhooks claim', 0))")
# lanes: the endpoints that are owed something, each found by one step in the index, however long its queue is.
# choice: of each lane what is due first, as far as what is under way leaves room; `place` is the turn in its lane, so
# that of all lanes the first go first. Those that fail come last, and never take all the room.
_CLAIM = text(
    "WITH RECURSIVE lanes AS ("
    " (SELECT endpoint_id FROM publisher.webhook_deliveries WHERE next_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)"
    " UNION ALL SELECT (SELECT d.endpoint_id FROM publisher.webhook_deliveries d WHERE d.next_at IS NOT NULL"
    " AND d.endpoint_id > lanes.endpoint_id ORDER BY d.endpoint_id LIMIT 1) FROM lanes"
    " WHERE lanes.endpoint_id IS NOT NULL"
    "), choice AS ("
    " SELECT d.workspace_id, d.id, d.next_at, e.failing_since IS NOT NULL AS failing,"
    " held.count + row_number() OVER (PARTITION BY e.id ORDER BY d.next_at, d.id) AS place"
    " FROM lanes JOIN publisher.webhook_endpoints e ON e.id = lanes.endpoint_id"
    " CROSS JOIN LATERAL (SELECT count(*) FROM publisher.webhook_deliveries"
    " WHERE endpoint_id = e.id AND claimed AND next_at > :now) held"
    " CROSS JOIN LATERAL (SELECT workspace_id, id, next_at FROM publisher.webhook_deliveries"
    " WHERE endpoint_id = e.id AND next_at <= :now ORDER BY next_at, id LIMIT :per_endpoint) d"
    "), turn AS ("
    " SELECT *, row_number() OVER (PARTITION BY failing ORDER BY place, next_at) AS turn FROM choice"
    " WHERE place <= CASE WHEN failing THEN :per_failing ELSE :per_endpoint END"
    "), taken AS ("
    " SELECT d.workspace_id, d.id FROM publisher.webhook_deliveries d JOIN turn USING (workspace_id, id)"
    " WHERE NOT turn.failing OR turn.turn <= :failing ORDER BY turn.failing, turn.turn LIMIT :parcels"
    " FOR UPDATE OF d SKIP LOCKED"
    ") UPDATE publisher.webhook_deliveries d SET epoch = d.epoch + 1, claimed = true, next_at = :lease_ends FROM taken"
    " JOIN publisher.webhook_deliveries o USING (workspace_id, id)"
    " JOIN publisher.webhook_events v ON v.workspace_id = o.workspace_id AND v.id = o.event_id"
    " JOIN publisher.webhook_endpoints e ON e.id = o.endpoint_id"
    " WHERE d.workspace_id = taken.workspace_id AND d.id = taken.id"
    f" RETURNING {rows.PARCEL}"
)
_TAKEN = (
    "unnest(CAST(:workspace_ids AS text[]), CAST(:ids AS text[]), CAST(:epochs AS bigint[]),"
    " CAST(:endpoint_ids AS text[]), CAST(:statuses AS integer[]), CAST(:moments AS timestamptz[]))"
    " AS r(workspace_id, id, epoch, endpoint_id, status, moment)"
)
_WORK = text(
    "WITH well AS (SELECT e.workspace_id, e.id FROM publisher.webhook_endpoints e WHERE e.failing_since IS NOT NULL"
    f" AND (e.workspace_id, e.id) IN (SELECT r.workspace_id, r.endpoint_id FROM {_TAKEN}) ORDER BY e.id FOR UPDATE)"
    " UPDATE publisher.webhook_endpoints e SET failing_since = NULL FROM well"
    " WHERE e.workspace_id = well.workspace_id AND e.id = well.id"
)
_DELIVERED = text(
    "UPDATE publisher.webhook_deliveries d SET status = 'delivered', next_at = NULL, claimed = false,"
    f" attempts = d.attempts + 1, last_attempt_at = r.moment, response_status = r.status, error = NULL FROM {_TAKEN}"
    " WHERE d.workspace_id = r.workspace_id AND d.id = r.id AND d.epoch = r.epoch AND d.claimed"
)
_FAILS = text(
    "UPDATE publisher.webhook_endpoints SET failing_since = coalesce(failing_since, :now)"
    " WHERE workspace_id = :workspace_id AND id = :endpoint_id RETURNING status"
)
_FAILED = text(
    "UPDATE publisher.webhook_deliveries SET claimed = false, attempts = attempts + 1, failures = failures + 1,"
    " status = CASE WHEN CAST(:next_at AS timestamptz) IS NULL THEN 'failed' ELSE 'pending' END, next_at = :next_at,"
    f" last_attempt_at = :now, response_status = :response_status, error = :error WHERE {_HELD}"
)
_DISABLE = text(
    "UPDATE publisher.webhook_endpoints SET status = 'disabled', failing_since = coalesce(failing_since, :now)"
    " WHERE workspace_id = :workspace_id AND id = :endpoint_id AND url = :url"
)
_HAND_BACK = text(f"UPDATE publisher.webhook_deliveries SET claimed = false, next_at = :now WHERE {_HELD}")
_FORGET = text(
    "WITH old AS (SELECT workspace_id, id FROM publisher.webhook_events v WHERE created_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM publisher.webhook_deliveries d WHERE d.workspace_id = v.workspace_id"
    " AND d.event_id = v.id AND d.next_at IS NOT NULL) ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED),"
    " gone AS (DELETE FROM publisher.webhook_deliveries d USING old"
    " WHERE d.workspace_id = old.workspace_id AND d.event_id = old.id)"
    " DELETE FROM publisher.webhook_events v USING old WHERE v.workspace_id = old.workspace_id AND v.id = old.id"
)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A result that is to be written, and who waits for that."""

    parcel: Parcel
    outcome: Outcome
    now: datetime
    written: asyncio.Future[None]

    def done(self) -> None:
        if not self.written.done():  # who waited may have been stopped, or told of a fault
            self.written.set_result(None)

    def failed(self, fault: MediaError) -> None:
        if not self.written.done():
            self.written.set_exception(fault)


class PostgresQueue:
    """ports.Queue over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._taken: list[_Taken] = []
        self._writing: asyncio.Task[None] | None = None

    async def claim(self, room: Room, now: datetime, lease_s: float) -> Sequence[Parcel]:
        """What is due and nobody's, shared out fairly among endpoints, those that do not fail first."""
        bind = {
            "parcels": room.parcels,
            "failing": room.failing,
            "per_endpoint": room.per_endpoint,
            "per_failing": room.per_failing,
            "now": now,
            "lease_ends": now + timedelta(seconds=lease_s),
        }
        async with self._database.system_tx() as conn:
            await conn.execute(_ONE_BY_ONE)
            return [rows.parcel(row) for row in (await conn.execute(_CLAIM, bind)).mappings()]

    async def delivered(self, parcel: Parcel, outcome: Outcome, now: datetime) -> None:
        """It was taken. As this is what happens most, what comes while others are written is written together."""
        written = asyncio.get_running_loop().create_future()
        self._taken.append(_Taken(parcel, outcome, now, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="webhook results")
        await written

    async def _write(self) -> None:
        while self._taken:
            batch, self._taken = self._taken, []
            bind = _arrays(batch)
            try:
                async with self._database.system_tx() as conn:
                    await conn.execute(_WORK, bind)
                    await conn.execute(_DELIVERED, bind)
            except MediaError as exc:
                for one in batch:
                    one.failed(exc)
            except BaseException:
                for one in batch:
                    one.written.cancel()
                raise
            for one in batch:
                one.done()

    async def failed(self, parcel: Parcel, outcome: Outcome, now: datetime, next_at: datetime | None) -> None:
        """It was not. A disabled endpoint is not tried again."""
        bind = _result(parcel, outcome, now)
        async with self._database.tx(parcel.workspace_id) as conn:
            status = (await conn.execute(_FAILS, bind)).scalar_one_or_none()
            await conn.execute(_FAILED, {**bind, "next_at": next_at if status == "active" else None})

    async def gone(self, parcel: Parcel, outcome: Outcome, now: datetime) -> None:
        """The endpoint wants no more: it is disabled. One that has another URL by now is tried there at once."""
        bind = _result(parcel, outcome, now)
        async with self._database.tx(parcel.workspace_id) as conn:
            disabled = (await conn.execute(_DISABLE, bind)).rowcount
            await conn.execute(_FAILED, {**bind, "next_at": None if disabled else now})
            if disabled:
                await give_up(conn, parcel.workspace_id, parcel.endpoint_id)

    async def hand_back(self, parcel: Parcel, now: datetime) -> None:
        """Makes it due at once, as it is."""
        async with self._database.tx(parcel.workspace_id) as conn:
            await conn.execute(_HAND_BACK, {**_key(parcel), "now": now})
            await db.notify(conn, rows.DUE_CHANNEL, "")

    async def forget(self, before: datetime) -> int:
        """Drops settled events made before that, with their deliveries, a bounded number; how many."""
        async with self._database.system_tx() as conn:
            return (await conn.execute(_FORGET, {"before": before})).rowcount


def _arrays(batch: Sequence[_Taken]) -> dict[str, object]:
    return {
        "workspace_ids": [one.parcel.workspace_id for one in batch],
        "ids": [one.parcel.delivery_id for one in batch],
        "epochs": [one.parcel.epoch for one in batch],
        "endpoint_ids": [one.parcel.endpoint_id for one in batch],
        "statuses": [one.outcome.status for one in batch],
        "moments": [one.now for one in batch],
    }


def _key(parcel: Parcel) -> dict[str, object]:
    return {"workspace_id": parcel.workspace_id, "id": parcel.delivery_id, "epoch": parcel.epoch}


def _result(parcel: Parcel, outcome: Outcome, now: datetime) -> dict[str, object]:
    return {
        **_key(parcel),
        "endpoint_id": parcel.endpoint_id,
        "url": parcel.url,
        "now": now,
        "response_status": outcome.status,
        "error": None if outcome.fault is None else Fault(outcome.fault).value,
    }

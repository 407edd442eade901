"""A change and its event commit together; a relay tells the event afterwards."""

import asyncio
import contextlib

from mediaapi.v1 import events_pb2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import events
from services.common.db import Database
from services.common.events import Bus

BATCH = 100
LOOK_EVERY_S = 5.0  # should a NOTIFY be missed


async def emit(conn: AsyncConnection, schema: str, event: events_pb2.Event) -> None:
    """Tells `event` if and only if the transaction commits."""
    # In one go, since almost every change tells something.
    statement = text(
        f"WITH told AS (INSERT INTO {schema}.outbox (id, workspace_id, subject, body)"  # noqa: S608
        " VALUES (:id, :workspace_id, :subject, :body)) SELECT pg_notify(:channel, :id)"
    )
    values = {
        "channel": channel(schema),
        "id": event.id,
        "workspace_id": event.workspace_id,
        "subject": events.subject(event),
        "body": event.SerializeToString(),
    }
    await conn.execute(statement, values)


def channel(schema: str) -> str:
    """The NOTIFY channel of that outbox."""
    return f"{schema}_outbox"


class Relay:
    """Publishes what is in the outbox, in order; several may run. A row goes once JetStream has stored its event."""

    def __init__(self, database: Database, bus: Bus, schema: str) -> None:
        self._database = database
        self._bus = bus
        self._schema = schema
        self._take = text(
            f"SELECT n, id, subject, body FROM {schema}.outbox ORDER BY n"  # noqa: S608
            f" LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
        )
        self._drop = text(f"DELETE FROM {schema}.outbox WHERE n = ANY(:told)")  # noqa: S608

    async def run(self) -> None:
        """For ever. Raises MediaError UNAVAILABLE when NATS or the database is away: run it again."""
        async with self._database.wakeups(channel(self._schema)) as wakeups:
            with wakeups.watch("") as emitted:
                while True:
                    emitted.clear()
                    if await self.tell() < BATCH:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(LOOK_EVERY_S):
                                await emitted.wait()

    async def tell(self) -> int:
        """One batch; how many there were."""
        async with self._database.system_tx() as conn:
            rows = (await conn.execute(self._take)).all()
            told = []
            for row in rows:
                await self._bus.publish(row.subject, bytes(row.body), message_id=row.id)
                told.append(row.n)
            if told:
                await conn.execute(self._drop, {"told": told})
        return len(rows)

"""What waits, and for how long the oldest of it has, as gauges: in a stage's tables, and for its consumers.

All replicas of a stage look at the same tables and consumers: take the largest of what they tell, never the sum.
"""

import asyncio
from collections.abc import Mapping

import nats.errors
import nats.js.errors
from prometheus_client import Gauge
from sqlalchemy import text

from services.common.db import Database
from services.common.errors import Code, MediaError
from services.common.events import DEAD, STREAM, Bus

LOOK_EVERY_S = 15.0
NOT_YET_S = 1.0
# Of more than that, so many are looked at: the question stays cheap when the answer is bad.
MOST = 10_000

ITEMS = Gauge("waiting_items", f"Rows that wait at a step, {MOST} at most.", ("step",))
OLDEST = Gauge("waiting_oldest_seconds", "For how long the oldest of them has waited; 0: none does.", ("step",))
PENDING = Gauge("events_pending", "Events that a consumer was not given yet.", ("consumer",))
UNACKNOWLEDGED = Gauge("events_unacknowledged", "Events that it was given and has not finished.", ("consumer",))
REDELIVERED = Gauge("events_redelivered", "Those of them that it was given more than once.", ("consumer",))
DEAD_LETTERS = Gauge("events_dead_letters", "Events that lie among the dead.")

_BROKEN = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)


class Steps:
    """What waits in the tables of one stage, and in its outbox.

    Args:
        steps: By name, a SELECT of the time `since` when each row has waited, across all workspaces, by an index.
    """

    def __init__(self, database: Database, schema: str, steps: Mapping[str, str]) -> None:
        self._database = database
        outbox = f"SELECT created_at AS since FROM {schema}.outbox ORDER BY n"  # noqa: S608
        self._questions = {
            step: text(
                "SELECT count(*), coalesce(extract(epoch FROM now() - min(since)), 0)::float8"  # noqa: S608
                f" FROM ({select} LIMIT {MOST}) waiting"
            )
            for step, select in {**steps, f"{schema}_outbox": outbox}.items()
        }

    async def look(self) -> None:
        """Once. Raises MediaError UNAVAILABLE where the database is: the gauges keep what they said."""
        async with self._database.system_tx() as conn:
            for step, question in self._questions.items():
                items, oldest_s = (await conn.execute(question)).one()
                ITEMS.labels(step).set(items)
                OLDEST.labels(step).set(max(0.0, oldest_s))


async def watch(bus: Bus, durable: str) -> None:
    """What waits for one consumer, for ever. Until it is there, it is waited for.

    Raises:
        MediaError: UNAVAILABLE, NATS is: run it again.
    """
    while True:
        try:
            consumer = await bus.jetstream.consumer_info(STREAM, durable)
            dead = await bus.jetstream.stream_info(DEAD)
        except nats.js.errors.NotFoundError:
            await asyncio.sleep(NOT_YET_S)
            continue
        except _BROKEN as exc:
            raise MediaError(Code.UNAVAILABLE, why=f"nats: {type(exc).__name__}: {exc}") from exc
        PENDING.labels(durable).set(consumer.num_pending or 0)
        UNACKNOWLEDGED.labels(durable).set(consumer.num_ack_pending or 0)
        REDELIVERED.labels(durable).set(consumer.num_redelivered or 0)
        DEAD_LETTERS.set(dead.state.messages)
        await asyncio.sleep(LOOK_EVERY_S)

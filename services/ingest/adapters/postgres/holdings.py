"""How many bytes there are, as gauges: by the rows, and as the store's walks saw them."""

from prometheus_client import Gauge
from sqlalchemy import text

from services.common.db import Database
from services.ingest.domain.reconciliation import IN_PARTS, Place

LOOK_EVERY_S = 30.0

_ALIKE = "Every replica says the same: take the largest, never the sum."
HELD = Gauge(
    "ingest_held_bytes",
    f"Originals of live items and of uploads under way, as rows count them for quotas; no renditions. {_ALIKE}",
)
STORED = Gauge(
    "ingest_stored_bytes",
    "Objects at a place of the object store, as the last whole walk over it saw them: up to six hours ago, and more in"
    f" large stores. Told once there was a walk; no parts of open uploads, no older versions. {_ALIKE}",
    ("place",),
)

# One row for each workspace, kept by triggers.
_HELD = text("SELECT coalesce(sum(bytes), 0)::bigint FROM ingest.usage")
_STORED = text("SELECT place, stored_bytes FROM ingest.walks WHERE stored_bytes IS NOT NULL")


class Holdings:
    """Of all workspaces together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self) -> None:
        """Once. Raises MediaError UNAVAILABLE where the database is: the gauges keep what they said."""
        async with self._database.system_tx() as conn:
            held = (await conn.execute(_HELD)).scalar_one()
            stored = (await conn.execute(_STORED)).all()
        HELD.set(held)
        for place, stored_bytes in stored:
            if Place(place) not in IN_PARTS:
                STORED.labels(place).set(stored_bytes)

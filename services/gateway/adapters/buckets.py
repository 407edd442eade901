"""ports.Buckets over PostgreSQL; its clock is the one all gateways share."""

from sqlalchemy import text

from services.common.db import Database
from services.gateway.domain import rates
from services.gateway.domain.rates import Kind, Rate, Taken

_MAKE = text(
    "INSERT INTO buckets (workspace_id, kind, full_at) VALUES (:workspace_id, :kind, clock_timestamp())"
    " ON CONFLICT DO NOTHING"
)
_LOCK = text("SELECT full_at FROM buckets WHERE workspace_id = :workspace_id AND kind = :kind FOR UPDATE")
_NOW = text("SELECT clock_timestamp()")
_STORE = text("UPDATE buckets SET full_at = :full_at WHERE workspace_id = :workspace_id AND kind = :kind")
_FORGET = text("DELETE FROM buckets WHERE full_at < now() - interval '1 day'")


class PostgresBuckets:
    """A row for each workspace and kind that asked of late."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, workspace_id: str, kind: Kind, rate: Rate, *, wanted: int, returned: int) -> Taken:
        """See ports.Buckets."""
        key = {"workspace_id": workspace_id, "kind": kind.value}
        async with self._database.tx(workspace_id) as conn:
            found = (await conn.execute(_LOCK, key)).scalar_one_or_none()
            while found is None:
                await conn.execute(_MAKE, key)
                found = (await conn.execute(_LOCK, key)).scalar_one_or_none()
            now = (await conn.execute(_NOW)).scalar_one()
            taken = rates.take(rate, found, now, wanted=wanted, returned=returned)
            if taken.full_at != found:
                await conn.execute(_STORE, key | {"full_at": taken.full_at})
        return taken

    async def forget_old(self) -> int:
        """Removes buckets that have been full for a day. Returns how many."""
        async with self._database.system_tx() as conn:
            return (await conn.execute(_FORGET)).rowcount

"""Media that posts hold in ingest."""

from sqlalchemy import text

from services.common.db import Database
from services.publisher.ports import Pin

_ENDED = text(
    "SELECT workspace_id, post_id, media_id FROM publisher.post_media WHERE NOT needed AND released_at IS NULL"
    " LIMIT :limit"
)
_RELEASED = text(
    "UPDATE publisher.post_media SET released_at = now()"
    " WHERE workspace_id = :workspace_id AND post_id = :post_id AND media_id = :media_id"
)


class PostgresPins:
    """ports.Pins over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ended(self, limit: int) -> list[Pin]:
        """Pins of settled posts, of all workspaces."""
        async with self._database.system_tx() as conn:
            found = (await conn.execute(_ENDED, {"limit": limit})).mappings().all()
        return [Pin(row["workspace_id"], row["post_id"], row["media_id"]) for row in found]

    async def released(self, pin: Pin) -> None:
        """The item is held no longer."""
        bind = {"workspace_id": pin.workspace_id, "post_id": pin.post_id, "media_id": pin.media_id}
        async with self._database.tx(pin.workspace_id) as conn:
            await conn.execute(_RELEASED, bind)

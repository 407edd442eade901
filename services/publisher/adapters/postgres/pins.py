"""Media that posts hold in ingest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from services.common.db import Database
from services.publisher.ports import Pin

_ENDED = text(
    "SELECT workspace_id, post_id, media_id FROM publisher.post_media WHERE NOT needed AND released_at IS NULL"
    " LIMIT :limit"
)
_HELD = text(
    "SELECT 1 FROM publisher.post_media WHERE workspace_id = :workspace_id AND post_id = :post_id"
    " AND media_id = :media_id AND NOT needed AND released_at IS NULL FOR UPDATE SKIP LOCKED"
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

    @asynccontextmanager
    async def letting_go(self, pin: Pin) -> AsyncIterator[bool]:
        """The row stays locked inside, so that a post that needs the item again pins it afterwards and not before."""
        bind = {"workspace_id": pin.workspace_id, "post_id": pin.post_id, "media_id": pin.media_id}
        async with self._database.tx(pin.workspace_id) as conn:
            held = (await conn.execute(_HELD, bind)).one_or_none() is not None
            yield held
            if held:
                await conn.execute(_RELEASED, bind)

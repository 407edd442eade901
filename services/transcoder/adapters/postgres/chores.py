"""ports.Chores over PostgreSQL: questions across all workspaces, with the rights for that."""

from collections.abc import Sequence

from sqlalchemy import text

from services.common import outbox
from services.common.db import Database
from services.transcoder.adapters.postgres.items import SCHEMA, key, load
from services.transcoder.ports import Ref
from services.transcoder.view import View

LAST_PUT_S = 120.0  # a job that lost its claim may still be storing an object for that long

_LITTER = text(
    "SELECT workspace_id, id FROM transcoder.items WHERE gone AND due_at <= now() ORDER BY due_at LIMIT :limit"
)
_SWEPT = text(
    "UPDATE transcoder.items SET lease_until = NULL, due_at = CASE WHEN lease_until IS NULL THEN NULL"
    " ELSE now() + make_interval(secs => :last_put_s) END WHERE workspace_id = :workspace_id AND id = :id AND gone"
)
_PUT_OFF = text(
    "UPDATE transcoder.items SET due_at = now() + make_interval(secs => :wait_s)"
    " WHERE workspace_id = :workspace_id AND id = :id AND gone"
)
_RETELL = text(
    "UPDATE transcoder.items i SET retell_at = NULL FROM (SELECT workspace_id, id FROM transcoder.items"
    " WHERE retell_at <= now() ORDER BY retell_at LIMIT :limit FOR UPDATE SKIP LOCKED) c"
    " WHERE i.workspace_id = c.workspace_id AND i.id = c.id AND NOT i.gone RETURNING i.workspace_id, i.id"
)


class PostgresChores:
    """What sweepers ask."""

    def __init__(self, database: Database, view: View) -> None:
        self._database = database
        self._view = view

    async def litter(self, limit: int) -> Sequence[Ref]:
        """See ports.Chores."""
        async with self._database.system_tx() as conn:
            return [Ref(*row) for row in (await conn.execute(_LITTER, {"limit": limit})).all()]

    async def swept(self, ref: Ref) -> None:
        """See ports.Chores. A claim left behind means that there may have been a job."""
        async with self._database.tx(ref.workspace_id) as conn:
            await conn.execute(_SWEPT, {**key(ref), "last_put_s": LAST_PUT_S})

    async def put_off(self, ref: Ref, wait_s: float) -> None:
        """See ports.Chores."""
        async with self._database.tx(ref.workspace_id) as conn:
            await conn.execute(_PUT_OFF, {**key(ref), "wait_s": wait_s})

    async def retell(self, limit: int) -> None:
        """See ports.Chores. The version stays: whoever heard it before takes no notice."""
        async with self._database.system_tx() as conn:
            for row in (await conn.execute(_RETELL, {"limit": limit})).all():
                item = await load(conn, Ref(*row))
                if item is not None:
                    await outbox.emit(conn, SCHEMA, self._view.rendered(item))

"""ports.Chores over PostgreSQL: questions across all workspaces, with the rights for that."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import TextClause, text

from services.common.db import Database
from services.ingest.adapters.postgres import rows
from services.ingest.domain.media import Media, State
from services.ingest.ports import Litter, Ref

# ruff: noqa: S608  what is put into these statements are column lists of ours

_REF = "SELECT m.workspace_id, m.id FROM ingest.media m"
_NO_PIN = (
    "NOT EXISTS (SELECT FROM ingest.pins p WHERE p.workspace_id = m.workspace_id AND p.media_id = m.id"
    " AND p.until > now())"
)
_IN_QUARANTINE = "(m.in_quarantine AND m.state NOT IN ('receiving', 'scanning'))"
_IN_ACTIVE = (
    "(((m.in_active AND m.state IN ('rejected', 'deleted', 'expired'))"
    f" OR (NOT m.deletion_told AND m.state IN ('deleted', 'expired'))) AND {_NO_PIN})"
)

_DUE = text(f"{_REF} WHERE m.state = :state AND {rows.UNHELD} AND {rows.DUE} ORDER BY m.due_at LIMIT :limit")
_ABANDONED = text(f"{_REF} WHERE m.state = 'receiving' AND m.lease_until < now() ORDER BY m.lease_until LIMIT :limit")
_ENDED = text(
    f"{_REF} WHERE m.state NOT IN ('deleted', 'expired') AND m.expires_at <= now() AND {_NO_PIN}"
    " ORDER BY m.expires_at LIMIT :limit"
)
_ENDING = text(
    f"{_REF} WHERE m.state = 'ready' AND NOT m.end_told AND m.expires_at <= now() + :within AND m.expires_at > now()"
    " ORDER BY m.expires_at LIMIT :limit"
)
_UNCOVERED = text(f"{_REF} WHERE m.cover_due_at <= now() ORDER BY m.cover_due_at LIMIT :limit")
_LITTER = text(
    f"SELECT {rows.MEDIA}, {rows.FAULT}, {_IN_QUARANTINE} AS quarantine, {_IN_ACTIVE} AS active FROM ingest.media m"
    f" WHERE ({_IN_QUARANTINE} OR {_IN_ACTIVE}) AND {rows.UNHELD}"
    # While it is processed, due_at is about the transcoder.
    f" AND (m.state = 'processing' OR {rows.DUE}) ORDER BY m.due_at LIMIT :limit"
)
_FORGET_PINS = text("DELETE FROM ingest.pins WHERE until < now()")
_SWEPT = text(
    "UPDATE ingest.media SET in_quarantine = in_quarantine AND NOT :quarantine, in_active = in_active AND NOT :active,"
    " multipart_id = CASE WHEN :quarantine THEN '' ELSE multipart_id END"
    " WHERE workspace_id = :workspace_id AND id = :id"
)
_PUT_OFF = text(
    "UPDATE ingest.media SET tries = tries + 1, due_at = now() + make_interval(secs => :wait_s)"
    " WHERE workspace_id = :workspace_id AND id = :id AND state NOT IN ('receiving', 'scanning', 'processing')"
)


class PostgresChores:
    """What sweepers ask."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, state: State, limit: int) -> Sequence[Ref]:
        """See ports.Chores."""
        return await self._refs(_DUE, state=state.value, limit=limit)

    async def abandoned(self, limit: int) -> Sequence[Ref]:
        """See ports.Chores."""
        return await self._refs(_ABANDONED, limit=limit)

    async def ended(self, limit: int) -> Sequence[Ref]:
        """See ports.Chores."""
        return await self._refs(_ENDED, limit=limit)

    async def ending(self, limit: int, within: timedelta) -> Sequence[Ref]:
        """See ports.Chores."""
        return await self._refs(_ENDING, limit=limit, within=within)

    async def uncovered(self, limit: int) -> Sequence[Ref]:
        """See ports.Chores."""
        return await self._refs(_UNCOVERED, limit=limit)

    async def litter(self, limit: int) -> Sequence[Litter]:
        """See ports.Chores."""
        async with self._database.system_tx() as conn:
            found = (await conn.execute(_LITTER, {"limit": limit})).mappings().all()
        return [
            Litter(rows.media(record), quarantine=record["quarantine"], active=record["active"]) for record in found
        ]

    async def forget_pins(self) -> None:
        """See ports.Chores."""
        async with self._database.system_tx() as conn:
            await conn.execute(_FORGET_PINS)

    async def swept(self, media: Media, *, quarantine: bool, active: bool) -> None:
        """See ports.Chores."""
        bind = {
            "workspace_id": media.workspace_id,
            "id": media.media_id,
            "quarantine": quarantine,
            "active": active,
        }
        async with self._database.tx(media.workspace_id) as conn:
            await conn.execute(_SWEPT, bind)

    async def put_off(self, media: Media, wait_s: float) -> None:
        """See ports.Chores."""
        bind = {"workspace_id": media.workspace_id, "id": media.media_id, "wait_s": wait_s}
        async with self._database.tx(media.workspace_id) as conn:
            await conn.execute(_PUT_OFF, bind)

    async def _refs(self, question: TextClause, **bind: object) -> Sequence[Ref]:
        async with self._database.system_tx() as conn:
            found = (await conn.execute(question, bind)).all()
        return [Ref(workspace_id, media_id) for workspace_id, media_id in found]

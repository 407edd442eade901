"""ports.Walks over PostgreSQL: what rows need of what is stored, across all workspaces."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import text

from services.common.db import Database
from services.ingest.domain.reconciliation import Place
from services.ingest.ports import Owed, Ref, Walk

# ruff: noqa: S608  what is put into these statements are conditions of ours

_PINNED = (
    "EXISTS (SELECT FROM ingest.pins p WHERE p.workspace_id = m.workspace_id AND p.media_id = m.id AND p.until > now())"
)
_UPLOADED = (
    "EXISTS (SELECT FROM ingest.uploads u WHERE u.media_id = asked.item"
    " AND (u.phase = 'receiving' OR (u.in_store AND u.phase <> 'complete')))"
)
_ITEM = "EXISTS (SELECT FROM ingest.media m WHERE m.id = asked.item AND ({needs}))"

# What other chores still have to remove is needed too: they know when, and tell of it.
_NEEDS = {
    Place.QUARANTINE: f"{_ITEM} OR {_UPLOADED}".format(needs="m.in_quarantine OR m.state IN ('receiving', 'scanning')"),
    Place.SOURCES: _ITEM.format(
        needs="m.active_key = asked.key"
        f" AND (m.in_active OR m.state NOT IN ('rejected', 'deleted', 'expired') OR {_PINNED})"
    ),
    Place.RENDITIONS: _ITEM.format(needs=f"m.in_active OR m.state NOT IN ('deleted', 'expired') OR {_PINNED}"),
    Place.QUARANTINE_PARTS: f"{_ITEM} OR {_UPLOADED}".format(needs="m.state = 'receiving'"),
    # Whoever writes parts there does so within one process, and begins anew after a crash.
    Place.ACTIVE_PARTS: "false",
}
_NEEDED = {
    place: text(
        "SELECT asked.key FROM unnest(CAST(:keys AS text[]), CAST(:items AS text[])) AS asked (key, item)"
        f" WHERE {needs}"
    )
    for place, needs in _NEEDS.items()
}

_BEHIND_ALL = "\U0010ffff"
_OWED_BY = {
    Place.QUARANTINE: ("quarantine_key", "state = 'scanning'"),
    Place.SOURCES: ("active_key", "state IN ('processing', 'ready')"),
}
_OWED = {
    place: text(
        f"SELECT workspace_id, id, {column} FROM ingest.media WHERE {state}"
        f' AND {column} COLLATE "C" > :after AND {column} COLLATE "C" <= :last'
        f' ORDER BY {column} COLLATE "C" LIMIT :limit'
    )
    for place, (column, state) in _OWED_BY.items()
}
_TAKE = text(
    "UPDATE ingest.walks SET lease_until = now() + make_interval(secs => :lease_s) WHERE place = ("
    "SELECT place FROM ingest.walks WHERE due_at <= now() AND (lease_until IS NULL OR lease_until < now())"
    " ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING place, after, seen_bytes"
)
_MOVE = text(
    "UPDATE ingest.walks SET after = :after, lease_until = NULL, due_at = now() + make_interval(secs => :wait_s),"
    " seen_bytes = :seen_bytes, stored_bytes = CASE WHEN :after = '' THEN :seen_bytes ELSE stored_bytes END"
    " WHERE place = :place"
)


class PostgresWalks:
    """See ports.Walks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, *, lease_s: float) -> Walk | None:
        """See ports.Walks."""
        async with self._database.system_tx() as conn:
            found = (await conn.execute(_TAKE, {"lease_s": lease_s})).one_or_none()
        return Walk(Place(found.place), found.after, found.seen_bytes) if found else None

    async def move(self, walk: Walk, *, wait_s: float) -> None:
        """See ports.Walks."""
        async with self._database.system_tx() as conn:
            bind = {"place": walk.place.value, "after": walk.after, "seen_bytes": walk.seen_bytes, "wait_s": wait_s}
            await conn.execute(_MOVE, bind)

    async def needed(self, place: Place, items: Mapping[str, str]) -> Collection[str]:
        """See ports.Walks."""
        bind = {"keys": list(items), "items": list(items.values())}
        async with self._database.system_tx() as conn:
            return set((await conn.execute(_NEEDED[place], bind)).scalars())

    async def owed(self, place: Place, *, after: str, last: str, limit: int) -> Sequence[Owed]:
        """See ports.Walks."""
        if place not in _OWED:
            return ()
        async with self._database.system_tx() as conn:
            bind = {"after": after, "last": last or _BEHIND_ALL, "limit": limit}
            found = (await conn.execute(_OWED[place], bind)).all()
        return [Owed(Ref(workspace_id, media_id), key) for workspace_id, media_id, key in found]

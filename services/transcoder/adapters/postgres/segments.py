"""ports.Segments over PostgreSQL: each method is one transaction."""

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping, text

from services.common import db
from services.common.db import Database
from services.transcoder.adapters.postgres.items import CHANGED_CHANNEL, key, load
from services.transcoder.domain.item import Item
from services.transcoder.domain.segments import Cut, Segment
from services.transcoder.ports import Encoding, Ref, Taken

# ruff: noqa: S608  what is put into these statements are texts of ours

_OF_ITEM = "s.workspace_id = :workspace_id AND s.media_id = :id"
_HELD = f"{_OF_ITEM} AND s.n = :n AND s.epoch = :epoch"
_FREE = "s.digests IS NULL AND (s.lease_until IS NULL OR s.lease_until < now())"
_OTHERS = text(
    f"DELETE FROM transcoder.segments s WHERE {_OF_ITEM}"
    " AND (s.of, s.seconds, s.presets) IS DISTINCT FROM (:of, :seconds, CAST(:presets AS text[]))"
)
_OPEN = text(
    "INSERT INTO transcoder.segments (workspace_id, media_id, n, of, seconds, presets)"
    " SELECT :workspace_id, :id, n, :of, :seconds, :presets FROM generate_series(0, :of - 1) n ON CONFLICT DO NOTHING"
)
_FOUND = text(f"SELECT s.n, s.epoch, s.digests FROM transcoder.segments s WHERE {_OF_ITEM} ORDER BY s.n")
_CLAIM = (
    "UPDATE transcoder.segments s SET epoch = s.epoch + 1, tries = s.tries + 1,"
    " lease_until = now() + make_interval(secs => :lease_s)"
    " FROM (SELECT s.workspace_id, s.media_id, s.n FROM transcoder.segments s"
    " JOIN transcoder.items i ON i.workspace_id = s.workspace_id AND i.id = s.media_id WHERE {}"
    " ORDER BY i.queued_at, s.n LIMIT 1 FOR UPDATE OF s SKIP LOCKED) c"
    " WHERE s.workspace_id = c.workspace_id AND s.media_id = c.media_id AND s.n = c.n RETURNING s.*"
)
_TAKE = text(_CLAIM.format(f"{_OF_ITEM} AND {_FREE}"))
# What somebody has tried before is for whoever has the item, and knows what to do if it fails again.
_HELP = text(_CLAIM.format(f"{_FREE} AND s.tries = 0 AND NOT i.gone AND i.lease_until > now()"))
_RENEW = text(f"UPDATE transcoder.segments s SET lease_until = now() + make_interval(secs => :lease_s) WHERE {_HELD}")
_RELEASE = text(
    f"UPDATE transcoder.segments s SET lease_until = NULL, tries = greatest(0, s.tries - :untried) WHERE {_HELD}"
    " AND s.digests IS NULL"
)
_MADE = text(f"UPDATE transcoder.segments s SET lease_until = NULL, digests = :digests WHERE {_HELD}")
_AGAIN = text(f"UPDATE transcoder.segments s SET digests = NULL, lease_until = NULL, tries = 0 WHERE {_OF_ITEM}")
_ENDED = (
    "transcoder.segments s JOIN transcoder.items i ON i.workspace_id = s.workspace_id AND i.id = s.media_id"
    " WHERE (i.due_at IS NULL OR i.gone)"
)
_LEFT = text(f"SELECT DISTINCT s.workspace_id, s.media_id FROM {_ENDED} LIMIT :limit")
_FORGET = text(
    f"DELETE FROM transcoder.segments f USING (SELECT s.workspace_id, s.media_id, s.n FROM {_ENDED} AND {_OF_ITEM}) e"
    " WHERE f.workspace_id = e.workspace_id AND f.media_id = e.media_id AND f.n = e.n"
)


class PostgresSegments:
    """Rows beside the item's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, item: Item, presets: Sequence[str], cut: Cut) -> None:
        """See ports.Segments."""
        bind = {**_key(item), "of": cut.of, "seconds": cut.seconds, "presets": list(presets)}
        async with self._database.tx(item.workspace_id) as conn:
            await conn.execute(_OTHERS, bind)
            await conn.execute(_OPEN, bind)

    async def find(self, item: Item) -> Mapping[int, Encoding | None]:
        """See ports.Segments."""
        async with self._database.tx(item.workspace_id) as conn:
            rows = (await conn.execute(_FOUND, _key(item))).mappings().all()
        return {row["n"]: row["digests"] and Encoding(row["epoch"], tuple(row["digests"])) for row in rows}

    async def take(self, item: Item, *, lease_s: float) -> Taken | None:
        """See ports.Segments."""
        async with self._database.tx(item.workspace_id) as conn:
            row = (await conn.execute(_TAKE, {**_key(item), "lease_s": lease_s})).mappings().one_or_none()
        return _taken(row, item) if row else None

    async def help(self, *, lease_s: float) -> Taken | None:
        """See ports.Segments."""
        async with self._database.system_tx() as conn:
            row = (await conn.execute(_HELP, {"lease_s": lease_s})).mappings().one_or_none()
            item = await load(conn, Ref(row["workspace_id"], row["media_id"])) if row else None
        return _taken(row, item) if row and item else None

    async def renew(self, taken: Taken, *, lease_s: float) -> bool:
        """See ports.Segments."""
        async with self._database.tx(taken.item.workspace_id) as conn:
            return bool((await conn.execute(_RENEW, {**_held(taken), "lease_s": lease_s})).rowcount)

    async def release(self, taken: Taken, *, tried: bool) -> None:
        """See ports.Segments."""
        async with self._database.tx(taken.item.workspace_id) as conn:
            await conn.execute(_RELEASE, {**_held(taken), "untried": int(not tried)})
            await db.notify(conn, CHANGED_CHANNEL, taken.item.media_id)

    async def made(self, taken: Taken, digests: Sequence[str]) -> bool:
        """See ports.Segments."""
        async with self._database.tx(taken.item.workspace_id) as conn:
            kept = await conn.execute(_MADE, {**_held(taken), "digests": list(digests)})
            await db.notify(conn, CHANGED_CHANNEL, taken.item.media_id)
        return bool(kept.rowcount)

    async def again(self, item: Item) -> None:
        """See ports.Segments."""
        async with self._database.tx(item.workspace_id) as conn:
            await conn.execute(_AGAIN, _key(item))

    async def left(self, limit: int) -> Sequence[Item]:
        """See ports.Segments."""
        async with self._database.system_tx() as conn:
            refs = [Ref(*row) for row in (await conn.execute(_LEFT, {"limit": limit})).all()]
            return [item for ref in refs if (item := await load(conn, ref))]

    async def forget(self, ref: Ref) -> None:
        """See ports.Segments."""
        async with self._database.tx(ref.workspace_id) as conn:
            await conn.execute(_FORGET, key(ref))


def _taken(row: RowMapping, item: Item) -> Taken:
    return Taken(
        item=item,
        segment=Segment(row["n"], row["of"], row["seconds"]),
        presets=tuple(row["presets"]),
        epoch=row["epoch"],
    )


def _key(item: Item) -> dict[str, object]:
    return {"workspace_id": item.workspace_id, "id": item.media_id}


def _held(taken: Taken) -> dict[str, object]:
    return {**_key(taken.item), "n": taken.segment.n, "epoch": taken.epoch}

"""ports.Items over PostgreSQL: each method is one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from mediaapi.v1 import events_pb2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import db, inbox, outbox, telemetry
from services.common.db import Database
from services.platforms.catalog import Kind
from services.transcoder.adapters.postgres import rows
from services.transcoder.domain.costs import frame_px
from services.transcoder.domain.item import Item
from services.transcoder.ports import Change, Receipt, Ref, Step
from services.transcoder.view import View

# ruff: noqa: S608  what is put into these statements are column lists of ours

SCHEMA = "transcoder"
CHANGED_CHANNEL = "transcoder_items"
RETELL_AFTER_S = 60.0
TWINS = 20
# About what one takes. Only how they compare between workspaces matters.
SHARE_S: Mapping[Kind, float] = MappingProxyType({"image": 1.0, "video": 60.0})

_THIS = "i.workspace_id = :workspace_id AND i.id = :id"
_FIND = text(f"SELECT {rows.ITEM} FROM transcoder.items i WHERE {_THIS}")
_LOCK = text(f"SELECT {rows.ITEM} FROM transcoder.items i WHERE {_THIS} FOR UPDATE")
_VARIANTS = text(
    f"SELECT {rows.VARIANT} FROM transcoder.variants v WHERE v.workspace_id = :workspace_id AND v.media_id = :id"
)
_ADD = text(
    "INSERT INTO transcoder.items (workspace_id, id, gone, kind, content_type, source_key, source_etag, size_bytes,"
    " sha256, token, request_id, traceparent, version, cover_at_s, source_version, epoch, tries, lease_until, due_at,"
    " queued_at) VALUES (:workspace_id, :id, :gone, :kind, :content_type, :source_key, :source_etag, :size_bytes,"
    " :sha256, :token, :request_id, :traceparent, :version, :cover_at_s, :source_version, :epoch, :tries,"
    " now() + make_interval(secs => CAST(:lease_s AS double precision)), now(),"
    # Behind the workspace's own others, each of which takes its share of time: whoever has much waits, nobody else.
    " greatest(now(), (SELECT max(q.queued_at) + make_interval(secs => :share_s) FROM transcoder.items q"
    " WHERE q.workspace_id = :workspace_id AND q.kind = :kind AND q.due_at IS NOT NULL AND NOT q.gone)))"
    " ON CONFLICT DO NOTHING"
)
_BURY = text(
    "INSERT INTO transcoder.items AS i (workspace_id, id, gone, kind, content_type, source_key, source_etag,"
    " size_bytes, sha256, token, request_id, version, due_at)"
    " VALUES (:workspace_id, :id, true, 'image', '', '', '', 0, '', '', '', 0, now())"
    # The new epoch ends the claim of whoever is at work; how long they may still be is kept.
    " ON CONFLICT (workspace_id, id) DO UPDATE SET gone = true, epoch = i.epoch + 1, due_at = now(), retell_at = NULL,"
    " width = NULL, height = NULL, duration_s = NULL, has_audio = NULL, thumbhash = NULL, fit = NULL, catalog = NULL,"
    " cover_at_s = NULL, fault = NULL WHERE NOT i.gone"
)
_FORGET = text("DELETE FROM transcoder.variants WHERE workspace_id = :workspace_id AND media_id = :id")
_FORGET_SEGMENTS = text("DELETE FROM transcoder.segments WHERE workspace_id = :workspace_id AND media_id = :id")
_STORE = text(
    "UPDATE transcoder.items SET version = :version, width = :width, height = :height, duration_s = :duration_s,"
    " has_audio = :has_audio, thumbhash = :thumbhash, fit = CAST(:fit AS jsonb), catalog = :catalog, fault = :fault,"
    " cover_at_s = :cover_at_s, source_version = :source_version,"
    " traceparent = :traceparent, tries = :tries, lease_until = CASE WHEN :release THEN NULL ELSE lease_until END,"
    " due_at = CASE WHEN NOT :pending THEN NULL"
    " ELSE coalesce(now() + make_interval(secs => CAST(:wait_s AS double precision)), due_at, now()) END,"
    " queued_at = CASE WHEN due_at IS NULL THEN now() ELSE queued_at END,"
    " retell_at = CASE WHEN :retell THEN now() + make_interval(secs => :retell_after_s) ELSE retell_at END"
    " WHERE workspace_id = :workspace_id AND id = :id"
)
_STORE_VARIANT = text(
    "INSERT INTO transcoder.variants (workspace_id, media_id, preset, preset_digest, eager, status, how, digest, key,"
    " content_type, size_bytes, width, height, duration_s, reason)"
    " VALUES (:workspace_id, :id, :preset, :preset_digest, :eager, :status, :how, :digest, :key,"
    " :content_type, :size_bytes, :width, :height, :duration_s, :reason)"
    " ON CONFLICT (workspace_id, media_id, preset) DO UPDATE SET preset_digest = excluded.preset_digest,"
    " eager = excluded.eager, status = excluded.status, how = excluded.how, digest = excluded.digest,"
    " key = excluded.key, content_type = excluded.content_type, size_bytes = excluded.size_bytes,"
    " width = excluded.width, height = excluded.height, duration_s = excluded.duration_s, reason = excluded.reason"
)
_CLAIM = text(
    "UPDATE transcoder.items i SET epoch = i.epoch + 1, tries = i.tries + 1,"
    " lease_until = now() + make_interval(secs => :lease_s)"
    " FROM (SELECT workspace_id, id FROM transcoder.items"
    " WHERE due_at <= now() AND NOT gone AND kind = ANY(:kinds) AND (lease_until IS NULL OR lease_until < now())"
    # 'image' sorts before 'video'.
    " ORDER BY kind, queued_at LIMIT 1 FOR UPDATE SKIP LOCKED) c"
    " WHERE i.workspace_id = c.workspace_id AND i.id = c.id"
    # The first in the queue or none: a large film would wait for ever behind small ones that always fit.
    " AND (i.kind = 'image' OR CAST(:most_px AS bigint) IS NULL"
    " OR coalesce(CAST(i.width AS bigint) * i.height, :unknown_px) <= CAST(:most_px AS bigint))"
    " RETURNING i.workspace_id, i.id"
)
_RENEW = text(
    "UPDATE transcoder.items SET lease_until = now() + make_interval(secs => :lease_s)"
    " WHERE workspace_id = :workspace_id AND id = :id AND epoch = :epoch AND NOT gone"
)
_TWIN = text(
    "SELECT t.workspace_id, t.id FROM (SELECT workspace_id, id FROM transcoder.items"
    " WHERE workspace_id = :workspace_id AND sha256 = :sha256 AND kind = :kind AND content_type = :content_type"
    f" AND NOT gone AND fault IS NULL AND catalog = :catalog AND id <> :id LIMIT {TWINS}) t"
    " ORDER BY (SELECT count(*) FROM transcoder.variants v WHERE v.workspace_id = t.workspace_id"
    " AND v.media_id = t.id AND v.preset = ANY(:pending) AND v.status IN ('ready', 'rejected')) DESC, t.id LIMIT 1"
)


class PostgresItems:
    """Row-level security scopes every statement to the workspace of its transaction."""

    def __init__(self, database: Database, view: View) -> None:
        self._database = database
        self._view = view

    async def add(self, item: Item, *, tell: bool, receipt: Receipt, lease_s: float | None = None) -> Item | None:
        """See ports.Items."""
        item = replace(item.told() if tell else item, traceparent=telemetry.traceparent())
        item = item if lease_s is None else item.claimed()
        async with self._database.tx(item.workspace_id) as conn:
            more = {"share_s": SHARE_S[item.kind], "lease_s": lease_s}
            if not (await conn.execute(_ADD, {**rows.values(item), **more})).rowcount:
                return None
            await inbox.first_time(conn, SCHEMA, receipt.consumer, receipt.event_id)
            await _store_variants(conn, item, {})
            if tell:
                await outbox.emit(conn, SCHEMA, self._view.rendered(item))
            await db.notify(conn, CHANGED_CHANNEL, item.media_id)
        return item

    async def find(self, ref: Ref) -> Item | None:
        """See ports.Items."""
        async with self._database.tx(ref.workspace_id) as conn:
            return await load(conn, ref)

    async def change(self, ref: Ref, step: Step, *, receipt: Receipt | None = None) -> Item | None:
        """See ports.Items."""
        async with self._database.tx(ref.workspace_id) as conn:
            if receipt and not await inbox.first_time(conn, SCHEMA, receipt.consumer, receipt.event_id):
                return None
            before = await load(conn, ref, lock=True)
            change = step(before) if before else None
            if before is None or change is None:
                return None
            return await self._store(conn, before, change)

    async def bury(self, ref: Ref, *, receipt: Receipt) -> None:
        """See ports.Items."""
        async with self._database.tx(ref.workspace_id) as conn:
            if await inbox.first_time(conn, SCHEMA, receipt.consumer, receipt.event_id):
                await conn.execute(_BURY, key(ref))
                await conn.execute(_FORGET, key(ref))
                await conn.execute(_FORGET_SEGMENTS, key(ref))
                await db.notify(conn, CHANGED_CHANNEL, ref.media_id)

    async def claim(self, kinds: Sequence[Kind], *, lease_s: float, most_px: int | None = None) -> Item | None:
        """See ports.Items."""
        bind = {"kinds": list(kinds), "lease_s": lease_s, "most_px": most_px, "unknown_px": frame_px(None)}
        async with self._database.system_tx() as conn:
            taken = (await conn.execute(_CLAIM, bind)).one_or_none()
            return await load(conn, Ref(*taken)) if taken else None

    async def renew(self, item: Item, *, lease_s: float) -> bool:
        """See ports.Items."""
        async with self._database.tx(item.workspace_id) as conn:
            kept = await conn.execute(_RENEW, {**rows.values(item), "lease_s": lease_s})
        return bool(kept.rowcount)

    async def twin(self, item: Item, catalog: str) -> Item | None:
        """See ports.Items."""
        bind = {**rows.values(item), "catalog": catalog, "pending": list(item.pending)}
        async with self._database.tx(item.workspace_id) as conn:
            found = (await conn.execute(_TWIN, bind)).one_or_none()
            return await load(conn, Ref(*found)) if found else None

    async def _store(self, conn: AsyncConnection, before: Item, change: Change) -> Item:
        item = change.item.told() if change.tell else change.item
        bind = {
            **rows.values(item),
            "release": change.release,
            "pending": bool(item.pending) and item.fault is None,
            "wait_s": change.wait_s,
            # Until an item is settled, ingest asks again by itself.
            "retell": change.tell and before.settled,
            "retell_after_s": RETELL_AFTER_S,
        }
        if change.wanted:  # What is done from here on is done for this request.
            bind["traceparent"] = telemetry.traceparent()
        await conn.execute(_STORE, bind)
        await _store_variants(conn, item, before.variants)
        for event in self._events(item, change):
            await outbox.emit(conn, SCHEMA, event)
        await db.notify(conn, CHANGED_CHANNEL, item.media_id)
        return item

    def _events(self, item: Item, change: Change) -> list[events_pb2.Event]:
        told = [self._view.rendered(item)] if change.tell else []
        return told + [self._view.wanted(item, preset) for preset in change.wanted]


async def load(conn: AsyncConnection, ref: Ref, *, lock: bool = False) -> Item | None:
    """An item with its variants."""
    found = (await conn.execute(_LOCK if lock else _FIND, key(ref))).mappings().one_or_none()
    if found is None:
        return None
    return rows.item(found, (await conn.execute(_VARIANTS, key(ref))).mappings().all())


def key(ref: Ref) -> dict[str, object]:
    """Bind values that name it."""
    return {"workspace_id": ref.workspace_id, "id": ref.media_id}


async def _store_variants(conn: AsyncConnection, item: Item, before: Mapping[str, object]) -> None:
    changed = [one for preset, one in item.variants.items() if before.get(preset) != one]
    if changed:
        await conn.execute(_STORE_VARIANT, [rows.variant_values(item, one) for one in changed])

"""ports.MediaTable over PostgreSQL: each method is one transaction."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import db, inbox, outbox
from services.common.db import Database
from services.ingest.adapters.postgres import rows, usage
from services.ingest.domain.media import Media, State
from services.ingest.domain.quotas import Held, Quota
from services.ingest.events import telling
from services.ingest.ports import Announcement, Backlog, Change, Query, Receipt, Ref, Row, Step, Verdict

# ruff: noqa: S608  what is put into these statements are column lists of ours

SCHEMA = "ingest"
CHANGED_CHANNEL = "ingest_media"
PATIENCE_S = 30.0  # an engine that hangs fails no scan for a minute, and they wait all the same

_ADD = text(
    "INSERT INTO ingest.media (workspace_id, id, state, version, kind, content_type, filename, alt_text, size_bytes,"
    " sha256, quarantine_key, quarantine_etag, multipart_id, active_key, active_etag, request_id,"
    " idempotency_key, created_at, expires_at, lease_until)"
    " VALUES (:workspace_id, :id, :state, :version, :kind, :content_type, :filename, :alt_text, :size_bytes, :sha256,"
    " :quarantine_key, :quarantine_etag, :multipart_id, :active_key, :active_etag, :request_id,"
    " :idempotency_key, :created_at, :expires_at, now() + make_interval(secs => :lease_s))"
)
_FIND = text(
    f"SELECT {rows.MEDIA}, {rows.FAULT} FROM ingest.media m WHERE m.workspace_id = :workspace_id AND m.id = :id"
)
_TWIN = text(
    f"SELECT {rows.MEDIA}, {rows.FAULT} FROM ingest.media m WHERE m.workspace_id = :workspace_id"
    " AND m.idempotency_key = :idempotency_key AND m.sha256 = :sha256 AND m.id <> :id"
    " AND m.state NOT IN ('receiving', 'deleted', 'expired') AND m.created_at > :since ORDER BY m.id LIMIT 1"
)
_PAGE = text(
    f"SELECT {rows.MEDIA}, {rows.FAULT} FROM ingest.media m WHERE m.workspace_id = :workspace_id"
    " AND m.state NOT IN ('deleted', 'expired') AND m.expires_at > now()"
    " AND (CAST(:before AS text) IS NULL OR m.id < :before)"
    " AND (CAST(:kind AS text) IS NULL OR m.kind = :kind)"
    " AND (CAST(:state AS text) IS NULL OR m.state = :state)"
    " AND strpos(lower(m.filename), lower(:name_part)) > 0"
    " ORDER BY m.id DESC LIMIT :limit + 1"
)
_LOCK = text(
    f"SELECT {rows.MEDIA}, {rows.FAULT}, {rows.PINNED}, {rows.DUE} AS due, now() AS now, m.view_version,"
    " m.deletion_told, m.end_told, v.outcome AS verdict_outcome, v.threat AS verdict_threat, v.key AS verdict_key,"
    " v.etag AS verdict_etag, v.sha256 AS verdict_sha256, v.size_bytes AS verdict_size_bytes"
    " FROM ingest.media m LEFT JOIN ingest.verdicts v ON v.workspace_id = m.workspace_id AND v.media_id = m.id"
    " WHERE m.workspace_id = :workspace_id AND m.id = :id FOR UPDATE OF m"
)
_STORE = text(
    "UPDATE ingest.media SET state = :state, version = :version, filename = :filename, alt_text = :alt_text,"
    " size_bytes = :size_bytes, sha256 = :sha256, quarantine_key = :quarantine_key,"
    " quarantine_etag = :quarantine_etag, multipart_id = :multipart_id, active_etag = :active_etag,"
    " fault_code = :fault_code, fault_message = :fault_message, fault_threat = :fault_threat,"
    " fault_reason = :fault_reason, view = CAST(:view AS jsonb),"
    " thumbnail_time = :thumbnail_time, cover_due_at = :cover_due_at,"
    " view_version = coalesce(CAST(:view_version AS bigint), view_version), tries = :tries,"
    " due_at = CASE WHEN :release THEN CAST(:due_at AS timestamptz)"
    " ELSE coalesce(CAST(:due_at AS timestamptz), due_at) END,"
    " lease_until = CASE WHEN :release THEN NULL"
    " ELSE coalesce(now() + make_interval(secs => CAST(:lease_s AS double precision)), lease_until) END,"
    " deletion_told = deletion_told OR :told,"
    " end_told = end_told OR :end_told"
    " WHERE workspace_id = :workspace_id AND id = :id"
)
_VERDICT = text(
    "INSERT INTO ingest.verdicts (workspace_id, media_id, outcome, threat, key, etag, sha256, size_bytes)"
    " VALUES (:workspace_id, :id, :outcome, :threat, :key, :etag, :sha256, :size_bytes)"
    " ON CONFLICT (workspace_id, media_id) DO NOTHING"
)
_CLAIM = text(
    "UPDATE ingest.media m SET epoch = epoch + 1, lease_until = now() + make_interval(secs => :lease_s)"
    f" WHERE m.workspace_id = :workspace_id AND m.id = :id AND m.state = :state AND {rows.UNHELD}"
)
_RENEW = text(
    "UPDATE ingest.media SET lease_until = now() + make_interval(secs => :lease_s), multipart_id = :multipart_id"
    " WHERE workspace_id = :workspace_id AND id = :id AND state = :state AND epoch = :epoch"
)
_DISCARD = text("DELETE FROM ingest.media WHERE workspace_id = :workspace_id AND id = :id AND state = 'receiving'")
_BACKLOG = text(
    "SELECT count(*) FILTER (WHERE workspace_id = :workspace_id) AS workspace, count(*) AS total FROM ingest.media"
    " WHERE state = 'scanning' AND (tries > 0 OR due_at < now() - make_interval(secs => :patience_s))"
)
_PINNABLE = text(
    f"SELECT {rows.MEDIA}, {rows.FAULT} FROM ingest.media m WHERE m.workspace_id = :workspace_id AND m.id = :id"
    " AND m.state NOT IN ('deleted', 'expired') AND m.expires_at > now() FOR NO KEY UPDATE"
)
_PIN = text(
    "INSERT INTO ingest.pins (workspace_id, media_id, holder, until) VALUES (:workspace_id, :id, :holder, :until)"
    " ON CONFLICT (workspace_id, media_id, holder) DO UPDATE SET until = greatest(pins.until, excluded.until)"
)
_UNPIN = text("DELETE FROM ingest.pins WHERE workspace_id = :workspace_id AND media_id = :id AND holder = :holder")


class PostgresMedia:
    """Row-level security scopes every statement to the workspace of its transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, media: Media, *, lease_s: float, quota: Quota) -> None:
        """See ports.MediaTable."""
        async with self._database.tx(media.workspace_id) as conn:
            await conn.execute(_ADD, {**rows.values(media), "lease_s": lease_s})
            await usage.keep_to(conn, media.workspace_id, quota, Held(media=1, uploads=1), to_come=1)

    async def find(self, ref: Ref) -> Media | None:
        """See ports.MediaTable."""
        async with self._database.tx(ref.workspace_id) as conn:
            found = (await conn.execute(_FIND, _key(ref))).mappings().one_or_none()
        return rows.media(found) if found else None

    async def twin(self, media: Media, sha256: str, since: datetime) -> Media | None:
        """See ports.MediaTable."""
        async with self._database.tx(media.workspace_id) as conn:
            bind = {**rows.values(media), "sha256": sha256, "since": since}
            found = (await conn.execute(_TWIN, bind)).mappings().one_or_none()
        return rows.media(found) if found else None

    async def page(self, workspace_id: str, query: Query) -> list[Media]:
        """See ports.MediaTable. One more than the limit, which tells whether there is a next page."""
        bind = {
            "workspace_id": workspace_id,
            "before": query.before,
            "kind": query.kind and query.kind.value,
            "state": query.state and query.state.value,
            "name_part": query.name_part,
            "limit": query.limit,
        }
        async with self._database.tx(workspace_id) as conn:
            found = (await conn.execute(_PAGE, bind)).mappings().all()
        return [rows.media(record) for record in found]

    async def change(self, ref: Ref, step: Step, *, receipt: Receipt | None = None) -> Media | None:
        """See ports.MediaTable."""
        async with self._database.tx(ref.workspace_id) as conn:
            if receipt and not await inbox.first_time(conn, SCHEMA, receipt.consumer, receipt.event_id):
                return None
            row = await _lock(conn, ref)
            change = step(row) if row else None
            if change is None:
                return None
            await _store(conn, change)
            if change.quota is not None and row is not None:
                grown = Held(bytes=change.media.size_bytes - row.media.size_bytes)
                await usage.keep_to(conn, ref.workspace_id, change.quota, grown)
            for announcement in change.announce:
                await outbox.emit(conn, SCHEMA, telling(announcement, change.media))
            await db.notify(conn, CHANGED_CHANNEL, ref.media_id)
        return change.media

    async def claim(self, ref: Ref, state: State, *, lease_s: float) -> Row | None:
        """See ports.MediaTable."""
        async with self._database.tx(ref.workspace_id) as conn:
            taken = await conn.execute(_CLAIM, {**_key(ref), "state": state.value, "lease_s": lease_s})
            return await _lock(conn, ref) if taken.rowcount else None

    async def renew(self, media: Media, *, lease_s: float) -> bool:
        """See ports.MediaTable."""
        async with self._database.tx(media.workspace_id) as conn:
            kept = await conn.execute(_RENEW, {**rows.values(media), "lease_s": lease_s})
        return bool(kept.rowcount)

    async def discard(self, media: Media) -> None:
        """See ports.MediaTable."""
        async with self._database.tx(media.workspace_id) as conn:
            await conn.execute(_DISCARD, rows.values(media))

    async def backlog(self, workspace_id: str) -> Backlog:
        """See ports.MediaTable."""
        bind = {"workspace_id": workspace_id, "patience_s": PATIENCE_S}
        async with self._database.system_tx() as conn:
            counts = (await conn.execute(_BACKLOG, bind)).mappings().one()
        return Backlog(counts["workspace"], counts["total"])

    async def pin(self, ref: Ref, holder: str, until: datetime) -> Media | None:
        """See ports.MediaTable. The lock keeps a deletion from passing by."""
        async with self._database.tx(ref.workspace_id) as conn:
            found = (await conn.execute(_PINNABLE, _key(ref))).mappings().one_or_none()
            if found is None:
                return None
            await conn.execute(_PIN, {**_key(ref), "holder": holder, "until": until})
        return rows.media(found)

    async def unpin(self, ref: Ref, holder: str) -> None:
        """See ports.MediaTable."""
        async with self._database.tx(ref.workspace_id) as conn:
            await conn.execute(_UNPIN, {**_key(ref), "holder": holder})


async def add_sealed(conn: AsyncConnection, media: Media, scan_at: datetime | None) -> None:
    """An item whose bytes are all here already, and the word that its scan is owed."""
    await conn.execute(_ADD, {**rows.values(media), "lease_s": 0})
    await _store(conn, Change(media=media, due_at=scan_at))
    await outbox.emit(conn, SCHEMA, telling(Announcement.SEALED, media))
    await db.notify(conn, CHANGED_CHANNEL, media.media_id)


async def _lock(conn: AsyncConnection, ref: Ref) -> Row | None:
    found = (await conn.execute(_LOCK, _key(ref))).mappings().one_or_none()
    return rows.row(found) if found else None


async def _store(conn: AsyncConnection, change: Change) -> None:
    bind = {
        **rows.values(change.media),
        "view_version": change.view_version,
        "due_at": change.due_at,
        "release": change.release,
        "lease_s": change.lease_s,
        "told": Announcement.DELETED in change.announce,
        "end_told": Announcement.EXPIRING in change.announce,
    }
    await conn.execute(_STORE, bind)
    if change.verdict is not None:
        await conn.execute(_VERDICT, _verdict(change.media, change.verdict))


def _verdict(media: Media, verdict: Verdict) -> dict[str, object]:
    about = verdict.about
    return {
        "workspace_id": media.workspace_id,
        "id": media.media_id,
        "outcome": verdict.outcome.value,
        "threat": verdict.threat,
        "key": about.key,
        "etag": about.etag,
        "sha256": about.sha256,
        "size_bytes": about.size_bytes,
    }


def _key(ref: Ref) -> dict[str, object]:
    return {"workspace_id": ref.workspace_id, "id": ref.media_id}

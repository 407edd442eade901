"""ports.UploadTable and ports.UploadChores over PostgreSQL: each method is one transaction."""

import json
from collections.abc import Sequence

from sqlalchemy import RowMapping, TextClause, text

from services.common import db
from services.common.db import Database
from services.ingest.adapters.postgres import usage
from services.ingest.adapters.postgres.media import CHANGED_CHANNEL, add_sealed
from services.ingest.domain.formats import Kind
from services.ingest.domain.quotas import Held, Quota
from services.ingest.domain.upload import Part, Phase, Refusal, Upload
from services.ingest.ports import UploadRef, UploadStep

# ruff: noqa: S608  what is put into these statements are column lists of ours

KEPT_FOR = "interval '7 days'"  # past its end; afterwards it is unknown

_SAME = (
    "workspace_id",
    "media_id",
    "size_bytes",
    "filename",
    "alt_text",
    "sha256",
    "partial",
    "plan",
    "request_id",
    "content_type",
    "quarantine_key",
    "multipart_id",
    "next_part",
    "tail_key",
    "tail_bytes",
    "finishing",
    "in_store",
    "due_at",
    "created_at",
    "expires_at",
    "epoch",
    "lease_until",
    "stop_epoch",
)
_OTHERS = ("id", "phase", "kind", "parts", "refusal_code", "refusal_details")
_COLUMNS = (*_SAME, *_OTHERS)
_JSON = ("parts", "refusal_details")
_VALUES = ", ".join(f"CAST(:{name} AS jsonb)" if name in _JSON else f":{name}" for name in _COLUMNS)
_ROWS = f"SELECT {', '.join(_COLUMNS)}, now() AS now FROM ingest.uploads"
_ONE = "WHERE workspace_id = :workspace_id AND id = :id"
_UNHELD = "(lease_until IS NULL OR lease_until < now())"

_ADD = text(f"INSERT INTO ingest.uploads ({', '.join(_COLUMNS)}) VALUES ({_VALUES})")
_FIND = text(f"{_ROWS} {_ONE}")
_LOCK = text(f"{_ROWS} {_ONE} FOR UPDATE")
_STORE = text(f"UPDATE ingest.uploads SET ({', '.join(_COLUMNS)}) = ROW({_VALUES}) {_ONE}")
_UNSEALED = text(
    f"SELECT workspace_id, id FROM ingest.uploads WHERE phase = 'receiving' AND finishing AND {_UNHELD} LIMIT :limit"
)
_OVERDUE = text(
    f"SELECT workspace_id, id FROM ingest.uploads WHERE phase = 'receiving' AND expires_at <= now() AND {_UNHELD}"
    " ORDER BY expires_at LIMIT :limit"
)
_SPENT = text(
    f"{_ROWS} WHERE in_store AND phase NOT IN ('receiving', 'complete') AND due_at <= now() AND {_UNHELD}"
    " ORDER BY due_at LIMIT :limit"
)
_FORGET = text(
    f"DELETE FROM ingest.uploads WHERE NOT in_store AND phase <> 'receiving' AND expires_at < now() - {KEPT_FOR}"
)


class PostgresUploads:
    """Row-level security scopes every statement of a tenant to the workspace of its transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, upload: Upload, *, quota: Quota) -> None:
        """See ports.UploadTable."""
        async with self._database.tx(upload.workspace_id) as conn:
            await conn.execute(_ADD, _values(upload))
            added = Held(media=1, bytes=upload.size_bytes, uploads=1)
            await usage.keep_to(conn, upload.workspace_id, quota, added)

    async def find(self, ref: UploadRef) -> Upload | None:
        """See ports.UploadTable."""
        async with self._database.tx(ref.workspace_id) as conn:
            found = (await conn.execute(_FIND, _key(ref))).mappings().one_or_none()
        return _upload(found) if found else None

    async def change(self, ref: UploadRef, step: UploadStep) -> Upload | None:
        """See ports.UploadTable."""
        async with self._database.tx(ref.workspace_id) as conn:
            found = (await conn.execute(_LOCK, _key(ref))).mappings().one_or_none()
            change = step(_upload(found), found["now"]) if found else None
            if change is None:
                return None
            await conn.execute(_STORE, _values(change.upload))
            if change.sealed is not None:
                await add_sealed(conn, change.sealed, change.scan_at)
            if change.wake:
                await db.notify(conn, CHANGED_CHANNEL, ref.upload_id)
        return change.upload

    async def unsealed(self, limit: int) -> Sequence[UploadRef]:
        """See ports.UploadChores."""
        return await self._refs(_UNSEALED, limit)

    async def overdue(self, limit: int) -> Sequence[UploadRef]:
        """See ports.UploadChores."""
        return await self._refs(_OVERDUE, limit)

    async def spent(self, limit: int) -> Sequence[Upload]:
        """See ports.UploadChores."""
        async with self._database.system_tx() as conn:
            found = (await conn.execute(_SPENT, {"limit": limit})).mappings().all()
        return [_upload(record) for record in found]

    async def forget(self) -> None:
        """See ports.UploadChores."""
        async with self._database.system_tx() as conn:
            await conn.execute(_FORGET)

    async def _refs(self, question: TextClause, limit: int) -> Sequence[UploadRef]:
        async with self._database.system_tx() as conn:
            found = (await conn.execute(question, {"limit": limit})).all()
        return [UploadRef(workspace_id, upload_id) for workspace_id, upload_id in found]


def _upload(record: RowMapping) -> Upload:
    refusal = None
    if record["refusal_code"] is not None:
        refusal = Refusal(record["refusal_code"], record["refusal_details"] or {})
    return Upload(
        upload_id=record["id"],
        phase=Phase(record["phase"]),
        kind=Kind(record["kind"]) if record["kind"] else None,
        parts=tuple(Part(number, etag, size_bytes) for number, etag, size_bytes in record["parts"]),
        refusal=refusal,
        **{name: record[name] for name in _SAME},
    )


def _values(upload: Upload) -> dict[str, object]:
    refusal = upload.refusal
    return {
        "id": upload.upload_id,
        "phase": upload.phase.value,
        "kind": upload.kind and upload.kind.value,
        "parts": json.dumps([(part.number, part.etag, part.size_bytes) for part in upload.parts]),
        "refusal_code": refusal and refusal.code,
        "refusal_details": json.dumps(refusal.details) if refusal else None,
        **{name: getattr(upload, name) for name in _SAME},
    }


def _key(ref: UploadRef) -> dict[str, object]:
    return {"workspace_id": ref.workspace_id, "id": ref.upload_id}

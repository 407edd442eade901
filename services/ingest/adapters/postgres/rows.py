"""Between rows and the domain."""

from sqlalchemy import RowMapping

from services.ingest.domain.formats import Kind
from services.ingest.domain.media import Fault, Media, Sealed, State
from services.ingest.ports import Outcome, Row, Verdict

Record = RowMapping

_SAME = (
    "workspace_id",
    "version",
    "content_type",
    "filename",
    "alt_text",
    "size_bytes",
    "sha256",
    "quarantine_key",
    "quarantine_etag",
    "multipart_id",
    "active_key",
    "active_etag",
    "thumbnail_time",
    "cover_due_at",
    "created_at",
    "expires_at",
    "request_id",
    "idempotency_key",
    "epoch",
    "tries",
)
MEDIA = "m.id, m.state, m.kind, m.view::text AS view, " + ", ".join(f"m.{name}" for name in _SAME)
FAULT = "m.fault_code, m.fault_message, m.fault_threat, m.fault_reason"
PINNED = (
    "EXISTS (SELECT FROM ingest.pins p WHERE p.workspace_id = m.workspace_id AND p.media_id = m.id"
    " AND p.until > now()) AS pinned"
)
UNHELD = "(m.lease_until IS NULL OR m.lease_until < now())"
DUE = "(m.due_at IS NULL OR m.due_at <= now())"


def media(record: Record) -> Media:
    """A media item from the columns MEDIA and FAULT."""
    return Media(
        media_id=record["id"],
        state=State(record["state"]),
        kind=Kind(record["kind"]),
        view=record["view"],
        fault=_fault(record),
        **{name: record[name] for name in _SAME},
    )


def values(item: Media) -> dict[str, object]:
    """The same the other way round, as bind values."""
    fault = item.fault or Fault("")
    return {
        "id": item.media_id,
        "state": item.state.value,
        "kind": item.kind.value,
        "view": item.view,
        "fault_code": fault.code or None,
        "fault_message": fault.message or None,
        "fault_threat": fault.threat,
        "fault_reason": fault.reason,
        **{name: getattr(item, name) for name in _SAME},
    }


def row(record: Record) -> Row:
    """A locked row with what stands beside it."""
    return Row(
        media=media(record),
        now=record["now"],
        pinned=record["pinned"],
        view_version=record["view_version"],
        verdict=_verdict(record),
        deletion_told=record["deletion_told"],
        end_told=record["end_told"],
        due=record["due"],
    )


def _fault(record: Record) -> Fault | None:
    if record["fault_code"] is None:
        return None
    message = record["fault_message"] or ""
    return Fault(record["fault_code"], message, record["fault_threat"], record["fault_reason"])


def _verdict(record: Record) -> Verdict | None:
    if record["verdict_outcome"] is None:
        return None
    about = Sealed(
        record["verdict_key"], record["verdict_etag"], record["verdict_size_bytes"], record["verdict_sha256"]
    )
    return Verdict(Outcome(record["verdict_outcome"]), record["verdict_threat"], about)

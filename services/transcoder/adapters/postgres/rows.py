"""Between rows and the domain."""

import json
from collections.abc import Iterable

from sqlalchemy import RowMapping

from services.transcoder.domain.item import Finding, Item, Source, Variant
from services.transcoder.domain.work import Fit, How, Status

_ITEM_SAME = (
    "workspace_id",
    "kind",
    "content_type",
    "token",
    "request_id",
    "traceparent",
    "version",
    "cover_at_s",
    "source_version",
    "fault",
    "gone",
    "epoch",
    "tries",
)
_VARIANT_SAME = (
    "preset",
    "preset_digest",
    "eager",
    "digest",
    "key",
    "content_type",
    "size_bytes",
    "width",
    "height",
    "duration_s",
    "reason",
)
ITEM = (
    "i.id, i.source_key, i.source_etag, i.size_bytes, i.sha256, i.width, i.height, i.duration_s, i.has_audio,"
    " i.thumbhash, i.fit, i.catalog, coalesce(i.lease_until > now(), false) AS held, "
    + ", ".join(f"i.{name}" for name in _ITEM_SAME)
)
VARIANT = "v.status, v.how, " + ", ".join(f"v.{name}" for name in _VARIANT_SAME)


def item(record: RowMapping, variants: Iterable[RowMapping]) -> Item:
    """An item from the columns ITEM, and its variants from VARIANT."""
    return Item(
        media_id=record["id"],
        source=Source(record["source_key"], record["source_etag"], record["size_bytes"], record["sha256"]),
        finding=_finding(record),
        variants={row["preset"]: _variant(row) for row in variants},
        held=record["held"],
        **{name: record[name] for name in _ITEM_SAME},
    )


def values(of: Item) -> dict[str, object]:
    """The item the other way round, as bind values."""
    found = of.finding
    return {
        "id": of.media_id,
        "source_key": of.source.key,
        "source_etag": of.source.etag,
        "size_bytes": of.source.size_bytes,
        "sha256": of.source.sha256,
        "width": found and found.width,
        "height": found and found.height,
        "duration_s": None if found is None else found.duration_s,
        "has_audio": None if found is None else found.has_audio,
        "thumbhash": None if found is None else found.thumbhash,
        "fit": None if found is None else json.dumps({name: _plain(fit) for name, fit in found.fit.items()}),
        "catalog": found and found.catalog,
        **{name: getattr(of, name) for name in _ITEM_SAME},
    }


def variant_values(of: Item, one: Variant) -> dict[str, object]:
    """One of its variants, the same way."""
    return {
        "workspace_id": of.workspace_id,
        "id": of.media_id,
        "status": one.status and one.status.value,
        "how": one.how and one.how.value,
        **{name: getattr(one, name) for name in _VARIANT_SAME},
    }


def _variant(record: RowMapping) -> Variant:
    return Variant(
        status=Status(record["status"]) if record["status"] else None,
        how=How(record["how"]) if record["how"] else None,
        **{name: record[name] for name in _VARIANT_SAME},
    )


def _finding(record: RowMapping) -> Finding | None:
    if record["catalog"] is None:
        return None
    return Finding(
        width=record["width"],
        height=record["height"],
        duration_s=record["duration_s"],
        has_audio=record["has_audio"],
        thumbhash=record["thumbhash"],
        fit={name: Fit(**fit) for name, fit in record["fit"].items()},
        catalog=record["catalog"],
    )


def _plain(fit: Fit) -> dict[str, object]:
    return {"ok": fit.ok, "preset": fit.preset, "reason": fit.reason, "detail": fit.detail}

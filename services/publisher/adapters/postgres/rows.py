"""Rows and JSON columns as domain values, and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import RowMapping

from services.publisher.adapters.sealing import Sealed
from services.publisher.domain.account import Account, AccountStatus
from services.publisher.domain.delivery import Counters
from services.publisher.domain.post import JSON, MediaRef, Post, Target, TargetError, TargetStatus
from services.publisher.ports import Attempt, Chosen, Rendition, SealedBytes

Row = RowMapping

_SEALED = ".sealed"


@dataclass(frozen=True, slots=True)
class Imported:
    """A file named by a URL: what became of it, if anything did."""

    url: str
    kind: str
    media_id: str | None
    error: TargetError | None


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of a preparation: those an older version wrote, and the others."""

    plain: Mapping[str, Mapping[str, JSON]]
    sealed: Mapping[str, Sealed]


Imports = Mapping[str, Imported]
NONE: Imports = {}

POST_COLUMNS = "id, live, text, media, scheduled_at, created_at, version"
TARGET_COLUMNS = (
    "post_id, index, platform, account_id, text, media, options, status, preset, platform_post_id, url, published_at,"
    " error_code, error_message, tries"
)
ACCOUNT_COLUMNS = "id, platform, live, display_name, external_id, status, service_url, created_at"


def dump(value: JSON | Mapping[str, JSON]) -> str:
    """For a jsonb parameter. PostgreSQL's jsonb holds no NUL; U+0000 goes."""
    return json.dumps(_without_nul(value), separators=(",", ":"))


def media_json(media: Sequence[MediaRef]) -> JSON:
    """The media column."""
    return [{"mediaId": ref.media_id, "altText": ref.alt_text} for ref in media]


def chosen_json(chosen: Chosen) -> JSON:
    """The chosen column."""
    found: JSON = asdict(chosen)
    return found


def imported(row: Row) -> Imported:
    """An import from its row."""
    error = TargetError(row["error_code"], row["error_message"]) if row["error_code"] else None
    return Imported(row["url"], row["kind"], row["media_id"], error)


def post(row: Row, targets: Sequence[Row], imports: Imports = NONE) -> Post:
    """A post from its row, its targets' rows in the order of their index, and its imports."""
    return Post(
        post_id=row["id"],
        live=row["live"],
        text=row["text"],
        media=_media(row["media"], imports),
        targets=tuple(target(it, imports) for it in targets),
        created_at=row["created_at"],
        scheduled_at=row["scheduled_at"],
        version=row["version"],
    )


def target(row: Row, imports: Imports = NONE) -> Target:
    """A target from its row and the post's imports."""
    return Target(
        index=row["index"],
        platform=row["platform"],
        account_id=row["account_id"],
        text=row["text"],
        media=None if row["media"] is None else _media(row["media"], imports),
        options=row["options"],
        status=TargetStatus(row["status"]),
        preset=row["preset"],
        platform_post_id=row["platform_post_id"],
        url=row["url"],
        published_at=row["published_at"],
        error=TargetError(row["error_code"], row["error_message"]) if row["error_code"] else None,
        attempts=row["tries"],
    )


def counters(row: Row) -> Counters:
    """A target's counters."""
    return Counters(tries=row["tries"], checks=row["checks"], waits=row["waits"], waiting_since=row["waiting_since"])


def chosen(value: Any) -> Chosen | None:
    """What the chosen column holds."""
    if value is None:
        return None
    cover = Rendition(**value["cover"]) if value["cover"] else None
    return Chosen(assets=tuple(Rendition(**asset) for asset in value["assets"]), cover=cover)


def steps(value: Mapping[str, Any]) -> Steps:
    """What the progress column holds."""
    plain, sealed = {}, {}
    for name, it in value.items():
        if name.endswith(_SEALED):
            sealed[name.removesuffix(_SEALED)] = Sealed(it["key"], base64.b64decode(it["blob"]))
        else:
            plain[name] = it
    return Steps(plain, sealed)


def step_sealed(step: str, sealed: SealedBytes) -> tuple[str, JSON]:
    """Name and value of one step in the progress column. Versions that read it in clear do not find it by that name."""
    return step + _SEALED, {"key": sealed.key_version, "blob": base64.b64encode(sealed.blob).decode()}


def attempt(row: Row) -> Attempt:
    """An attempt from its row."""
    return Attempt(
        number=row["number"],
        handle=row["handle"],
        prepared=row["prepared"],
        since=row["since"],
        outcome=row["outcome"],
    )


def account(row: Row) -> Account:
    """An account from its row, credentials aside."""
    return Account(
        account_id=row["id"],
        platform=row["platform"],
        live=row["live"],
        display_name=row["display_name"],
        external_id=row["external_id"],
        status=AccountStatus(row["status"]),
        service_url=row["service_url"],
        created_at=row["created_at"],
    )


def _without_nul(value: JSON | Mapping[str, JSON]) -> JSON:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, Mapping):
        return {name.replace("\0", ""): _without_nul(it) for name, it in value.items()}
    return [_without_nul(it) for it in value] if isinstance(value, list | tuple) else value


def _media(value: list[dict[str, Any]], imports: Imports) -> tuple[MediaRef, ...]:
    return tuple(_ref(it["mediaId"], it["altText"], imports) for it in value)


def _ref(media_id: str, alt_text: str | None, imports: Imports) -> MediaRef:
    """With the item itself, once it is there."""
    found = imports.get(media_id)
    if found is None:
        return MediaRef(media_id, alt_text)
    if found.media_id is not None:
        return MediaRef(found.media_id, alt_text)
    return MediaRef(media_id, alt_text, found.url, found.kind)

"""Rows and JSON columns as domain values, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from services.publisher.domain.account import Account, AccountStatus
from services.publisher.domain.delivery import Counters
from services.publisher.domain.post import JSON, MediaRef, Post, Target, TargetError, TargetStatus
from services.publisher.ports import Attempt, Chosen, Rendition

Row = RowMapping

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


def post(row: Row, targets: Sequence[Row]) -> Post:
    """A post from its row and its targets' rows, in the order of their index."""
    return Post(
        post_id=row["id"],
        live=row["live"],
        text=row["text"],
        media=_media(row["media"]),
        targets=tuple(target(it) for it in targets),
        created_at=row["created_at"],
        scheduled_at=row["scheduled_at"],
        version=row["version"],
    )


def target(row: Row) -> Target:
    """A target from its row."""
    return Target(
        index=row["index"],
        platform=row["platform"],
        account_id=row["account_id"],
        text=row["text"],
        media=None if row["media"] is None else _media(row["media"]),
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


def _media(value: list[dict[str, Any]]) -> tuple[MediaRef, ...]:
    return tuple(MediaRef(it["mediaId"], it["altText"]) for it in value)

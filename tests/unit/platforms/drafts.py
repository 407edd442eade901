"""Drafts without bytes, for rules that look at none."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from services.platforms.ports import JSON, Asset, Draft, Publisher


async def no_bytes() -> AsyncIterator[bytes]:
    """A check comes before the rendition."""
    raise LookupError("a draft under check has no bytes")
    yield b""


def asset(content_type: str = "image/jpeg", alt_text: str | None = None) -> Asset:
    """As check() is given it."""
    return Asset(
        preset="", content_type=content_type, size_bytes=0, width=0, height=0, alt_text=alt_text, url="", read=no_bytes
    )


def draft(text: str = "", *content_types: str, options: Mapping[str, JSON] | None = None) -> Draft:
    """With an asset of each type."""
    assets = tuple(asset(it) for it in content_types)
    return Draft(text=text, assets=assets, options=options or {}, created_at=datetime(2026, 11, 25, tzinfo=UTC))


def rules(publisher: Publisher, wanted: Draft) -> list[tuple[str, str]]:
    """Where which rules are broken."""
    return [(problem.field, problem.rule) for problem in publisher.check(wanted)]

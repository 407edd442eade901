"""The one clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Aware UTC."""
    return datetime.now(UTC)

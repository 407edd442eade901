"""What a plan includes, and which month a publication counts for. Pure; limits as data."""

from datetime import UTC, datetime, timedelta
from math import ceil

from services.common.errors import Code, MediaError

POSTS_PER_MONTH = {"free": 100, "pro": 1_000, "business": 10_000}  # successful targets


def included(plan: str) -> int:
    """Successful targets a month for this plan; a plan nobody knows has the smallest number."""
    return POSTS_PER_MONTH.get(plan, min(POSTS_PER_MONTH.values()))


def period(moment: datetime) -> str:
    """The UTC month of a moment, e.g. "2026-11"."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def due_period(created_at: datetime, scheduled_at: datetime | None) -> str:
    """The month a post is meant to be published in."""
    return period(max(created_at, scheduled_at or created_at))


def ends_in_s(month: str, now: datetime) -> int:
    """Whole seconds from `now` until that month has passed, at least 1."""
    within_next = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC) + timedelta(days=31)
    return max(1, ceil((within_next.replace(day=1) - now).total_seconds()))


def check(plan: str, month: str, *, now: datetime, used: int, open_targets: int, wanted: int) -> None:
    """Whether `wanted` more targets keep to the plan's number, counting those still open as if they succeed.

    Raises:
        MediaError: QUOTA_EXCEEDED.
    """
    limit = included(plan)
    if used + open_targets + wanted > limit:
        raise MediaError(
            Code.QUOTA_EXCEEDED,
            quota="posts",
            plan=plan,
            used=used,
            limit=limit,
            period=month,
            retry_after_s=ends_in_s(month, now),
        )

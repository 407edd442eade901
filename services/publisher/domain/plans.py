"""What a plan includes, and which month a publication counts for. Pure; limits as data."""

from datetime import UTC, datetime

POSTS_PER_MONTH = {"free": 100, "pro": 1_000, "business": 10_000}  # successful targets


def included(plan: str) -> int:
    """Successful targets a month for this plan; a plan nobody knows has the smallest number."""
    return POSTS_PER_MONTH.get(plan, min(POSTS_PER_MONTH.values()))


def period(moment: datetime) -> str:
    """The UTC month of a moment, e.g. "2026-11"."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def over(plan: str, *, used: int, open_targets: int, wanted: int) -> bool:
    """Whether `wanted` more targets would pass the plan's number, counting those still under way as if they succeed."""
    return used + open_targets + wanted > included(plan)

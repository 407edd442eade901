"""What a plan includes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.common.errors import Code, MediaError
from services.publisher.domain import plans

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(("plan", "number"), [("free", 100), ("pro", 1000), ("business", 10_000), ("unheard of", 100)])
def test_every_plan_has_a_monthly_number(plan: str, number: int) -> None:
    assert plans.included(plan) == number


def test_a_month_is_a_utc_month() -> None:
    assert plans.period(datetime(2026, 11, 30, 23, 59, tzinfo=UTC)) == "2026-11"
    assert plans.period(datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))) == "2026-11"


def test_the_last_included_post_is_allowed_and_the_next_is_not() -> None:
    plans.check("free", "2026-11", now=NOW, used=99, open_targets=0, wanted=1)
    with pytest.raises(MediaError) as caught:
        plans.check("free", "2026-11", now=NOW, used=100, open_targets=0, wanted=1)
    assert caught.value.code is Code.QUOTA_EXCEEDED
    found = caught.value.details
    wait_s = 10 * 86_400
    assert found == {
        "quota": "posts",
        "plan": "free",
        "used": 100,
        "limit": 100,
        "period": "2026-11",
        "retry_after_s": wait_s,
    }


@pytest.mark.parametrize(
    ("month", "now", "seconds"),
    [
        ("2026-11", datetime(2026, 11, 30, 23, 59, 59, 1, tzinfo=UTC), 1),
        ("2026-12", datetime(2026, 12, 31, tzinfo=UTC), 86_400),
        ("2027-01", datetime(2026, 12, 31, tzinfo=UTC), 32 * 86_400),
        ("2028-02", datetime(2028, 2, 1, tzinfo=UTC), 29 * 86_400),
        ("2026-11", datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), 1800),
        ("2026-11", datetime(2026, 12, 1, tzinfo=UTC), 1),
    ],
)
def test_what_is_used_up_comes_back_when_the_month_has_passed(month: str, now: datetime, seconds: int) -> None:
    assert plans.ends_in_s(month, now) == seconds


def test_targets_under_way_count_so_that_a_burst_cannot_pass_the_number() -> None:
    with pytest.raises(MediaError):
        plans.check("free", "2026-11", now=NOW, used=90, open_targets=8, wanted=3)


def test_a_scheduled_post_counts_for_the_month_it_is_due_in() -> None:
    now = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    assert plans.due_period(now, None) == "2026-11"
    assert plans.due_period(now, now + timedelta(days=1)) == "2026-12"
    assert plans.due_period(now, now - timedelta(days=90)) == "2026-11"

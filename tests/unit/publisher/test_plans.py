"""What a plan includes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.publisher.domain import plans


@pytest.mark.parametrize(("plan", "number"), [("free", 100), ("pro", 1000), ("business", 10_000), ("unheard of", 100)])
def test_every_plan_has_a_monthly_number(plan: str, number: int) -> None:
    assert plans.included(plan) == number


def test_a_month_is_a_utc_month() -> None:
    assert plans.period(datetime(2026, 11, 30, 23, 59, tzinfo=UTC)) == "2026-11"
    assert plans.period(datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))) == "2026-11"


def test_the_last_included_post_is_allowed_and_the_next_is_not() -> None:
    assert not plans.over("free", used=99, open_targets=0, wanted=1)
    assert plans.over("free", used=100, open_targets=0, wanted=1)


def test_targets_under_way_count_so_that_a_burst_cannot_pass_the_number() -> None:
    assert plans.over("free", used=90, open_targets=8, wanted=3)

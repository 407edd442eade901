"""When a target is tried again, and when it is given up."""

from datetime import UTC, datetime, timedelta

import pytest

from services.platforms.ports import Fault
from services.publisher.domain import delivery
from services.publisher.domain.delivery import Again, Counters, Decision, Policy, Stop
from services.publisher.domain.post import TargetError, TargetStatus

POLICY = Policy()
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ERROR = TargetError("some_code", "Some sentence.")


def failed(fault: Fault, tries: int = 1, retry_after_s: float | None = None) -> Decision:
    return delivery.after_failure(POLICY, Counters(tries=tries), fault, ERROR, retry_after_s, NOW)


def test_a_transient_failure_is_tried_again_after_growing_pauses_and_then_given_up() -> None:
    delays = []
    tries = 1
    while isinstance(decision := failed(Fault.TRANSIENT, tries), Again):
        assert decision.status is TargetStatus.QUEUED
        delays.append(decision.delay_s)
        tries += 1
    assert delays == [5, 30, 120, 600, 1800, 7200]
    assert decision == Stop(TargetStatus.FAILED, ERROR)


def test_a_platform_that_names_its_pause_is_obeyed() -> None:
    decision = failed(Fault.TRANSIENT, retry_after_s=77)
    assert isinstance(decision, Again)
    assert decision.delay_s == 77


def test_a_pause_shorter_than_ours_does_not_hurry_us() -> None:
    decision = failed(Fault.QUOTA, retry_after_s=1)
    assert isinstance(decision, Again)
    assert decision.delay_s == POLICY.quota_s[0]


def test_a_pause_of_days_is_a_refusal() -> None:
    assert failed(Fault.QUOTA, retry_after_s=3 * 86_400) == Stop(TargetStatus.FAILED, ERROR)


def test_a_permanent_failure_is_never_tried_again() -> None:
    assert failed(Fault.PERMANENT) == Stop(TargetStatus.FAILED, ERROR)


def test_refused_credentials_settle_the_target() -> None:
    assert failed(Fault.ACCOUNT) == Stop(TargetStatus.FAILED, ERROR)


def test_a_rebuild_throws_away_what_was_prepared_and_is_bounded() -> None:
    decision = failed(Fault.REBUILD)
    assert isinstance(decision, Again)
    assert decision.rebuild
    assert isinstance(failed(Fault.REBUILD, tries=len(POLICY.rebuild_s) + 1), Stop)


@pytest.mark.parametrize("fault", [Fault.TRANSIENT, Fault.QUOTA])
def test_other_failures_keep_what_was_prepared(fault: Fault) -> None:
    decision = failed(fault)
    assert isinstance(decision, Again)
    assert not decision.rebuild


def test_a_platform_that_is_not_ready_is_polled_until_its_time_is_over() -> None:
    counters, now, polls = Counters(), NOW, 0
    while isinstance(decision := delivery.after_failure(POLICY, counters, Fault.NOT_READY, ERROR, None, now), Again):
        counters, now, polls = decision.counters, now + timedelta(seconds=decision.delay_s), polls + 1
    assert decision == Stop(TargetStatus.FAILED, ERROR)
    assert now - NOW >= timedelta(seconds=POLICY.not_ready_max_s)
    assert counters.tries == 0, "waiting is not trying"
    assert polls < 500


def test_waiting_for_media_starts_impatient_and_ends_after_a_day() -> None:
    first = delivery.waiting_for_media(POLICY, Counters(), NOW)
    assert isinstance(first, Again)
    assert first.status is TargetStatus.WAITING_MEDIA
    assert first.delay_s < 1
    late = delivery.waiting_for_media(POLICY, first.counters, NOW + timedelta(hours=25))
    assert isinstance(late, Stop)
    assert late.error.code == "media_not_ready"


def test_media_that_arrived_ends_the_wait() -> None:
    waited = delivery.waiting_for_media(POLICY, Counters(tries=2), NOW)
    assert isinstance(waited, Again)
    assert delivery.arrived(waited.counters) == Counters(tries=2)


def test_an_unknown_outcome_stays_publishing_and_is_looked_up_soon() -> None:
    decision = delivery.in_doubt(POLICY, Counters(tries=1))
    assert decision.status is TargetStatus.PUBLISHING
    assert decision.delay_s == POLICY.reconcile_s[0]


def test_a_doubt_that_stays_ends_unconfirmed_within_a_quarter_of_an_hour() -> None:
    decision: Decision = delivery.in_doubt(POLICY, delivery.begun(Counters()))
    passed = 0.0
    while isinstance(decision, Again):
        assert decision.status is TargetStatus.PUBLISHING
        passed += decision.delay_s
        decision = delivery.still_in_doubt(POLICY, decision.counters)
    assert decision.status is TargetStatus.UNCONFIRMED
    assert 60 < passed < 900


def test_what_a_platform_does_not_show_is_unconfirmed_a_minute_after_its_intent() -> None:
    now, counters = NOW, Counters(tries=1)
    while isinstance(decision := delivery.not_shown(POLICY, counters, NOW, now), Again):
        assert decision.status is TargetStatus.PUBLISHING
        counters, now = decision.counters, now + timedelta(seconds=decision.delay_s)
    assert decision.status is TargetStatus.UNCONFIRMED
    assert now - NOW == timedelta(seconds=POLICY.absent_after_s)
    assert counters.checks > 2


def test_a_new_intent_starts_with_fresh_look_ups() -> None:
    assert delivery.begun(Counters(tries=1, checks=4)) == Counters(tries=2)


def test_a_platform_that_is_not_ready_at_every_intent_is_not_asked_for_ever() -> None:
    counters, now = Counters(), NOW
    while isinstance(
        decision := delivery.after_failure(POLICY, delivery.begun(counters), Fault.NOT_READY, ERROR, None, now), Again
    ):
        counters, now = decision.counters, now + timedelta(seconds=decision.delay_s)
    assert decision == Stop(TargetStatus.FAILED, ERROR)
    assert timedelta(0) < now - NOW < timedelta(seconds=POLICY.not_ready_max_s + 60)


def test_what_was_proved_absent_may_be_sent_again_a_bounded_number_of_times() -> None:
    assert delivery.may_send_again(POLICY, Counters(tries=1)) is None
    stop = delivery.may_send_again(POLICY, Counters(tries=len(POLICY.transient_s) + 1))
    assert stop is not None
    assert stop.status is TargetStatus.FAILED


def test_only_preparations_that_failed_count_as_tries() -> None:
    assert delivery.failed_before_intent(Counters(), Fault.TRANSIENT).tries == 1
    assert delivery.failed_before_intent(Counters(), Fault.NOT_READY).tries == 0

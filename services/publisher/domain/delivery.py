"""When to try a target again, and when to stop. Pure; every number is in `Policy`.

One rule stands above all: what may have reached the platform is looked up, never sent again blindly.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.platforms.ports import Fault
from services.publisher.domain.post import TargetError, TargetStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Backoffs and bounds, in seconds. A backoff's n-th number follows the n-th failure; past its end we give up,
    except for `wait_s`, whose last number repeats until the bound of what is waited for."""

    transient_s: tuple[float, ...] = (5, 30, 120, 600, 1_800, 7_200)
    quota_s: tuple[float, ...] = (900, 3_600, 10_800, 21_600, 43_200)
    wait_s: tuple[float, ...] = (0.25, 0.5, 1, 1, 2, 3, 5, 10, 20, 30)
    reconcile_s: tuple[float, ...] = (2, 5, 10, 20, 40, 80, 160, 300)
    absent_after_s: float = 60  # since the intent: what a platform does not show by then is not waited for
    rebuild_s: tuple[float, ...] = (1, 5, 30)
    media_max_s: float = 24 * 3_600  # media still not processed
    not_ready_max_s: float = 2 * 3_600  # the platform still not done with what we uploaded
    retry_after_max_s: float = 24 * 3_600  # a platform asking for more is taken as a refusal
    lease_s: float = 20  # hence how long a target waits for another worker after a crash
    prepare_max_s: float = 1_800  # uploads of 500 MB among them
    call_max_s: float = 120  # one publish or reconcile


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a target has been through so far.

    tries counts deliveries begun: intents, and preparations that failed. checks counts the look-ups since the last
    intent, waits the polls since waiting_since.
    """

    tries: int = 0
    checks: int = 0
    waits: int = 0
    waiting_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Take the target up again after delay_s, in this state. rebuild: what was prepared is of no use any more."""

    status: TargetStatus
    delay_s: float
    counters: Counters
    rebuild: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """The target is settled, without success."""

    status: TargetStatus
    error: TargetError


Decision = Again | Stop

UNCONFIRMED = Stop(
    TargetStatus.UNCONFIRMED,
    TargetError(
        "publish_unconfirmed",
        "It was sent, and the platform never confirmed it. Check there before sending it again.",
    ),
)


def begun(counters: Counters) -> Counters:
    """After an intent. A wait goes on: a platform may say only now that it is not ready."""
    return replace(counters, tries=counters.tries + 1, checks=0)


def after_failure(
    policy: Policy, counters: Counters, fault: Fault, error: TargetError, retry_after_s: float | None, now: datetime
) -> Decision:
    """The platform's answer is known, and it is no. tries already counts this delivery."""
    match fault:
        case Fault.PERMANENT | Fault.ACCOUNT:
            return Stop(TargetStatus.FAILED, error)
        case Fault.NOT_READY:
            return _wait(policy, counters, TargetStatus.QUEUED, policy.not_ready_max_s, error, now, retry_after_s)
        case Fault.REBUILD:
            return _back_off(policy, policy.rebuild_s, counters, error, retry_after_s, rebuild=True)
        case Fault.QUOTA:
            return _back_off(policy, policy.quota_s, counters, error, retry_after_s)
        case Fault.TRANSIENT:
            return _back_off(policy, policy.transient_s, counters, error, retry_after_s)


def failed_before_intent(counters: Counters, fault: Fault) -> Counters:
    """A preparation that failed counts as a delivery begun; one that only has to wait does not."""
    return counters if fault is Fault.NOT_READY else replace(counters, tries=counters.tries + 1)


def waiting_for_media(policy: Policy, counters: Counters, now: datetime) -> Decision:
    """The variant to publish is not made yet."""
    error = TargetError("media_not_ready", "The media was not processed in time.")
    return _wait(policy, counters, TargetStatus.WAITING_MEDIA, policy.media_max_s, error, now, None)


def arrived(counters: Counters) -> Counters:
    """What the target waited for is there."""
    return replace(counters, waits=0, waiting_since=None)


def in_doubt(policy: Policy, counters: Counters) -> Again:
    """The call ended without an answer: look it up later, the later the more often this happened."""
    delays = (policy.reconcile_s[0], *policy.transient_s)
    delay_s = delays[min(max(counters.tries - 1, 0), len(delays) - 1)]
    return Again(TargetStatus.PUBLISHING, delay_s, counters)


def still_in_doubt(policy: Policy, counters: Counters) -> Decision:
    """A look-up that could not tell."""
    checks = counters.checks + 1
    if checks >= len(policy.reconcile_s):
        return UNCONFIRMED
    return Again(TargetStatus.PUBLISHING, policy.reconcile_s[checks], replace(counters, checks=checks))


def not_shown(policy: Policy, counters: Counters, since: datetime, now: datetime) -> Decision:
    """A look-up that found nothing, where the platform may merely show the post late. since: of the intent."""
    left_s = policy.absent_after_s - (now - since).total_seconds()
    decision = UNCONFIRMED if left_s <= 0 else still_in_doubt(policy, counters)
    return replace(decision, delay_s=min(decision.delay_s, left_s)) if isinstance(decision, Again) else decision


def under_way(policy: Policy, counters: Counters, retry_after_s: float | None, now: datetime) -> Decision:
    """A look-up told that the platform is at work on the post."""
    decision = _wait(
        policy, counters, TargetStatus.PUBLISHING, policy.not_ready_max_s, UNCONFIRMED.error, now, retry_after_s
    )
    return decision if isinstance(decision, Again) else UNCONFIRMED


def may_send_again(policy: Policy, counters: Counters) -> Stop | None:
    """A look-up proved that nothing was published: None if it may be sent once more."""
    if counters.tries <= len(policy.transient_s):
        return None
    return Stop(TargetStatus.FAILED, TargetError("upstream_unavailable", "The platform did not accept it in time."))


def _back_off(
    policy: Policy,
    delays_s: tuple[float, ...],
    counters: Counters,
    error: TargetError,
    retry_after_s: float | None,
    *,
    rebuild: bool = False,
) -> Decision:
    wanted = retry_after_s or 0.0
    if counters.tries > len(delays_s) or wanted > policy.retry_after_max_s:
        return Stop(TargetStatus.FAILED, error)
    delay_s = max(delays_s[max(counters.tries, 1) - 1], wanted)
    return Again(TargetStatus.QUEUED, delay_s, arrived(counters), rebuild)


def _wait(
    policy: Policy,
    counters: Counters,
    status: TargetStatus,
    max_s: float,
    error: TargetError,
    now: datetime,
    retry_after_s: float | None,
) -> Decision:
    since = counters.waiting_since or now
    if now - since > timedelta(seconds=max_s):
        return Stop(TargetStatus.FAILED, error)
    delay_s = max(policy.wait_s[min(counters.waits, len(policy.wait_s) - 1)], retry_after_s or 0.0)
    return Again(status, delay_s, replace(counters, waits=counters.waits + 1, waiting_since=since))

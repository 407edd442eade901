"""When an event is sent to an endpoint again, and when that ends. Pure; every number is in `Schedule`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum


class DeliveryStatus(StrEnum):
    """The names are those of the public API."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Fault(StrEnum):
    """Why an attempt did not succeed. The names are those of the public API."""

    REFUSED = "answer_refused"
    REDIRECTED = "redirected"
    TIMED_OUT = "timed_out"
    CONNECTION = "connection_failed"
    NOT_ALLOWED = "url_not_allowed"
    DISABLED = "endpoint_disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Seconds.

    retry_s: after the first, second, … failure; past its end we give up. jitter: a pause is up to this part longer,
    never shorter, so that what failed together does not come back together.
    """

    retry_s: tuple[float, ...] = (5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200)
    jitter: float = 0.1
    retry_after_max_s: float = 43_200  # the schedule's own longest pause
    attempt_max_s: float = 15  # from the name's resolution to the answer's status
    lease_s: float = 20  # longer than an attempt; hence how long a delivery waits for another worker after a crash


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one endpoint. next_at is None once it is settled."""

    delivery_id: str
    endpoint_id: str
    event_id: str
    event_type: str
    status: DeliveryStatus
    attempts: int
    next_at: datetime | None
    last_attempt_at: datetime | None
    response_status: int | None
    error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended. status: of the HTTP answer; None: there was none. fault None: it was taken."""

    status: int | None
    fault: Fault | None
    retry_after: str | None = None


GONE = 410


def judged(status: int, retry_after: str | None = None) -> Outcome:
    """What an answer of this status means."""
    if 200 <= status < 300:
        return Outcome(status, None)
    return Outcome(status, Fault.REDIRECTED if 300 <= status < 400 else Fault.REFUSED, retry_after)


def pause_s(schedule: Schedule, failures: int, outcome: Outcome, *, chance: float, now: datetime) -> float | None:
    """Seconds until the next attempt after `failures` failures, this one among them; None: there is none.

    Args:
        chance: 0 to 1, from a source of randomness.
    """
    if failures > len(schedule.retry_s):
        return None
    planned = schedule.retry_s[failures - 1] * (1 + schedule.jitter * chance)
    return max(planned, min(wanted_s(outcome.retry_after, now), schedule.retry_after_max_s))


def wanted_s(retry_after: str | None, now: datetime) -> float:
    """Seconds that a Retry-After asks for, given as a number or a date; 0 where it cannot be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now) / timedelta(seconds=1))

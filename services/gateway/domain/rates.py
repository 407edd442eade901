"""How often a workspace may ask: buckets of requests that fill up again evenly. Pure.

A bucket is one moment: when it will be full. Each request moves it on by the time that one takes to come back (the
generic cell rate algorithm); a moment in the past is a full bucket.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil


class Kind(StrEnum):
    """What is counted apart."""

    READS = "reads"
    WRITES = "writes"
    PIECES = "pieces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A bucket holds `requests` and fills up within `window_s` seconds."""

    requests: int
    window_s: int

    def __post_init__(self) -> None:
        for value in (self.requests, self.window_s):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{value!r} is no number of at least 1")

    @property
    def window(self) -> timedelta:
        """How long an empty bucket takes to be full."""
        return timedelta(seconds=self.window_s)

    @property
    def each(self) -> timedelta:
        """How long one request takes to come back."""
        return self.window / self.requests

    def left(self, full_at: datetime, now: datetime) -> int:
        """Requests in the bucket."""
        return min(self.requests, max(0, int((now + self.window - full_at) / self.each + 1e-6)))


Rates = Mapping[Kind, Rate]


def of_plan(row: Mapping[str, Mapping[str, int]]) -> Rates:
    """As a plan's data have them. Raises: TypeError, ValueError, where it does not say each and nothing else."""
    if set(row) != set(Kind):
        raise ValueError(f"says {', '.join(row)} instead of {', '.join(Kind)}")
    return {Kind(kind): Rate(**rate) for kind, rate in row.items()}


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of asking a bucket at a moment: how many of the requests asked for, and the bucket since."""

    granted: int
    full_at: datetime
    at: datetime


def take(rate: Rate, full_at: datetime, now: datetime, *, wanted: int, returned: int = 0) -> Taken:
    """Takes requests out of a bucket, as many of `wanted` as it holds, after `returned` unused ones were put back."""
    filling = max(full_at - returned * rate.each, now)
    granted = min(wanted, rate.left(filling, now))
    return Taken(granted, filling + granted * rate.each, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a workspace stands after a request.

    Attributes:
        allowed: The request may go on.   left: how many more may come now.
        full_s: Seconds until all may.   wait_s: if it may not, seconds until it may, at least 1.
    """

    kind: Kind
    rate: Rate
    allowed: bool
    left: int
    full_s: int
    wait_s: int


def standing(kind: Kind, rate: Rate, full_at: datetime, now: datetime, *, allowed: bool, held: int = 0) -> Standing:
    """As told to a client; `held` requests were taken out in advance and not used yet."""
    left = min(rate.requests, rate.left(full_at, now) + held) if allowed else 0
    full_s = max(0, ceil((full_at - now - held * rate.each).total_seconds()))
    wait_s = 0 if allowed else max(1, ceil((full_at + rate.each - now - rate.window).total_seconds()))
    return Standing(kind=kind, rate=rate, allowed=allowed, left=left, full_s=full_s, wait_s=wait_s)

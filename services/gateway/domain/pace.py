"""How slow a client may be. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A body ends after `gap_s` seconds without a byte, or with less than `bytes_per_s` on average over `window_s`
    seconds of waiting for its client."""

    gap_s: float = 30.0
    window_s: float = 60.0
    bytes_per_s: int = 16_000


STANDARD = Pace()


class Watch:
    """Watches one body; what it counts is the time spent waiting for the client alone."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waited_s = 0.0
        self._bytes = 0

    def patience_s(self) -> float:
        """How long to wait for the next bytes: no longer than it takes to know that the pace is missed."""
        behind_s = self._pace.window_s - self._waited_s
        missed = self._bytes < self._pace.bytes_per_s * self._pace.window_s
        return min(self._pace.gap_s, max(behind_s, 0.0)) if missed else self._pace.gap_s

    def got(self, size_bytes: int, waited_s: float) -> bool:
        """Counts bytes and the wait for them. Returns whether they came fast enough."""
        self._bytes += size_bytes
        self._waited_s += waited_s
        if self._waited_s < self._pace.window_s:
            return True
        enough = self._bytes >= self._pace.bytes_per_s * self._waited_s
        self._waited_s, self._bytes = 0.0, 0
        return enough

"""Animations as films: how often one is shown in a row, and at how many frames a second."""

from dataclasses import replace
from fractions import Fraction
from math import ceil

from services.platforms.catalog import Limits
from services.transcoder.domain.probe import Probe

# Those whose frames tell in their headers how long they stand.
LOOPED = ("gif", "webp")
# Frames a second that every platform takes.
LEAST_FPS, MOST_FPS = 24, 60
# Where no rate shows every frame exactly as long as it stands: none begins later by more than this takes, two ticks of
# a GIF's clock.
EVEN_FPS = Fraction(50)


def as_film(limits: Limits, probe: Probe) -> Probe:
    """What an animation is as a film within those limits: as often in a row, and as even.

    probe: Of an animation whose frames tell how long they stand.
    """
    times = turns(limits, probe)
    return replace(
        probe,
        kind="video",
        frames=probe.frames * times,
        duration_s=probe.duration_s * times,
        fps=float(frame_rate(probe)),
    )


def turns(limits: Limits, probe: Probe) -> int:
    """As few as reach the shortest film the limits take."""
    return max(1, ceil((limits.min_duration_s or 0.0) / probe.duration_s))


def frame_rate(probe: Probe) -> Fraction:
    """Frames a second: the lowest of those at which every frame stands exactly as long as its author wanted."""
    beat = Fraction(1000, probe.beat_ms)
    rate = beat * ceil(LEAST_FPS / beat)
    return rate if rate <= MOST_FPS else EVEN_FPS

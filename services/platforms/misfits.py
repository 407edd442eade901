"""What a picture or film has against a platform's limits that no rendition of it mends. Pure.

A rendition is made smaller, never larger; nothing is cut, and bars are added only where a preset says so.
"""

from dataclasses import dataclass

from services.platforms.shapes import Limits

# Lengths and shapes are measured, and limits are round: a clip of 140.01 s is one of 140 s to its maker.
DURATION_SLACK_S = 0.05
ASPECT_SLACK = 0.005


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a source cannot become something: a stable code, and a sentence with the numbers in it."""

    reason: str
    detail: str


def of_shape(limits: Limits, width: int, height: int) -> Misfit | None:
    """width, height: pixels as displayed, at least 1."""
    if limits.min_edge_px is not None and min(width, height) < limits.min_edge_px:
        return Misfit("dimensions_too_small", f"{width} x {height} has a side below {limits.min_edge_px}")
    lowest, highest, aspect = limits.min_aspect, limits.max_aspect, width / height
    if (lowest is not None and aspect < lowest * (1 - ASPECT_SLACK)) or (
        highest is not None and aspect > highest * (1 + ASPECT_SLACK)
    ):
        taken = " and ".join(
            f"{word} {bound:g}" for word, bound in (("at least", lowest), ("at most", highest)) if bound is not None
        )
        return Misfit("aspect_unsupported", f"width / height is {aspect:.3f}, not {taken}")
    return None


def of_length(limits: Limits, duration_s: float) -> Misfit | None:
    """Of a film."""
    if limits.min_duration_s is not None and duration_s < limits.min_duration_s - DURATION_SLACK_S:
        return Misfit("duration_too_short", f"{duration_s:.2f} s are less than {limits.min_duration_s:g} s")
    if limits.max_duration_s is not None and duration_s > limits.max_duration_s + DURATION_SLACK_S:
        return Misfit("duration_too_long", f"{duration_s:.2f} s are more than {limits.max_duration_s:g} s")
    return None

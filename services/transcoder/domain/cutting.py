"""Which films are encoded in segments."""

from collections.abc import Iterable
from math import ceil

from services.platforms.catalog import Preset
from services.transcoder.domain.films import Mp4
from services.transcoder.domain.planning import plan
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.segments import GROUP_S, Cut

FULL_HD_PX = 1920 * 1080
# What lies between a segment's start and the key frame before it is decoded for nothing.
MOST_KEY_GAP_S = 20.0


def cut(segment_s: int, width: int, height: int, duration_s: float) -> Cut | None:
    """How a film of that size and length is cut, if it is. None: it is too short for two segments.

    Args:
        segment_s: Seconds of a segment at full HD and above; those of smaller pictures are longer. 0: nothing is cut.
    """
    if not segment_s:
        return None
    share = min(1.0, width * height / FULL_HD_PX)
    seconds = GROUP_S * ceil(segment_s / share / GROUP_S)
    of = int(duration_s // seconds)
    return Cut(of, seconds) if of > 1 else None


def pays(presets: Iterable[Preset], probe: Probe) -> bool:
    """Whether anything is encoded for these presets, and can be begun in the middle without much ado."""
    return probe.max_key_gap_s <= MOST_KEY_GAP_S and any(isinstance(one.recipe, Mp4) for one in plan(presets, probe))

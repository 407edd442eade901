"""How each preset is satisfied, the cheapest way that holds, and which of them are the same work.

A plan's `recipe` is what is really done, after everything was clamped to this source: presets of equal recipes share
one rendition, whatever platform they belong to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TypeAlias

from services.platforms.catalog import Preset
from services.transcoder.domain.fitting import Misfit, affordable_kbps, misfit
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import How

# What a stream must be to be copied: every platform takes it (the strictest documented values; our own choice where
# they say nothing). Source: the platforms' spec.toml.
COPIED_PROFILES = ("Constrained Baseline", "Baseline", "Main", "High")
COPIED_BIT_RATE = 25_000_000
COPIED_KEY_GAP_S = 5.1
COPIED_AUDIO_RATE_HZ = 48_000
STANDARD_FPS = tuple(
    Fraction(*rate)
    for rate in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1))
)
MIN_FPS, MAX_FPS = 23.0, 60.0


@dataclass(frozen=True, slots=True)
class Untouched:
    """The source's own bytes."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """The source's bytes without anything a decoder does not need."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A still, `width` × `height`. quality: (best, worst), Pillow's scale.

    canvas: the size with bars around it; None: no bars.
    """

    width: int
    height: int
    quality: tuple[int, int]
    canvas: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Pixels of the file."""
        return self.canvas or (self.width, self.height)

    def smaller(self, scale: float) -> "Jpeg":
        """The same at `scale` < 1 of its sides."""
        width, height = box(self.width, self.height, max(1, int(self.width * scale)), max(1, int(self.height * scale)))
        canvas = self.canvas and _canvas(width, height, self.canvas[0] / self.canvas[1])
        return Jpeg(width, height, self.quality, canvas)


@dataclass(frozen=True, slots=True)
class Copied:
    """The source's picture and first sound, in a fresh MP4."""


@dataclass(frozen=True, slots=True)
class Mp4:
    """H.264 and AAC. fps: frames a second, each as long as the others. kbps: 1000 bits a second."""

    width: int
    height: int
    fps: Fraction
    crf: int
    max_kbps: int
    audio_kbps: int


@dataclass(frozen=True, slots=True)
class Cover:
    """One frame of a film, as a Jpeg."""

    jpeg: Jpeg


Recipe: TypeAlias = Untouched | Stripped | Jpeg | Copied | Mp4 | Cover


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one preset: work to do, or why not."""

    preset: Preset
    how: How | None = None
    recipe: Recipe | None = None
    misfit: Misfit | None = None


def plan(presets: Iterable[Preset], probe: Probe) -> list[Plan]:
    """One plan per preset, in their order."""
    return [_plan(preset, probe) for preset in presets]


def without_copies(plans: Iterable[Plan], probe: Probe) -> list[Plan]:
    """The same plans for a film whose copy came out wrong: it is encoded instead."""
    return [
        Plan(one.preset, How.ENCODE, _mp4(one.preset, probe)) if isinstance(one.recipe, Copied) else one
        for one in plans
    ]


def _plan(preset: Preset, probe: Probe) -> Plan:
    if found := misfit(preset, probe):
        return Plan(preset, misfit=found)
    if preset.recipe == "gif_strip":
        return Plan(preset, How.STRIP, Stripped()) if probe.has_extras else Plan(preset, How.AS_IS, Untouched())
    if preset.recipe == "jpeg_under_bytes":
        recipe = _jpeg(preset, probe)
        if recipe.canvas is None and _still_complies(preset, probe):
            return Plan(preset, How.STRIP, Stripped()) if probe.has_extras else Plan(preset, How.AS_IS, Untouched())
        return Plan(preset, How.ENCODE, recipe)
    if preset.recipe == "cover_frame":
        return Plan(preset, How.ENCODE, Cover(_jpeg(preset, probe)))
    if _film_complies(preset, probe):
        return Plan(preset, How.REMUX, Copied())
    return Plan(preset, How.ENCODE, _mp4(preset, probe))


def box(width: int, height: int, max_width: int, max_height: int, *, step: int = 1) -> tuple[int, int]:
    """The largest size of that shape inside the box, never larger than it is; sides are multiples of `step`, ≥ 1."""
    scale = min(1.0, max_width / width, max_height / height)
    return _stepped(width * scale, step), _stepped(height * scale, step)


def _stepped(side: float, step: int) -> int:
    return max(1, int(side / step + 0.5)) * step


def frame_rate(probe: Probe) -> Fraction:
    """Frames a second of every encoded rendition: the source's own if it is even and usual, else the nearest usual.

    Above 60 it is halved until it is not; below 23 frames are shown twice, up to 24.
    """
    rate = probe.fps
    while rate > MAX_FPS + 0.01:
        rate /= 2
    if rate < MIN_FPS:
        return Fraction(24)
    if probe.constant_rate and not any(abs(float(one) - rate) < 0.05 for one in STANDARD_FPS):
        return Fraction(rate).limit_denominator(1001)
    return min(STANDARD_FPS, key=lambda one: abs(float(one) - rate))


def _jpeg(preset: Preset, probe: Probe) -> Jpeg:
    quality = preset.params["quality"]
    assert isinstance(quality, tuple)
    most_width, most_height = _whole(preset, "max_width_px"), _whole(preset, "max_height_px")
    wanted = probe.aspect
    if preset.params.get("pad"):
        wanted = min(max(wanted, preset.limits.min_aspect or 0.0), preset.limits.max_aspect or wanted)
    if wanted == probe.aspect:
        return Jpeg(*box(probe.width, probe.height, most_width, most_height), (quality[0], quality[1]))
    # With its bars it must fit the box too.
    inner = (min(most_width, int(most_height * wanted)), min(most_height, int(most_width / wanted)))
    width, height = box(probe.width, probe.height, *inner)
    return Jpeg(width, height, (quality[0], quality[1]), _canvas(width, height, wanted))


def _canvas(width: int, height: int, aspect: float) -> tuple[int, int]:
    """The smallest size of that shape around a picture."""
    return max(width, ceil(height * aspect)), max(height, ceil(width / aspect))


def _mp4(preset: Preset, probe: Probe) -> Mp4:
    rate = frame_rate(probe)
    most = _whole(preset, "max_kbps")
    if rate > 31:
        most = most * 3 // 2  # twice the frames do not need twice the bits
    return Mp4(
        *_frame(preset, probe),
        fps=rate,
        crf=_whole(preset, "crf"),
        max_kbps=min(most, affordable_kbps(preset, probe.duration_s)),
        audio_kbps=_whole(preset, "audio_kbps") if probe.has_audio else 0,
    )


def _frame(preset: Preset, probe: Probe) -> tuple[int, int]:
    long, short = _whole(preset, "long_px"), _whole(preset, "short_px")
    wide = probe.width >= probe.height
    most = (long, short) if wide else (short, long)
    return box(probe.width, probe.height, *most, step=2)


def _still_complies(preset: Preset, probe: Probe) -> bool:
    """Whether the source, at most stripped of metadata, is what the preset wants; its shape is."""
    width, height = _whole(preset, "max_width_px"), _whole(preset, "max_height_px")
    return (
        preset.params["keep_compliant"] is True
        and f"image/{probe.container}" in preset.limits.accept
        and probe.container in ("jpeg", "png")
        and not probe.animated
        and probe.orientation == 1
        and probe.standard_color
        and not probe.has_alpha
        and probe.width <= width
        and probe.height <= height
        and probe.size_bytes <= preset.limits.max_bytes
    )


def _film_complies(preset: Preset, probe: Probe) -> bool:
    """Whether the source's streams can be copied. `trimmed`: without its edit list, frames its maker cut would show."""
    return (
        preset.params["keep_compliant"] is True
        and (probe.codec, probe.pix_fmt) == ("h264", "yuv420p")
        and probe.profile in COPIED_PROFILES
        and (probe.width, probe.height) == _frame(preset, probe)
        and (probe.rotation, probe.trimmed, probe.interlaced, probe.hdr) == (0, False, False, "")
        and probe.square
        and probe.standard_color
        and probe.constant_rate
        and MIN_FPS <= probe.fps <= MAX_FPS + 0.01
        and probe.max_key_gap_s <= COPIED_KEY_GAP_S
        and probe.bit_rate <= COPIED_BIT_RATE
        and probe.size_bytes <= preset.limits.max_bytes
        and (not probe.has_audio or _sound_complies(probe))
    )


def _sound_complies(probe: Probe) -> bool:
    return (
        (probe.audio_codec, probe.audio_profile) == ("aac", "LC")
        and probe.audio_channels in (1, 2)
        and probe.audio_rate <= COPIED_AUDIO_RATE_HZ
    )


def _whole(preset: Preset, name: str) -> int:
    value = preset.params[name]
    assert isinstance(value, int)
    return value

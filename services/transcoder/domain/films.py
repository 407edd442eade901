"""What a film is made into: when its own streams will do, and what is encoded when they will not."""

from dataclasses import dataclass
from fractions import Fraction

from services.platforms.catalog import Preset
from services.transcoder.domain.fitting import affordable_kbps
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.sizes import box

# What a stream must be to be copied: every platform takes it (the strictest documented values; our own choice where
# they say nothing). Source: the platforms' spec.toml.
COPIED_PROFILES = ("Constrained Baseline", "Baseline", "Main", "High")
COPIED_LEVEL = 42  # H.264's, times ten
COPIED_BIT_RATE = 25_000_000
COPIED_KEY_GAP_S = 5.1
COPIED_AUDIO_RATE_HZ = 48_000
STANDARD_FPS = tuple(
    Fraction(*rate)
    for rate in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1))
)
MIN_FPS, MAX_FPS = 23.0, 60.0
NEARLY = 0.02
# Rates above have twice the frames, which do not need twice the bits: half as many more.
CALM_FPS = 31


@dataclass(frozen=True, slots=True)
class Rung:
    """A box, and the kilobits a second at up to CALM_FPS between which a picture is worth being that large."""

    long_px: int
    short_px: int
    least_kbps: int
    most_kbps: int


# Most: https://support.google.com/youtube/answer/1722171 (read 2026-11-24). Least: our choice, the next smaller looks
# better from there on; below the last of them nothing does, see fitting.MIN_VIDEO_KBPS.
LADDER = (Rung(1920, 1080, 3000, 8000), Rung(1280, 720, 900, 5000), Rung(854, 480, 400, 2500))


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


def encoded(preset: Preset, probe: Probe) -> Mp4:
    """The effective recipe: nothing in it tells which preset it is for, where that makes no difference.

    A small picture under a large box gets no more bits than under its own. Where the byte cap leaves too few bits for
    the box, the picture is made smaller instead.
    """
    rate = frame_rate(preset, probe)
    share = Fraction(3, 2) if rate > CALM_FPS else Fraction(1)
    affordable = affordable_kbps(preset, probe.duration_s)
    long, short = _whole(preset, "long_px"), _whole(preset, "short_px")
    for rung in LADDER:
        size = _within(probe, min(long, rung.long_px), min(short, rung.short_px))
        if affordable >= rung.least_kbps * share:
            break
    held = (one for one in reversed(LADDER) if max(size) <= one.long_px and min(size) <= one.short_px)
    worth = next(held, LADDER[0]).most_kbps
    return Mp4(
        *size,
        fps=rate,
        crf=_whole(preset, "crf"),
        max_kbps=min(int(min(worth, _whole(preset, "max_kbps")) * share), affordable),
        audio_kbps=_whole(preset, "audio_kbps") if probe.has_audio else 0,
    )


def frame_rate(preset: Preset, probe: Probe) -> Fraction:
    """Frames a second of an encoded rendition: the source's own if it is even, else the usual one it nearly has, or the
    next above, so that no frame is lost.

    Above 60 it is halved until it is not; below 23, or what the preset takes, frames are shown twice, up to 24.
    """
    rate = probe.fps
    while rate > MAX_FPS + 0.01:
        rate /= 2
    if rate < max(MIN_FPS, (preset.limits.min_fps or 0.0) - 0.01):
        return Fraction(24)
    nearest = min(STANDARD_FPS, key=lambda one: abs(float(one) - rate))
    if probe.constant_rate and abs(float(nearest) - rate) >= 0.05:
        return Fraction(rate).limit_denominator(1001)
    if abs(float(nearest) - rate) <= NEARLY * rate:
        return nearest
    return min(one for one in STANDARD_FPS if one > rate)


def complies(preset: Preset, probe: Probe) -> bool:
    """Whether the source's streams can be copied. `trimmed`: without its edit list, frames its maker cut would show."""
    size = _within(probe, _whole(preset, "long_px"), _whole(preset, "short_px"))
    return (
        preset.params["keep_compliant"] is True
        and (probe.codec, probe.pix_fmt) == ("h264", "yuv420p")
        and probe.profile in COPIED_PROFILES
        and probe.level <= COPIED_LEVEL
        and (probe.width, probe.height) == size
        and (probe.rotation, probe.trimmed, probe.interlaced, probe.hdr) == (0, False, False, "")
        and probe.square
        and probe.standard_color
        and probe.constant_rate
        and max(MIN_FPS, (preset.limits.min_fps or 0.0) - 0.01) <= probe.fps <= MAX_FPS + 0.01
        and probe.closed_groups
        and probe.max_key_gap_s <= COPIED_KEY_GAP_S
        and probe.peak_bit_rate <= COPIED_BIT_RATE
        and probe.size_bytes <= preset.limits.max_bytes
        and (not probe.has_audio or _sound_complies(probe))
    )


def _sound_complies(probe: Probe) -> bool:
    return (
        (probe.audio_codec, probe.audio_profile) == ("aac", "LC")
        and probe.audio_channels in (1, 2)
        and probe.audio_rate <= COPIED_AUDIO_RATE_HZ
    )


def _within(probe: Probe, long_px: int, short_px: int) -> tuple[int, int]:
    """The box, turned to suit the picture, and how large that may be in it."""
    most = (long_px, short_px) if probe.width >= probe.height else (short_px, long_px)
    return box(probe.width, probe.height, *most, step=2)


def _whole(preset: Preset, name: str) -> int:
    value = preset.params[name]
    assert isinstance(value, int)
    return value

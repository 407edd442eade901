"""Whether a source can become what a platform takes: told from the probe alone, before any work is done."""

from collections.abc import Mapping

from services.platforms.catalog import Limits, Platform, Preset
from services.platforms.misfits import Misfit, of_length, of_shape
from services.transcoder.domain.ceilings import MAX_ANIMATION_S, MAX_LOOP_PX
from services.transcoder.domain.loops import LOOPED, as_film
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import Fit

# Below these a film is not worth showing, so a byte cap that forces them is a refusal.
MIN_VIDEO_KBPS = 400
# Of a cap in bytes, so much is planned for: a container has tables, and a rate control is not exact to the byte.
CAP_SHARE = 0.95


def misfit(preset: Preset, probe: Probe) -> Misfit | None:
    """Why this source cannot become that preset; None when it can.

    Sizes and rates never stand in the way by being too large: a rendition is made smaller. Nothing is cropped,
    shortened or enlarged, and bars are added only where a preset says so.
    """
    if preset.of != probe.kind:
        return Misfit("kind_unsupported", f"{preset.id} is made from a {preset.of}, this is a {probe.kind}")
    if preset.animated and not probe.animated:
        return Misfit("not_animated", f"{preset.id} is for animations")
    if preset.animated and preset.makes == "video":
        return _looped(preset, probe)
    if preset.animated and f"image/{probe.container}" not in preset.limits.accept:
        return Misfit("format_unsupported", f"{preset.id} keeps animations as they are, and takes no {probe.container}")
    if preset.animated:
        return _animation(preset.limits, probe)
    if probe.kind == "video" and probe.hdr == "dolby":
        return Misfit("hdr_unsupported", "its colours are stored in a way only its maker's devices can read")
    found = None if preset.params.get("pad") else _shape(preset.limits, probe)
    if found is None and preset.makes == "video":
        found = _length(preset.limits, probe) or _rate(preset, probe)
    return found


def _looped(preset: Preset, probe: Probe) -> Misfit | None:
    if probe.container not in LOOPED or not probe.beat_ms:
        return Misfit("format_unsupported", f"{preset.id} is not made from an animated {probe.container}")
    film = as_film(preset.limits, probe)
    if film.width * film.height * film.frames > MAX_LOOP_PX:
        return Misfit("too_many_pixels", f"its frames have more than {MAX_LOOP_PX} pixels together")
    if film.duration_s > MAX_ANIMATION_S:
        return Misfit("duration_too_long", f"{film.duration_s:.2f} s are more than {MAX_ANIMATION_S:g} s")
    return _shape(preset.limits, film) or _length(preset.limits, film) or _rate(preset, film)


def fit(platform: Platform, probe: Probe) -> Fit:
    """The first of a platform's default presets that this source can become, else why it cannot become the last."""
    found: Misfit | None = None
    for preset in platform.presets:
        if not preset.default or preset.of != probe.kind or (preset.animated and not probe.animated):
            continue
        found = misfit(preset, probe)
        if found is None:
            return Fit(ok=True, preset=preset.id)
    if found is None:
        found = Misfit("kind_unsupported", f"{platform.name} takes no {probe.kind}s")
    return Fit(ok=False, reason=found.reason, detail=found.detail)


def fits(platforms: Mapping[str, Platform], probe: Probe) -> dict[str, Fit]:
    """fit() by platform id."""
    return {name: fit(platform, probe) for name, platform in platforms.items()}


def affordable_kbps(preset: Preset, duration_s: float) -> int:
    """Kilobits a second that the picture of a film this long (> 0 s) may have on average, for the preset's byte cap."""
    audio = preset.params.get("audio_kbps", 0)
    assert isinstance(audio, int)
    return int(CAP_SHARE * preset.limits.max_bytes * 8 / 1000 / duration_s) - audio


def breach(limits: Limits, made: Probe, content_type: str) -> Misfit | None:
    """What a finished rendition, probed again, has against the limits it was made for; None: nothing."""
    if content_type not in limits.accept:
        return Misfit("format_unsupported", f"{content_type} is not among {', '.join(limits.accept)}")
    if made.size_bytes > limits.max_bytes:
        return Misfit("too_large_for_platform", f"{made.size_bytes} bytes are more than {limits.max_bytes}")
    if limits.min_bytes is not None and made.size_bytes < limits.min_bytes:
        return Misfit("too_small_for_platform", f"{made.size_bytes} bytes are fewer than {limits.min_bytes}")
    if limits.max_edge_px is not None and max(made.width, made.height) > limits.max_edge_px:
        return Misfit("dimensions_too_large", f"{made.width} x {made.height} has a side above {limits.max_edge_px}")
    if limits.max_width_px is not None and made.width > limits.max_width_px:
        return Misfit("dimensions_too_large", f"{made.width} is wider than {limits.max_width_px}")
    if made.animated and (found := _animation(limits, made)):
        return found
    if found := _shape(limits, made):
        return found
    if made.kind == "video":
        if limits.max_fps is not None and made.fps > limits.max_fps + 0.01:
            return Misfit("frame_rate_unsupported", f"{made.fps:.2f} frames a second are more than {limits.max_fps:g}")
        if limits.min_fps is not None and made.fps < limits.min_fps - 0.01:
            return Misfit("frame_rate_unsupported", f"{made.fps:.2f} frames a second are fewer than {limits.min_fps:g}")
        return _length(limits, made)
    return None


def _animation(limits: Limits, probe: Probe) -> Misfit | None:
    if limits.max_frames is not None and probe.frames > limits.max_frames:
        return Misfit("too_many_frames", f"{probe.frames} frames are more than {limits.max_frames}")
    if limits.max_total_px is not None and probe.width * probe.height * probe.frames > limits.max_total_px:
        return Misfit("too_many_pixels", f"its frames have more than {limits.max_total_px} pixels together")
    if limits.max_edge_px is not None and max(probe.width, probe.height) > limits.max_edge_px:
        return Misfit("dimensions_too_large", f"{probe.width} x {probe.height} has a side above {limits.max_edge_px}")
    if probe.size_bytes > limits.max_bytes:
        return Misfit("too_large_for_platform", f"{probe.size_bytes} bytes are more than {limits.max_bytes}")
    return None


def _shape(limits: Limits, probe: Probe) -> Misfit | None:
    return of_shape(limits, probe.width, probe.height)


def _length(limits: Limits, probe: Probe) -> Misfit | None:
    return of_length(limits, probe.duration_s)


def _rate(preset: Preset, probe: Probe) -> Misfit | None:
    if affordable_kbps(preset, probe.duration_s) < MIN_VIDEO_KBPS:
        return Misfit("too_large_for_platform", f"{probe.duration_s:.0f} s do not fit {preset.limits.max_bytes} bytes")
    return None

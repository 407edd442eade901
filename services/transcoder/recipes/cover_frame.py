"""The frame that stands for a film: the clearest of a few, neither black nor white."""

from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from services.common.errors import Code
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.sizes import box
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import film
from services.transcoder.engine.film import Source
from services.transcoder.engine.frames import Frames, Size

# Where to look, as parts of the film; and half a second in, since many begin black.
PLACES = (0.1, 0.25, 0.5)
EARLY_S = 0.5
# Of luma, 0..255: outside, or with less spread, a frame shows nothing.
DARK, BRIGHT, FLAT = 20, 235, 8
MAX_EDGE_PX = 1920
_JUDGED_PX = 320
# A moment between two frames belongs to the one before; times are rounded somewhere on their way.
SLACK_S = 0.002
# From the key frame before a moment; what is further from one is shown by the last of these.
MOST_DECODED = 1_500


def choose(path: Path, content_type: str, probe: Probe, *, at_s: float | None = None) -> Image.Image:
    """The frame that is shown at `at_s` seconds; without that, the sharpest of a few key frames that shows something,
    else the first.

    Returns:
        RGB, sRGB, upright, square pixels, at most 1920 px a side.

    Raises:
        InputFault: No frame can be decoded.
    """
    size = Size(*box(probe.width, probe.height, MAX_EDGE_PX, MAX_EDGE_PX, step=2))
    if at_s is None:
        with film.opened(path, content_type, threads=1) as source:
            found = _clearest(source, probe)
    else:
        with film.opened(path, content_type) as source:
            found = _shown(source, at_s)
    if found is None:
        with film.opened(path, content_type, threads=1) as source:
            found = film.first_frame(source)  # of a film whose only key frame is cut away
    return _picture(found, probe, size)


def _clearest(source: Source, probe: Probe) -> VideoFrame | None:
    places_s = (0.0, *sorted({min(EARLY_S, probe.duration_s), *(probe.duration_s * place for place in PLACES)}))
    source.picture.codec_context.skip_frame = "NONKEY"
    seen: set[int] = set()
    frames = (frame for place_s in places_s if (frame := _key_frame(source, place_s, seen)) is not None)
    return max(frames, key=_score, default=None)


def _key_frame(source: Source, at_s: float, seen: set[int]) -> VideoFrame | None:
    """The last key frame up to then, unless it was seen already."""
    _seek(source, at_s)
    for packet in source.container.demux(source.picture):
        at = packet.pts if packet.pts is not None else packet.dts
        if not packet.is_keyframe or at is None:
            continue
        if at in seen:
            return None
        seen.add(at)
        if frame := film.key_frame(source, packet):
            return frame
    return None


def _shown(source: Source, at_s: float) -> VideoFrame | None:
    """The last frame that begins up to then."""
    wanted = float(film.start_s(source)) + at_s
    _seek(source, at_s)
    found: VideoFrame | None = None
    for n, frame in enumerate(source.container.decode(source.picture)):
        if found is not None and (n >= MOST_DECODED or frame.time is None or frame.time > wanted + SLACK_S):
            break
        found = frame
    return found


def _seek(source: Source, at_s: float) -> None:
    base = source.picture.time_base
    assert base is not None
    start = source.picture.start_time or 0
    source.container.seek(start + round(at_s / base), stream=source.picture, backward=True)


def _picture(frame: VideoFrame, probe: Probe, size: Size) -> Image.Image:
    frames = Frames(probe, frame, [size], rate=None, pix_fmt="rgb24")
    frame.pts = 0
    frames.push(frame)
    frames.push(None)
    for made in frames.pull(0):
        return Image.fromarray(made.to_ndarray())
    raise InputFault(Code.MEDIA_CORRUPT, "a frame that cannot be scaled")


def _score(frame: VideoFrame) -> float:
    """How much there is to see: the spread of edges; nothing where luma is all dark, all bright or flat."""
    scale = _JUDGED_PX / max(frame.width, frame.height)
    small = frame.reformat(
        max(2, round(frame.width * scale)), max(2, round(frame.height * scale)), "gray", interpolation="AREA"
    )
    luma = small.to_ndarray().astype(np.float32)
    if not DARK < luma.mean() < BRIGHT or luma.std() < FLAT:
        return 0.0
    edges = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    return float(edges.var()) if edges.size else 0.0

"""The frame that stands for a film: the clearest of a few, neither black nor white."""

from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image, ImageFilter, ImageStat

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


def choose(path: Path, content_type: str, probe: Probe) -> Image.Image:
    """Decodes a few key frames and takes the sharpest that shows something; else the first.

    Returns:
        RGB, sRGB, upright, square pixels, at most 1920 px a side.

    Raises:
        InputFault: No frame can be decoded.
    """
    size = Size(*box(probe.width, probe.height, MAX_EDGE_PX, MAX_EDGE_PX, step=2))
    best: Image.Image | None = None
    best_score = -1.0
    seen: set[int] = set()
    for at_s in (0.0, *sorted({min(EARLY_S, probe.duration_s), *(probe.duration_s * place for place in PLACES)})):
        with film.opened(path, content_type) as source:
            frame = _key_frame(source, at_s)
            if frame is None or frame.pts is None or frame.pts in seen:
                continue
            seen.add(frame.pts)
            picture = _picture(frame, probe, size)
        score = _score(picture)
        if best is None or score > best_score:
            best, best_score = picture, score
    return best or _first(path, content_type, probe, size)


def _first(path: Path, content_type: str, probe: Probe, size: Size) -> Image.Image:
    """Of a film whose only key frame is cut away."""
    with film.opened(path, content_type) as source:
        return _picture(film.first_frame(source), probe, size)


def _key_frame(source: Source, at_s: float) -> VideoFrame | None:
    """The last key frame up to then."""
    base = source.picture.time_base
    assert base is not None
    source.picture.codec_context.skip_frame = "NONKEY"
    start = source.picture.start_time or 0
    source.container.seek(start + round(at_s / base), stream=source.picture, backward=True)
    return next(iter(source.container.decode(source.picture)), None)


def _picture(frame: VideoFrame, probe: Probe, size: Size) -> Image.Image:
    frames = Frames(probe, frame, [size], rate=None, pix_fmt="rgb24")
    frame.pts = 0
    frames.push(frame)
    frames.push(None)
    for made in frames.pull(0):
        return Image.fromarray(made.to_ndarray())
    raise InputFault(Code.MEDIA_CORRUPT, "a frame that cannot be scaled")


def _score(picture: Image.Image) -> float:
    """How much there is to see: the spread of edges; nothing where luma is all dark, all bright or flat."""
    small = picture.convert("L")
    small.thumbnail((_JUDGED_PX, _JUDGED_PX), Image.Resampling.BOX)
    luma = ImageStat.Stat(small)
    if not DARK < luma.mean[0] < BRIGHT or luma.stddev[0] < FLAT:
        return 0.0
    return float(np.asarray(small.filter(ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), 1, 128))).var())

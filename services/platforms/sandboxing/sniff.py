"""What arrived bytes are, told by decoders and not by their sender."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image, UnidentifiedImageError

IMAGE_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Facts:
    """content_type is UNKNOWN for what is neither image nor MP4. frames is 1 for stills, 0 for videos.

    fps: of videos, on average.
    """

    content_type: str
    width: int = 0
    height: int = 0
    frames: int = 0
    duration_s: float = 0.0
    codec: str = ""
    fps: float = 0.0


def sniff(path: Path) -> Facts:
    """Decodes as little as tells. Blocking."""
    return _image(path) or _video(path) or Facts(UNKNOWN)


def _image(path: Path) -> Facts | None:
    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(path, formats=tuple(IMAGE_TYPES)) as image,
        ):
            kind, (width, height), frames = image.format or "", image.size, getattr(image, "n_frames", 1)
            image.load()
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):
        return None
    return Facts(IMAGE_TYPES[kind], width, height, frames)


def _video(path: Path) -> Facts | None:
    try:
        with av.open(str(path), format="mp4") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                return None
            next(container.decode(stream))
            duration_s = (container.duration or 0) / 1_000_000
            codec, fps = stream.codec_context.name, float(stream.average_rate or 0)
            return Facts("video/mp4", stream.width, stream.height, 0, duration_s, codec, fps)
    except (av.error.FFmpegError, StopIteration):
        return None

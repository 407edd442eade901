"""One small sound file of every format that is taken in, for others to spoil. Made once per process."""

import io
from functools import cache
from typing import Any

import pillow_heif

from tests.media import film, picture

_STILLS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP", "image/avif": "AVIF"}
# Colours that need no conversion, whose tables would cost more than all the rest of these films.
_COLORS = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"}
_FILMS: dict[str, dict[str, Any]] = {
    "video/mp4": {"options": {"preset": "ultrafast", **_COLORS}},
    "video/quicktime": {"container": "mov", "options": {"preset": "ultrafast", **_COLORS}},
    "video/webm": {"container": "webm", "codec": "libvpx-vp9", "options": {"cpu-used": "8", **_COLORS}},
}
CONTENT_TYPES = (*_STILLS, "image/heic", "image/heif", *_FILMS)


@cache
def sample(content_type: str) -> bytes:
    """The smallest ordinary file of that type."""
    if content_type in _FILMS:
        return short_film(content_type)
    buffer = io.BytesIO()
    scene = picture(96, 72, seed=11)
    if content_type in _STILLS:
        scene.save(buffer, _STILLS[content_type])
        return buffer.getvalue()
    pillow_heif.from_pillow(scene).save(buffer, quality=50)
    data = buffer.getvalue()
    brands = int.from_bytes(data[:4], "big")
    # HEIF is HEIC that does not name its codec.
    return data if content_type == "image/heic" else data[:brands].replace(b"heic", b"mif1") + data[brands:]


def short_film(content_type: str, **metadata: str) -> bytes:
    """Five frames; `metadata` of the container."""
    return film(64, 48, seconds=0.5, metadata=metadata, **_FILMS[content_type])


@cache
def compliant_film() -> bytes:
    """What every platform takes as it is: its streams are copied, not encoded anew."""
    options = {"preset": "ultrafast", "bf": "0", "g": "30", **_COLORS}
    return film(320, 180, seconds=1, fps=30, audio=True, options=options)


@cache
def moving(format_: str) -> bytes:
    """An animation of three frames: "GIF", "PNG", "WEBP" or "AVIF"."""
    buffer = io.BytesIO()
    rest = [picture(96, 72, seed=n) for n in (12, 13)]
    picture(96, 72, seed=11).save(buffer, format_, save_all=True, append_images=rest, duration=100, loop=0)
    return buffer.getvalue()

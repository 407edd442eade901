"""Files that reached a platform's sandbox, opened and held against that platform's numbers."""

import io
from dataclasses import dataclass

import av
from PIL import Image

from services.platforms import catalog
from services.platforms.catalog import Kind, Limits
from services.transcoder.domain.films import COPIED_AUDIO_RATE_HZ

ASPECT_LEEWAY = 0.01  # sides are whole pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What decoding all of it shows. frames: 1 for stills.   seconds: 0.0 for stills.   fps: of films."""

    width: int
    height: int
    frames: int = 1
    seconds: float = 0.0
    fps: float = 0.0


def limits(platform: str, variant: str, kind: Kind) -> Limits:
    """Of the preset it was made by, else of all the platform takes of that kind. kind: of what was uploaded."""
    preset = catalog.presets(kind).get(variant)
    if preset is not None:
        return preset.limits
    known = catalog.load()[platform]
    part = known.image if kind == "image" else known.video
    assert part is not None
    return part.limits


def obeys(data: bytes, content_type: str, allowed: Limits) -> Measured:
    """Asserts that it is what the platform's numbers say; what it is."""
    assert (allowed.min_bytes or 0) <= len(data) <= allowed.max_bytes
    assert content_type in allowed.accept
    is_film = content_type.startswith("video/")
    found = _film(data) if is_film else _picture(data, content_type)
    assert min(found.width, found.height) >= (allowed.min_edge_px or 0)
    assert max(found.width, found.height) <= (allowed.max_edge_px or max(found.width, found.height))
    assert found.width <= (allowed.max_width_px or found.width)
    aspect = found.width / found.height
    assert (allowed.min_aspect or 0) <= aspect + ASPECT_LEEWAY
    assert aspect - ASPECT_LEEWAY <= (allowed.max_aspect or aspect)
    assert found.frames <= (allowed.max_frames or found.frames)
    if is_film or found.frames > 1:
        assert (allowed.min_duration_s or 0) <= found.seconds <= (allowed.max_duration_s or found.seconds)
    if is_film:
        assert (allowed.min_fps or 0) <= found.fps <= (allowed.max_fps or found.fps)
    elif found.frames > 1:
        total_px = found.width * found.height * found.frames
        assert total_px <= (allowed.max_total_px or total_px)
    return found


def _picture(data: bytes, content_type: str) -> Measured:
    with Image.open(io.BytesIO(data)) as image:
        assert Image.MIME[image.format or ""] == content_type
        assert not image.getexif()
        frames, milliseconds = getattr(image, "n_frames", 1), 0
        for index in range(frames):
            image.seek(index)
            image.load()
            milliseconds += image.info.get("duration", 0)
        assert image.mode in ("RGB", "RGBA", "P", "L"), image.mode
        return Measured(width=image.width, height=image.height, frames=frames, seconds=milliseconds / 1000)


def _film(data: bytes) -> Measured:
    """Every platform's films are what plays anywhere: H.264 4:2:0, and AAC of one or two channels where it sounds."""
    with av.open(io.BytesIO(data), "r", format="mp4") as film:
        [picture] = film.streams.video
        assert (picture.codec_context.name, picture.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert len(film.streams) == 1 + len(film.streams.audio) <= 2
        for sound in film.streams.audio:
            assert sound.codec_context.name == "aac"
            assert 0 < sound.codec_context.sample_rate <= COPIED_AUDIO_RATE_HZ
            assert sound.codec_context.channels in (1, 2)
        frames = sum(1 for _ in film.decode(video=0))
        return Measured(
            width=picture.width,
            height=picture.height,
            frames=frames,
            seconds=float(film.duration or 0) / av.time_base,
            fps=float(picture.average_rate or 0),
        )

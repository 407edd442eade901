"""Sample media, made when asked for. No two pictures are alike, unless a seed is given."""

import io
import secrets
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

# Debian's clamav-testfiles: harmless, and found by name.
INFECTED_ZIP = Path("/usr/share/clamav-testfiles/clam.zip")
SOUND_RATE_HZ = 48_000

Pixels = npt.NDArray[np.uint8]


def picture(width: int = 320, height: int = 240, *, seed: int | None = None, noise: int = 12) -> Image.Image:
    """Soft shapes under grain, about as hard to compress as a photograph. RGB."""
    random = np.random.default_rng(secrets.randbits(64) if seed is None else seed)
    shapes = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    soft = np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = random.integers(-noise, noise + 1, (height, width, 3), dtype=np.int16)
    return Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8))


def jpeg(width: int = 320, height: int = 240, *, gps: bool = False, orientation: int = 1, quality: int = 90) -> bytes:
    """A photograph. gps: it says where it was taken. orientation: EXIF's, 1..8; sizes are those stored."""
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    if gps:
        exif[0x010F] = "Camera maker"
        exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    buffer = io.BytesIO()
    picture(width, height).save(buffer, "JPEG", quality=quality, exif=exif, comment=b"taken by hand" if gps else b"")
    return buffer.getvalue()


def jpeg_of_size(size_bytes: int) -> bytes:
    """A photograph of 12 megapixels and exactly so many bytes; the last few are zeros that decoders skip."""
    scene, data = picture(4032, 3024, noise=30), b""
    for quality in range(80, 100):
        buffer = io.BytesIO()
        scene.save(buffer, "JPEG", quality=quality)
        if buffer.tell() > size_bytes:
            break
        data = buffer.getvalue()
    assert data, f"a photograph this large does not fit {size_bytes} bytes"
    return data + bytes(size_bytes - len(data))


def film(
    width: int = 128,
    height: int = 72,
    *,
    seconds: float = 1.0,
    fps: int = 10,
    audio: bool = False,
    container: str = "mp4",
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int | None = None,
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """A camera that pans over a picture, with a tone where `audio`.

    Args:
        width, height: Pixels as stored.   rotation: degrees against the clock that a player turns it.
        container, codec, pix_fmt: FFmpeg's names.   options: the codec's.   metadata: of the container.
    """
    buffer = io.BytesIO()
    scene = np.asarray(picture(width * 2, height * 2))
    with av.open(buffer, "w", format=container) as out:
        out.metadata.update(metadata or {})
        video = out.add_stream(codec, rate=fps, options=options or {"preset": "ultrafast", "crf": "20"})
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        if rotation is not None:
            video.set_display_rotation(rotation)
        sound = out.add_stream("aac", rate=SOUND_RATE_HZ, layout="stereo") if audio else None
        count = round(seconds * fps)
        for n in range(count):
            across, down = n * 2 % width, n % height
            view = np.ascontiguousarray(scene[down : down + height, across : across + width])
            frame = av.VideoFrame.from_ndarray(view, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = n, Fraction(1, fps)
            out.mux(video.encode(frame))
        if sound is not None:
            assert isinstance(sound, av.AudioStream)
            out.mux(sound.encode(tone(count / fps)))
            out.mux(sound.encode(None))
        out.mux(video.encode(None))
    return buffer.getvalue()


def tone(seconds: float) -> av.AudioFrame:
    """A soft A in stereo."""
    at = np.arange(round(seconds * SOUND_RATE_HZ), dtype=np.float32) / SOUND_RATE_HZ
    wave = (0.2 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE_HZ, 0, Fraction(1, SOUND_RATE_HZ)
    return frame


def padded(data: bytes, size_bytes: int) -> bytes:
    """The same film with a `free` box behind it, which players skip: any size wanted, as valid as before."""
    rest = size_bytes - len(data)
    return data + rest.to_bytes(4, "big") + b"free" + bytes(rest - 8)


def infected_jpeg() -> bytes:
    """A photograph that can be looked at, with something else behind it."""
    data = jpeg() + INFECTED_ZIP.read_bytes()
    Image.open(io.BytesIO(data)).load()
    return data


def infected_mp4() -> bytes:
    """A film that plays, with something else in a box of it."""
    harmful = INFECTED_ZIP.read_bytes()
    data = film() + (len(harmful) + 8).to_bytes(4, "big") + b"free" + harmful
    with av.open(io.BytesIO(data), "r", format="mp4") as playing:
        assert len(list(playing.decode(video=0))) == 10
    return data


def chunks(data: bytes, size_bytes: int = 1 << 18) -> Sequence[bytes]:
    """As a client would send it."""
    return [data[at : at + size_bytes] for at in range(0, len(data), size_bytes)]

"""What renditions look like, looked at once and pinned: a perceptual hash of the whole picture, colours included.

Other tests calculate what single places must be. This one notices whatever else changes, down to a shade all over.
`python -m tests.integration.transcoder.test_looks FOLDER` writes the pictures there, to be looked at, and pins them.
"""

import io
import json
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from services.transcoder.domain.work import WorkRequest
from services.transcoder.engine import still, work
from tests import media
from tests.integration.transcoder.charts import BT601, Film, evenly, make
from tests.unit.transcoder.engine.test_image_matrix import ADOBE, P3, STORED, profile

still.setup()
PINNED = Path(__file__).parent / "samples" / "looks.json"
GRID = (6, 4)
SHADES = 6  # of 255 that a place may be off: other builds of the encoders round otherwise
X264 = {"preset": "ultrafast", "crf": "18"}
X265 = {**X264, "x265-params": "log-level=error"}
Source = tuple[str, str, Callable[[], bytes]]


def scene(kind: str, *, size: tuple[int, int] = (480, 320), mode: str = "RGB", **more: object) -> bytes:
    """The same picture each time: soft shapes in all colours."""
    buffer = io.BytesIO()
    media.picture(*size, seed=7).convert(mode).save(buffer, kind, quality=95, **more)
    return buffer.getvalue()


def turned(orientation: int) -> bytes:
    """Stored otherwise than it is shown."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    media.picture(480, 320, seed=7).transpose(STORED[orientation]).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


def see_through() -> bytes:
    """Fading to nothing towards the right."""
    buffer, found = io.BytesIO(), media.picture(480, 320, seed=7).convert("RGBA")
    found.putalpha(ImageOps.mirror(Image.linear_gradient("L").rotate(90)).resize(found.size))
    found.save(buffer, "PNG")
    return buffer.getvalue()


def deep() -> bytes:
    """Sixteen bits of grey."""
    buffer = io.BytesIO()
    grey = np.asarray(media.picture(480, 320, seed=7).convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()


def film(*, size: tuple[int, int] = (426, 240), **more: object) -> bytes:
    """A second of the test chart; half way through, its bar stands in the middle."""
    return make(Film(size, evenly(25, 1), **{"options": X264, **more}))  # type: ignore[arg-type]


def dark_at_first() -> bytes:
    """Black for a second, then grey haze for one, then the scene."""
    buffer = io.BytesIO()
    black, haze = (Image.new("RGB", (480, 320), (shade, shade, shade)) for shade in (0, 120))
    views = [black, haze, media.picture(480, 320, seed=7)]
    with av.open(buffer, "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=10, options={**X264, "g": "10"})
        video.width, video.height, video.pix_fmt = 480, 320, "yuv420p"
        for n in range(40):
            view = np.asarray(views[min(n // 10, 2)])
            frame = av.VideoFrame.from_ndarray(view, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 10)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return buffer.getvalue()


# By name: type, preset, and what makes the file.
SOURCES: dict[str, Source] = {
    "as taken": ("image/jpeg", "display", lambda: scene("JPEG")),
    **{f"orientation {n}": ("image/jpeg", "display", lambda n=n: turned(n)) for n in STORED},  # type: ignore[misc]
    "Display P3": ("image/jpeg", "display", lambda: scene("JPEG", icc_profile=profile(P3, 2.2))),
    "Adobe RGB": ("image/jpeg", "display", lambda: scene("JPEG", icc_profile=profile(ADOBE, 2.2))),
    "CMYK": ("image/jpeg", "display", lambda: scene("JPEG", mode="CMYK")),
    "HEIC": ("image/heic", "display", lambda: scene("HEIF")),
    "AVIF": ("image/avif", "display", lambda: scene("AVIF")),
    "WebP": ("image/webp", "display", lambda: scene("WEBP")),
    "alpha": ("image/png", "display", see_through),
    "sixteen bits": ("image/png", "display", deep),
    "with bars": ("image/jpeg", "instagram.feed", lambda: scene("JPEG", size=(640, 200))),
    "film": ("video/mp4", "display", film),
    "film on its side": ("video/quicktime", "display", lambda: film(container="mov", turn=1)),
    "film of BT.601": ("video/mp4", "display", lambda: film(matrix=BT601)),
    "film between lines": (
        "video/mp4", "display", lambda: film(interlaced=True, options={**X264, "x264-params": "tff=1"})
    ),
    "film in HLG": (
        "video/quicktime", "display",
        lambda: film(codec="libx265", options=X265, pix_fmt="yuv420p10le", container="mov", hdr="hlg"),
    ),
    "film in PQ": (
        "video/mp4", "display", lambda: film(codec="libx265", options=X265, pix_fmt="yuv420p10le", hdr="pq")
    ),
    "cover of its own choice": ("video/mp4", "cover", dark_at_first),
}  # fmt: skip


def hashed(picture: Image.Image) -> str:
    """Hex of the mean colours of a grid of places."""
    return bytes(np.asarray(picture.convert("RGB").resize(GRID, Image.Resampling.BOX))).hex()


def shown(name: str, folder: Path) -> Image.Image:
    """The picture, or the middle of the film."""
    content_type, preset, source = SOURCES[name]
    path, scratch = folder / "source", folder / "made"
    path.write_bytes(source())
    scratch.mkdir()
    kind = "image" if content_type.startswith("image/") else "video"
    result = work.do(WorkRequest(source=str(path), content_type=content_type, kind=kind, presets=(preset,)), scratch)
    assert result.renditions[0].file, result
    data = (scratch / result.renditions[0].file).read_bytes()
    if result.renditions[0].content_type.startswith("image/"):
        return Image.open(io.BytesIO(data))
    with av.open(io.BytesIO(data), "r", format="mp4") as made:
        frames = list(made.decode(video=0))
    return Image.fromarray(frames[len(frames) // 2].to_ndarray(format="rgb24"))


@pytest.mark.parametrize("name", SOURCES)
def test_it_looks_as_it_did(tmp_path: Path, name: str) -> None:
    found, pinned = hashed(shown(name, tmp_path)), json.loads(PINNED.read_text())[name]
    off = np.subtract(list(bytes.fromhex(found)), list(bytes.fromhex(pinned)), dtype=np.int16)
    assert np.abs(off).max() <= SHADES, found


def main(folder: Path) -> None:
    """Pins what is made now."""
    hashes = {}
    for name in SOURCES:
        with tempfile.TemporaryDirectory() as scratch:
            picture = shown(name, Path(scratch))
            picture.convert("RGB").save(folder / f"{name}.png")
            hashes[name] = hashed(picture)
    PINNED.write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

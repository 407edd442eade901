"""Pictures: opened with the one decoder their first bytes named, measured, and decoded once for all renditions."""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import gcd
from pathlib import Path

import pillow_heif
from PIL import Image, ImageCms, ImageFile, ImageFilter, UnidentifiedImageError

from services.common.errors import Code
from services.transcoder.domain.ceilings import (
    MAX_ANIMATION_FRAMES,
    MAX_ICC_BYTES,
    MAX_IMAGE_EDGE_PX,
    MAX_IMAGE_PX,
)
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import bare, cicp, jpeg_planes, screen, timing
from services.transcoder.engine.planes import REDUCING_GAP, Planes

_DECODERS = {
    "image/jpeg": ("JPEG",),  # a phone's MPO too: its first picture
    "image/png": ("PNG",),
    "image/gif": ("GIF",),
    "image/webp": ("WEBP",),
    "image/heic": ("HEIF",),
    "image/heif": ("HEIF",),
    "image/avif": ("AVIF",),
}
# How a picture is set upright, by its EXIF orientation.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BARE: Mapping[str, Callable[[bytes], bytes | None]] = {"jpeg": bare.jpeg, "png": bare.png, "gif": bare.gif}
_SRGB = ImageCms.createProfile("sRGB")
_ORIENTATION = 0x0112  # of EXIF
# What Pillow raises on damaged files, and nothing else does.
_DAMAGED = (UnidentifiedImageError, OSError, ValueError, SyntaxError, IndexError, TypeError, EOFError, RuntimeError)


def setup() -> None:
    """Once per process, before any file: which decoders there are, and that a bomb is an error."""
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = MAX_IMAGE_PX
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.preinit()
    Image.init()


@contextmanager
def faults() -> Iterator[None]:
    """Whatever a decoder says of a file is the file's fault, never ours."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise InputFault(Code.MEDIA_PIXELS_EXCEEDED, str(exc)) from exc
    except MemoryError as exc:
        raise InputFault(Code.MEDIA_TOO_COMPLEX, "out of memory") from exc
    except _DAMAGED as exc:
        raise InputFault(Code.MEDIA_CORRUPT, f"{type(exc).__name__}: {exc}") from exc


@contextmanager
def opened(path: Path, content_type: str) -> Iterator[Image.Image]:
    """By the one decoder for its type. Raises InputFault: it cannot be read, or is larger than what is decoded."""
    with faults(), Image.open(path, formats=_DECODERS[content_type]) as image:
        _check_size(image)
        yield image


class Still:
    """One picture, opened.

    Args:
        path, content_type: The file, and what its first bytes say.

    Raises:
        InputFault: From every method; the file cannot be used.
    """

    def __init__(self, path: Path, content_type: str) -> None:
        self._path = path
        self._content_type = content_type
        with opened(path, content_type) as image:
            points = _code_points(image, path)
            # The standard of PNG has them go before a profile, which is for readers that do not know them.
            self._icc = None if points and image.format == "PNG" else _profile(image)
            self._other_screen = None if self._icc or not points or screen.is_ordinary(*points) else points
            self._orientation = int(image.getexif().get(_ORIENTATION, 1))
            self.probe = self._measure(image, content_type.removeprefix("image/"))

    def bare(self) -> bytes | None:
        """The file without what its pixels do not need; JPEG, PNG and GIF only. None: it can only be encoded."""
        return _BARE[self.probe.container](self._path.read_bytes())

    def picture(self, width: int, height: int) -> Planes:
        """The first frame: upright, in sRGB, on white.

        Args:
            width, height: Pixels as displayed, no more than the source has.
        """
        size = (height, width) if self._orientation >= 5 else (width, height)
        with opened(self._path, self._content_type) as image:
            if jpeg_planes.holds_planes(image):
                planes = jpeg_planes.decoded(image, self._path, size)
                if self._icc is not None:
                    planes = Planes.of(_converted(planes.rgb(), self._icc))
            else:
                planes = Planes.of(self._pixels(image, size))
            return planes.turned(_UPRIGHT[self._orientation]) if self._orientation in _UPRIGHT else planes

    def _pixels(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        """Of any file: RGB. Colour is converted on the reduced picture: the same look for a part of the work."""
        jpeg_planes.reduce(image, image.mode, size)
        image.load()
        plain = _true_color(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
        return on_white(self._standard_color(plain))

    def _measure(self, image: Image.Image, container: str) -> Probe:
        data, frames = self._path.read_bytes(), _frames(image)
        width, height = image.size
        if self._orientation >= 5:
            width, height = height, width
        plain = image.mode in ("RGB", "L", "P", "1", "RGBA", "LA", "PA")
        container = "heif" if container == "heic" else container
        stands = timing.stands_ms(container, data) if frames > 1 else ()
        if len(stands) != frames:
            stands = ()  # so nobody knows
        return Probe(
            kind="image",
            container=container,
            codec=container,
            width=width,
            height=height,
            coded_width=image.width,
            coded_height=image.height,
            size_bytes=len(data),
            orientation=self._orientation,
            frames=frames,
            animated=frames > 1,
            has_alpha="A" in image.mode or "transparency" in image.info,
            duration_s=sum(stands) / 1000,
            beat_ms=gcd(*stands),
            pix_fmt=image.mode,
            has_extras=container not in _BARE or bare.has_extras(container, data),
            standard_color=plain and self._icc is None and self._other_screen is None,
        )

    def _standard_color(self, image: Image.Image) -> Image.Image:
        """RGB(A) in sRGB."""
        alpha = image.getchannel("A") if "A" in image.mode else None
        solid = image.convert(image.mode.replace("A", "")) if alpha is not None else image
        if self._icc is not None:
            solid = _converted(solid, self._icc)
        if solid.mode != "RGB":
            solid = solid.convert("RGB")
        if self._other_screen is not None:
            colors = screen.table(*self._other_screen, gamma=screen.SRGB_GAMMA)
            solid = solid.filter(ImageFilter.Color3DLUT(screen.STEPS, colors.ravel()))
        if alpha is not None:
            solid.putalpha(alpha)
        return solid


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if max(width, height) > MAX_IMAGE_EDGE_PX:
        raise InputFault(Code.MEDIA_DIMENSIONS_EXCEEDED, f"{width} x {height}")
    if width * height > MAX_IMAGE_PX:
        raise InputFault(Code.MEDIA_PIXELS_EXCEEDED, f"{width} x {height}")


def _profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The colour profile, where there is a readable one that is not sRGB already."""
    raw = image.info.get("icc_profile")
    if not raw:
        return None
    if len(raw) > MAX_ICC_BYTES:
        raise InputFault(Code.MEDIA_METADATA_TOO_LARGE, f"an ICC profile of {len(raw)} bytes")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(raw))
        name = ImageCms.getProfileDescription(profile)
    except (ImageCms.PyCMSError, OSError):
        return None  # as every browser does with a profile it cannot read
    return None if name.startswith("sRGB") else profile


def _code_points(image: Image.Image, path: Path) -> cicp.CodePoints | None:
    """Of its colours, where the file has them; HEIF's decoder passes them on."""
    if image.format != "HEIF":
        return cicp.read(str(image.format).lower(), path)
    said = image.info.get("nclx_profile")
    return (int(said["color_primaries"]), int(said["transfer_characteristics"])) if said else None


def _frames(image: Image.Image) -> int:
    """Counted no further than allowed. A phone's second picture (a depth map, a preview) is no animation."""
    if image.format not in ("GIF", "WEBP", "PNG", "AVIF"):
        return 1
    frames = int(getattr(image, "n_frames", 1))
    if frames > MAX_ANIMATION_FRAMES:
        raise InputFault(Code.MEDIA_FRAMES_EXCEEDED, f"{frames} frames")
    return frames


def _true_color(image: Image.Image) -> Image.Image:
    """Eight bits a channel and no palette, so that it can be made smaller."""
    if image.mode.startswith("I") or image.mode == "F":
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    if "transparency" in image.info and image.mode in ("RGB", "L", "1"):
        return image.convert("RGBA")
    if image.mode in ("1", "La", "RGBa"):
        return image.convert({"1": "L", "La": "LA", "RGBa": "RGBA"}[image.mode])
    return image


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """In sRGB; as it is where the profile is for another kind of picture."""
    try:
        made = ImageCms.profileToProfile(image, profile, _SRGB, outputMode="RGB")
    except ImageCms.PyCMSError:
        return image
    assert made is not None
    return made


def on_white(image: Image.Image) -> Image.Image:
    """RGB, where it is RGBA."""
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white

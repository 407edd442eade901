"""Sources of every kind × every preset in the catalogue that makes pictures of pictures: each output opened, decoded
whole, and held against the numbers of its spec.toml."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms, ImageColor, ImageDraw

from services.platforms import catalog
from services.transcoder.domain.work import Rendition, Status, WorkRequest
from services.transcoder.engine import still, work

still.setup()
PRESETS = tuple(name for name, preset in catalog.presets("image").items() if preset.makes == "image")
QUARTERS = {"red": (0.25, 0.25), "lime": (0.75, 0.25), "blue": (0.25, 0.75), "yellow": (0.75, 0.75)}
# EXIF's orientation: how a picture set upright is stored.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
PNG_HEAD = 8 + 25  # signature, and the chunk of the picture's size
# White point and primaries, x and y of each: SMPTE EG 432-1 (Display P3), Adobe RGB (1998) section 4.3.
WHITE, P3 = (0.3127, 0.3290), ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))


def chart(width: int = 240, height: int = 180) -> Image.Image:
    """Four colours, so that it is seen which way is up."""
    found = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(found)
    for color, (across, down) in QUARTERS.items():
        left, top = int(across > 0.5) * width // 2, int(down > 0.5) * height // 2
        draw.rectangle((left, top, left + width // 2, top + height // 2), fill=color)
    return found


def saved(image: Image.Image, kind: str, **more: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = chart().transpose(STORED[orientation]) if orientation in STORED else chart()
    return saved(stored, "JPEG", quality=95, exif=exif)


def moving(kind: str) -> bytes:
    frames = [chart(), chart().rotate(180), chart().rotate(90)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def see_through() -> Image.Image:
    found = chart().convert("RGBA")
    found.paste((0, 0, 0, 0), (0, 0, 24, 24))
    return found


def deep() -> bytes:
    """Sixteen bits of grey, from black to white."""
    grey = np.tile(np.linspace(0, 65535, 240).astype(np.uint16), (180, 1))
    return saved(Image.fromarray(grey), "PNG")


SOURCES: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{f"orientation {n}": ("image/jpeg", lambda n=n: turned(n)) for n in range(1, 9)},  # type: ignore[misc]
    "PNG": ("image/png", lambda: saved(chart(), "PNG")),
    "palette": ("image/png", lambda: saved(chart().quantize(8), "PNG")),
    "alpha": ("image/png", lambda: saved(see_through(), "PNG")),
    "alpha in WebP": ("image/webp", lambda: saved(see_through(), "WEBP", lossless=True)),
    "CMYK": ("image/jpeg", lambda: saved(chart().convert("CMYK"), "JPEG", quality=95)),
    "HEIC": ("image/heic", lambda: saved(chart(), "HEIF", quality=90)),
    "AVIF": ("image/avif", lambda: saved(chart(), "AVIF", quality=90)),
    "moving GIF": ("image/gif", lambda: moving("GIF")),
    "moving WebP": ("image/webp", lambda: moving("WEBP")),
    "progressive": ("image/jpeg", lambda: saved(chart(), "JPEG", quality=95, progressive=True)),
    "large": ("image/jpeg", lambda: saved(chart(2600, 1950), "JPEG", quality=80)),
    "tall": ("image/jpeg", lambda: saved(chart(300, 1500), "JPEG", quality=95)),
    "one pixel": ("image/png", lambda: saved(Image.new("RGB", (1, 1), "red"), "PNG")),
    "sixteen bits": ("image/png", deep),
}


def made(folder: Path, data: bytes, content_type: str, *presets: str) -> dict[str, Rendition]:
    source, scratch = folder / "source", folder / "made"
    source.write_bytes(data)
    scratch.mkdir()
    request = WorkRequest(source=str(source), content_type=content_type, kind="image", presets=presets or PRESETS)
    return {one.preset: one for one in work.do(request, scratch).renditions}


def seen(folder: Path, rendition: Rendition) -> Image.Image:
    assert rendition.status is Status.READY, rendition
    assert rendition.file
    with Image.open(folder / "made" / rendition.file) as found:
        found.load()
    return found


def pixel_of(picture: Image.Image, x: int, y: int) -> npt.NDArray[np.int16]:
    found: npt.NDArray[np.int16] = np.asarray(picture, dtype=np.int16)[y, x]
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_every_preset_keeps_to_its_numbers(tmp_path: Path, name: str) -> None:
    content_type, make = SOURCES[name]
    renditions = made(tmp_path, make(), content_type)
    assert set(renditions) == set(PRESETS)
    assert any(one.status is Status.READY for one in renditions.values())
    for preset, rendition in renditions.items():
        assert rendition.status is not Status.FAILED, rendition
        if rendition.status is Status.REJECTED:
            assert rendition.reason in {
                "not_animated",
                "format_unsupported",
                "aspect_unsupported",
                "dimensions_too_small",
            }
            continue
        limits, picture = catalog.presets("image")[preset].limits, seen(tmp_path, rendition)
        assert picture.size == (rendition.width, rendition.height)
        assert rendition.content_type == f"image/{str(picture.format).lower()}"
        assert rendition.content_type in limits.accept
        assert rendition.size_bytes <= limits.max_bytes
        assert max(picture.size) <= (limits.max_edge_px or max(picture.size))
        assert picture.width <= (limits.max_width_px or picture.width)
        aspect = picture.width / picture.height
        assert (limits.min_aspect or 0) * 0.99 <= aspect <= (limits.max_aspect or aspect) * 1.01
        assert not picture.getexif()
        assert picture.format == "GIF" or "icc_profile" not in picture.info
        if picture.format == "JPEG":
            assert (picture.mode, picture.info.get("progressive")) in {("RGB", None), ("RGB", 1), ("L", None)}


@pytest.mark.parametrize("name", [one for one in SOURCES if one not in {"one pixel", "sixteen bits"}])
def test_colours_lie_where_they_belong(tmp_path: Path, name: str) -> None:
    content_type, make = SOURCES[name]
    picture = seen(tmp_path, made(tmp_path, make(), content_type, "display")["display"]).convert("RGB")
    for color, (across, down) in QUARTERS.items():
        found = pixel_of(picture, int(picture.width * across), int(picture.height * down))
        assert np.abs(found - ImageColor.getrgb(color)).max() < 24, (color, found)
    if "alpha" in name:
        assert pixel_of(picture, 8, 8).min() > 245


def test_sixteen_bits_run_evenly_from_black_to_white(tmp_path: Path) -> None:
    picture = seen(tmp_path, made(tmp_path, deep(), "image/png", "display")["display"]).convert("L")
    row = np.asarray(picture)[90].astype(int)
    assert np.abs(row - np.linspace(0, 255, picture.width)).max() < 4


def profile(primaries: tuple[tuple[float, float], ...], gamma: float) -> bytes:
    """An ICC version 2 profile of three primaries and one curve, as the ICC's specification lays them out."""

    def xyz(x: float, y: float, z: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(round(one * 65536).to_bytes(4, "big", signed=True) for one in (x, y, z))

    def rays(points: tuple[tuple[float, float], ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in points]).T

    # To the profile connection space's own white, D50, by Bradford's matrix.
    cones = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    white, d50 = rays((WHITE,))[:, 0], np.array([0.9642, 1.0, 0.8249])
    adapt = np.linalg.inv(cones) @ np.diag((cones @ d50) / (cones @ white)) @ cones
    columns = adapt @ (rays(primaries) * np.linalg.solve(rays(primaries), white))
    curve = b"curv\0\0\0\0\0\0\0\1" + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    text = b"made for a test\0"
    described = b"desc\0\0\0\0" + len(text).to_bytes(4, "big") + text + bytes(78)
    tags = {b"desc": described, b"cprt": b"text\0\0\0\0" + text, b"wtpt": xyz(*d50)}
    tags |= {name: xyz(*columns[:, n]) for n, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, at = len(tags).to_bytes(4, "big"), b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + (at + len(body)).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        body += value
    head = bytearray(128)
    head[0:4] = (at + len(body)).to_bytes(4, "big")
    head[8:12], head[12:24], head[36:40] = b"\2\x40\0\0", b"mntrRGB XYZ ", b"acsp"
    head[68:80] = xyz(*d50)[8:]
    return bytes(head) + table + body


def expected(pixel: tuple[int, int, int], primaries: tuple[tuple[float, float], ...], gamma: float) -> list[float]:
    """In sRGB (IEC 61966-2-1), by the numbers of the two standards alone."""

    def matrix(points: tuple[tuple[float, float], ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        rays = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in points]).T
        white = np.array([WHITE[0] / WHITE[1], 1.0, (1 - sum(WHITE)) / WHITE[1]])
        found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = rays * np.linalg.solve(rays, white)
        return found

    srgb = matrix(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))
    light = np.clip(np.linalg.solve(srgb, matrix(primaries) @ (np.array(pixel) / 255) ** gamma), 0, 1)
    return [float(one) for one in 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)]


@pytest.mark.parametrize(("primaries", "gamma"), [(P3, 2.2), (ADOBE, 2.2)], ids=["Display P3", "Adobe RGB"])
@pytest.mark.parametrize(
    ("kind", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
@pytest.mark.parametrize("pixel", [(200, 40, 40), (60, 160, 70), (128, 128, 128), (255, 0, 0)])
def test_wide_colours_become_the_right_srgb(
    tmp_path: Path,
    kind: str,
    content_type: str,
    pixel: tuple[int, int, int],
    primaries: tuple[tuple[float, float], ...],
    gamma: float,
) -> None:
    icc = profile(primaries, gamma)
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip() == "made for a test"
    data = saved(Image.new("RGB", (64, 64), pixel), kind, quality=95, icc_profile=icc)
    rendition = made(tmp_path, data, content_type, "display")["display"]
    found = pixel_of(seen(tmp_path, rendition).convert("RGB"), 32, 32)
    assert np.abs(found - expected(pixel, primaries, gamma)).max() < 6


def heic_told(image: Image.Image, primaries: int, transfer: int) -> bytes:
    numbers = {"color_primaries": primaries, "transfer_characteristics": transfer}
    return saved(image, "HEIF", quality=95, matrix_coefficients=6, full_range_flag=1, **numbers)


def avif_told(image: Image.Image, primaries: int, transfer: int) -> bytes:
    """Its encoder always tells sRGB."""
    data = saved(image, "AVIF", quality=95)
    assert data.count(b"nclx\0\x01\0\x0d") == 1
    return data.replace(b"nclx\0\x01\0\x0d", struct.pack(">4sHH", b"nclx", primaries, transfer))


def png_told(image: Image.Image, primaries: int, transfer: int) -> bytes:
    """Beside a profile, which is not for those who know the numbers."""
    told = b"cICP" + bytes((primaries, transfer, 0, 1))
    chunk = struct.pack(">I", 4) + told + struct.pack(">I", zlib.crc32(told))
    data = saved(image, "PNG", icc_profile=profile(P3, 1.8))
    return data[:PNG_HEAD] + chunk + data[PNG_HEAD:]


NUMBERED = {"image/heic": heic_told, "image/avif": avif_told, "image/png": png_told}


@pytest.mark.parametrize(
    ("numbers", "stored", "shown"),
    [
        # PQ by SMPTE ST 2084: 26 nits, 203 nits, 1,000 nits.
        ((9, 16), (97, 97, 97), (100, 100, 100)),
        ((9, 16), (148, 148, 148), (224, 224, 224)),
        ((9, 16), (192, 192, 192), (254, 254, 254)),
        ((9, 13), (128, 128, 128), (128, 128, 128)),
        ((1, 13), (200, 40, 40), (200, 40, 40)),
    ],
    ids=["dark in PQ", "white in PQ", "brightest in PQ", "grey in BT.2020", "red of its own"],
)
@pytest.mark.parametrize("content_type", ["image/heic", "image/avif", "image/png"])
def test_a_picture_of_another_screen_is_shown_on_an_ordinary_one(
    tmp_path: Path,
    content_type: str,
    numbers: tuple[int, int],
    stored: tuple[int, int, int],
    shown: tuple[int, int, int],
) -> None:
    data = NUMBERED[content_type](Image.new("RGB", (64, 64), stored), *numbers)
    rendition = made(tmp_path, data, content_type, "display")["display"]
    found = pixel_of(seen(tmp_path, rendition).convert("RGB"), 32, 32)
    # A step of eight bits in PQ is 4 % of the light.
    assert np.abs(found - shown).max() <= 5, found

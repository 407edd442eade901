"""JPEG, PNG, GIF and WebP: what cameras and editors write is accepted, bombs and torsos are not."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from services.common.errors import Code
from tests.media import film, jpeg, picture
from tests.unit.scanner.structure.walks import (
    bomb_code,
    chunk,
    code_of,
    gif_frame,
    gif_of,
    jpeg_of,
    png_of,
    riff,
    riff_chunk,
    segment,
    walked,
    webp_canvas,
)

JPEG, PNG, GIF, WEBP = "image/jpeg", "image/png", "image/gif", "image/webp"


def saved(format_: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or picture(160, 120, seed=1)).save(buffer, format_, **options)
    return buffer.getvalue()


def frames(count: int = 5) -> dict[str, Any]:
    return {
        "save_all": True,
        "append_images": [picture(160, 120, seed=n) for n in range(2, count + 1)],
        "duration": 40,
        "loop": 0,
    }


def text(**values: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, value in values.items():
        info.add_text(name, value, zip=True)
        info.add_itxt(name, value, zip=True)
    return info


EXIF = Image.Exif()
EXIF[0x010F] = "Maker"

ORDINARY = [
    pytest.param(JPEG, jpeg(gps=True, orientation=6), id="jpeg-from-a-phone"),
    pytest.param(JPEG, saved("JPEG", progressive=True, optimize=True), id="jpeg-progressive"),
    pytest.param(JPEG, saved("JPEG", restart_marker_blocks=1), id="jpeg-with-restarts"),
    pytest.param(JPEG, saved("JPEG", picture(32, 32).convert("CMYK")), id="jpeg-cmyk"),
    pytest.param(JPEG, saved("JPEG", picture(32, 32).convert("L")), id="jpeg-gray"),
    pytest.param(JPEG, saved("JPEG", icc_profile=bytes(1_900_000)), id="jpeg-with-a-printers-profile"),
    pytest.param(JPEG, saved("MPO", save_all=True, append_images=[picture(80, 60)]), id="jpeg-with-second-pictures"),
    pytest.param(JPEG, jpeg() + film(seconds=0.3), id="jpeg-motion-photo"),
    pytest.param(JPEG, jpeg() + b"\0\0\x01\x0aMotionPhoto_Data" + bytes(99) + b"SEFT", id="jpeg-samsung-trailer"),
    pytest.param(JPEG, jpeg() + bytes(4096), id="jpeg-padded"),
    pytest.param(JPEG, jpeg()[:2] + b"\xff\xff\xff" + jpeg()[3:], id="jpeg-with-fill-bytes"),
    pytest.param(JPEG, jpeg()[:2] + b"\0\0junk" + jpeg()[2:], id="jpeg-with-junk-between-segments"),
    pytest.param(JPEG, jpeg_of(640, 512, [segment(0xE3, bytes(65_000))] * 90), id="jpeg-of-a-thermal-camera"),
    pytest.param(JPEG, jpeg_of(8064, 6048, scans=20), id="jpeg-48-megapixels-in-20-scans"),
    pytest.param(PNG, saved("PNG"), id="png"),
    pytest.param(PNG, saved("PNG", picture(64, 64).convert("P"), transparency=0), id="png-palette"),
    pytest.param(PNG, saved("PNG", pnginfo=text(a="b", c="d" * 99_999), exif=EXIF), id="png-with-texts"),
    pytest.param(PNG, saved("PNG", icc_profile=bytes(900_000)), id="png-with-a-profile"),
    pytest.param(PNG, saved("PNG", **frames()), id="png-animated"),
    pytest.param(PNG, saved("PNG") + b"PK\x03\x04" + bytes(99), id="png-with-something-behind"),
    pytest.param(PNG, png_of(8, 8, chunk(b"zTXt", b"a\0\0no deflate")), id="png-with-a-broken-text"),
    pytest.param(PNG, png_of(8, 8, chunk(b"prVW", bytes(3_000_000))), id="png-of-an-editor"),
    pytest.param(GIF, saved("GIF"), id="gif"),
    pytest.param(GIF, saved("GIF", **frames(), comment=b"hi"), id="gif-animated"),
    pytest.param(GIF, gif_of(480, 270, [gif_frame(480, 270)] * 1500), id="gif-a-minute-from-a-messenger"),
    pytest.param(GIF, gif_of(4, 4, [gif_frame(8, 8)]), id="gif-frame-larger-than-its-canvas"),
    pytest.param(WEBP, saved("WEBP"), id="webp"),
    pytest.param(WEBP, saved("WEBP", lossless=True), id="webp-lossless"),
    pytest.param(WEBP, saved("WEBP", picture(33, 21).convert("RGBA"), exif=EXIF, xmp=b"<x/>"), id="webp-extended"),
    pytest.param(WEBP, saved("WEBP", **frames()), id="webp-animated"),
    pytest.param(WEBP, saved("WEBP", **frames()) + b"trailer", id="webp-with-something-behind"),
]


@pytest.mark.parametrize(("content_type", "data"), ORDINARY)
def test_ordinary_pictures_are_accepted(content_type: str, data: bytes) -> None:
    assert walked(content_type, data) is None
    assert code_of(content_type, data) is None


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        (JPEG, saved("JPEG", progressive=True)),
        (PNG, saved("PNG", **frames(2), pnginfo=text(a="b"))),
        (GIF, saved("GIF", **frames(2))),
        (WEBP, saved("WEBP", **frames(2))),
        (WEBP, saved("WEBP")),
    ],
    ids=["jpeg", "png", "gif", "webp-animated", "webp"],
)
def test_a9_a_picture_cut_off_anywhere_is_corrupt(content_type: str, data: bytes) -> None:
    cuts = [len(data) * n // 100 for n in range(100)]
    assert {code_of(content_type, data[:cut]) for cut in cuts} == {Code.MEDIA_CORRUPT}


def deflated_zeros(size_bytes: int) -> bytes:
    """Zeros compressed, made without holding them."""
    packing = zlib.compressobj(9)
    piece = bytes(1 << 20)
    packed = b"".join(packing.compress(piece) for _ in range(size_bytes >> 20))
    return packed + packing.flush()


ZEROS = deflated_zeros(100 << 20)
WIDE = struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)

BOMBS = [
    pytest.param(PNG, png_of(50_000, 50_000), Code.MEDIA_DIMENSIONS_EXCEEDED, id="B1-png-header"),
    pytest.param(
        PNG,
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", WIDE) + chunk(b"IDAT", deflated_zeros(6251 * 50_000)) + chunk(b"IEND"),
        Code.MEDIA_DIMENSIONS_EXCEEDED,
        id="B1-png-real-one-bit",
    ),
    pytest.param(PNG, png_of(16_000, 16_000), Code.MEDIA_PIXELS_EXCEEDED, id="B1-png-pixels"),
    pytest.param(PNG, png_of(0, 8), Code.MEDIA_CORRUPT, id="B1-png-nothing"),
    pytest.param(
        PNG, png_of(8, 8, chunk(b"acTL", bytes((0, 1, 0, 0, 0, 0, 0, 0)))), Code.MEDIA_FRAMES_EXCEEDED, id="B2-apng"
    ),
    pytest.param(
        PNG, png_of(8, 8, *[chunk(b"fcTL", bytes(26))] * 10_000), Code.MEDIA_FRAMES_EXCEEDED, id="B2-apng-frames"
    ),
    pytest.param(
        PNG, png_of(7000, 7000, *[chunk(b"fcTL", bytes(26))] * 100), Code.MEDIA_PIXELS_EXCEEDED, id="B2-apng-px"
    ),
    pytest.param(GIF, gif_of(9, 9, [gif_frame()] * 10_000), Code.MEDIA_FRAMES_EXCEEDED, id="B2-gif-frames"),
    pytest.param(GIF, gif_of(12_000, 12_000, [gif_frame()]), Code.MEDIA_PIXELS_EXCEEDED, id="B2-gif-425-bytes"),
    pytest.param(GIF, gif_of(65_535, 9, [gif_frame()]), Code.MEDIA_DIMENSIONS_EXCEEDED, id="B2-gif-side"),
    pytest.param(GIF, gif_of(1, 1, [gif_frame(9, 9, 65_000, 0)]), Code.MEDIA_DIMENSIONS_EXCEEDED, id="B2-gif-growing"),
    pytest.param(GIF, gif_of(7000, 7000, [gif_frame()] * 100), Code.MEDIA_PIXELS_EXCEEDED, id="B2-gif-canvas"),
    pytest.param(
        WEBP,
        riff(webp_canvas(9, 9), *[riff_chunk(b"ANMF", bytes(16))] * 10_000),
        Code.MEDIA_FRAMES_EXCEEDED,
        id="B2-webp-frames",
    ),
    pytest.param(
        WEBP,
        riff(webp_canvas(7000, 7000), *[riff_chunk(b"ANMF", bytes(16))] * 100),
        Code.MEDIA_PIXELS_EXCEEDED,
        id="B2-webp-canvas",
    ),
    pytest.param(WEBP, riff(webp_canvas(1 << 24, 9)), Code.MEDIA_DIMENSIONS_EXCEEDED, id="B2-webp-side"),
    pytest.param(
        WEBP, riff(riff_chunk(b"VP8L", b"\x2f\xff\x3f\xff\x0f")), Code.MEDIA_PIXELS_EXCEEDED, id="B2-webp-lossless"
    ),
    pytest.param(PNG, png_of(8, 8, chunk(b"zTXt", b"a\0\0" + ZEROS)), Code.MEDIA_METADATA_TOO_LARGE, id="B3-ztxt"),
    pytest.param(PNG, png_of(8, 8, chunk(b"iCCP", b"a\0\0" + ZEROS)), Code.MEDIA_METADATA_TOO_LARGE, id="B3-iccp"),
    pytest.param(
        PNG, png_of(8, 8, chunk(b"iTXt", b"a\0\1\0\0\0" + ZEROS)), Code.MEDIA_METADATA_TOO_LARGE, id="B3-itxt"
    ),
    pytest.param(
        PNG,
        png_of(8, 8, *[chunk(b"tEXt", b"a\0" + bytes(100_000))] * 60),
        Code.MEDIA_METADATA_TOO_LARGE,
        id="B3-many-texts",
    ),
    pytest.param(PNG, png_of(8, 8, chunk(b"eXIf", bytes(5_000_000))), Code.MEDIA_METADATA_TOO_LARGE, id="B3-png-exif"),
    pytest.param(
        JPEG,
        jpeg_of(8, 8, [segment(0xE1, bytes(65_000))] * 100),
        Code.MEDIA_METADATA_TOO_LARGE,
        id="B3-jpeg-xmp",
    ),
    pytest.param(
        JPEG, jpeg_of(8, 8, [segment(0xFE, bytes(65_000))] * 100), Code.MEDIA_METADATA_TOO_LARGE, id="B3-comments"
    ),
    pytest.param(
        WEBP,
        riff(webp_canvas(9, 9), riff_chunk(b"ICCP", bytes(7_000_000))),
        Code.MEDIA_METADATA_TOO_LARGE,
        id="B3-webp-icc",
    ),
    pytest.param(
        GIF,
        gif_of(9, 9, [gif_frame(), b"!\xfe" + (b"\xff" + bytes(255)) * 20_000 + b"\0"]),
        Code.MEDIA_METADATA_TOO_LARGE,
        id="B3-gif-comment",
    ),
    pytest.param(JPEG, jpeg_of(640, 480, scans=20_000), Code.MEDIA_TOO_COMPLEX, id="B4-jpeg-scans"),
    pytest.param(JPEG, jpeg_of(8000, 6000, scans=60), Code.MEDIA_TOO_COMPLEX, id="B4-jpeg-large-scans"),
    pytest.param(JPEG, jpeg_of(65_500, 65_500), Code.MEDIA_DIMENSIONS_EXCEEDED, id="B4-jpeg-side"),
    pytest.param(JPEG, jpeg_of(16_000, 16_000), Code.MEDIA_PIXELS_EXCEEDED, id="B4-jpeg-pixels"),
    pytest.param(JPEG, jpeg_of(8, 8, [segment(0xC4, b"")] * 30_000), Code.MEDIA_TOO_COMPLEX, id="jpeg-segments"),
    pytest.param(JPEG, b"\xff\xd8" + b"\xff" * 8_000_000, Code.MEDIA_CORRUPT, id="jpeg-fill-bytes"),
    pytest.param(PNG, png_of(8, 8, chunk(b"abCd") * 30_000), Code.MEDIA_TOO_COMPLEX, id="png-chunks"),
    pytest.param(
        GIF, gif_of(9, 9, [b"!\xfe" + b"\1a" * 600_000 + b"\0"]), Code.MEDIA_TOO_COMPLEX, id="gif-tiny-blocks"
    ),
    pytest.param(GIF, gif_of(9, 9, [b"!\xf9\0"] * 30_000), Code.MEDIA_TOO_COMPLEX, id="gif-extensions"),
    pytest.param(WEBP, riff(riff_chunk(b"ABCD", b"") * 30_000), Code.MEDIA_TOO_COMPLEX, id="webp-chunks"),
]


@pytest.mark.parametrize(("content_type", "data", "code"), BOMBS)
def test_picture_bombs_are_refused_in_no_time(content_type: str, data: bytes, code: Code) -> None:
    assert bomb_code(content_type, data) is code


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        pytest.param(JPEG, b"\xff\xd8\xff\xe0<script>alert(1)</script>", id="A2-script-as-jpeg"),
        pytest.param(JPEG, jpeg_of(8, 8).replace(b"\xff\xc2", b"\xff\xc4"), id="jpeg-without-frame"),
        pytest.param(JPEG, jpeg_of(8, 8, [segment(0xC0, b"\x08\0\x08\0\x08\0")]), id="jpeg-two-frames"),
        pytest.param(JPEG, b"\xff\xd8\xff\xd9", id="jpeg-of-nothing"),
        pytest.param(JPEG, b"", id="A8-empty"),
        pytest.param(PNG, saved("PNG")[:20] + b"\1" + saved("PNG")[21:], id="png-header-changed"),
        pytest.param(PNG, png_of(8, 8)[:33] + b"\xff\xff\xff\xffIDAT" + bytes(99), id="png-chunk-past-the-end"),
        pytest.param(PNG, png_of(8, 8)[:33] + chunk(b"IEND"), id="png-of-nothing"),
        pytest.param(GIF, b"GIF89a=1;alert(1)//" + bytes(99), id="A2-script-as-gif"),
        pytest.param(GIF, gif_of(9, 9, []), id="gif-of-nothing"),
        pytest.param(WEBP, riff(riff_chunk(b"VP8 ", b"<script>..")), id="A2-script-as-webp"),
        pytest.param(WEBP, riff(riff_chunk(b"EXIF", b"x")), id="webp-of-nothing"),
        pytest.param(WEBP, saved("WEBP")[:4] + b"\xff\xff\xff\xff" + saved("WEBP")[8:], id="riff-past-the-end"),
        pytest.param(PNG, saved("GIF"), id="A1-gif-as-png"),
    ],
)
def test_what_is_no_picture_is_corrupt(content_type: str, data: bytes) -> None:
    assert code_of(content_type, data) is Code.MEDIA_CORRUPT

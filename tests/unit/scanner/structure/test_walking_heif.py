"""HEIC, HEIF and AVIF: what phones write is accepted, tile bombs and torsos are not."""

import io
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from services.common.errors import Code
from tests.media import film, picture
from tests.unit.scanner.structure.boxes import (
    box,
    full,
    heif,
    iinf,
    iloc,
    infe,
    ispe,
    movie,
    plain_tables,
    rows,
    stsd,
    stsz,
    trak,
    visual,
)
from tests.unit.scanner.structure.walks import bomb_code, code_of

HEIC, HEIF, AVIF = "image/heic", "image/heif", "image/avif"


def heic(width: int = 700, height: int = 600, **options: Any) -> bytes:
    """As libheif writes it."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    made = pillow_heif.from_pillow(picture(width, height, seed=3))
    made.add_frombytes("RGB", (80, 60), picture(80, 60, seed=4).tobytes())
    buffer = io.BytesIO()
    made.save(buffer, quality=40, exif=exif.tobytes(), xmp=b"<x/>", **options)
    return buffer.getvalue()


def avif(**options: Any) -> bytes:
    buffer = io.BytesIO()
    picture(120, 90, seed=5).save(buffer, "AVIF", speed=10, **options)
    return buffer.getvalue()


def grid(tiles: int, width: int = 512, height: int = 512) -> bytes:
    """A picture put together from the same tile, over and over."""
    references = full(b"iref", tail=box(b"dimg", b"\0\2", tiles.to_bytes(2, "big"), b"\0\1" * tiles))
    return heif(references, properties=(ispe(width, height), ispe(8064, 6048)))


HEIC_FILE, AVIF_FILE = heic(), avif()
MOVING = avif(save_all=True, append_images=[picture(120, 90, seed=n) for n in range(5)])

ORDINARY = [
    pytest.param(HEIC, HEIC_FILE, id="heic-with-a-second-picture"),
    pytest.param(HEIF, HEIC_FILE, id="heif"),
    pytest.param(AVIF, AVIF_FILE, id="avif"),
    pytest.param(AVIF, MOVING, id="avif-animated"),
    pytest.param(HEIC, HEIC_FILE + box(b"mpvd", film(seconds=0.3)), id="heic-motion-photo"),
    pytest.param(HEIC, HEIC_FILE + box(b"sefd", bytes(99)) + b"\0\0\0\x01SEFT", id="heic-samsung-trailer"),
    pytest.param(HEIC, grid(192), id="heic-48-megapixels-in-tiles"),
    pytest.param(HEIC, heif(iinf(infe(1, b"hvc1"), infe(2, b"Exif")), iloc((1, 40, 99), (2, 99, 300))), id="heic-exif"),
    pytest.param(HEIC, heif(bytes(4)), id="heic-zeros-in-meta"),
]


@pytest.mark.parametrize(("content_type", "data"), ORDINARY)
def test_ordinary_pictures_of_phones_are_accepted(content_type: str, data: bytes) -> None:
    assert code_of(content_type, data) is None


@pytest.mark.parametrize(
    ("content_type", "data"), [(HEIC, HEIC_FILE), (AVIF, AVIF_FILE), (AVIF, MOVING)], ids=["heic", "avif", "animated"]
)
def test_a9_a_phones_picture_cut_off_anywhere_is_corrupt(content_type: str, data: bytes) -> None:
    assert {code_of(content_type, data[: len(data) * n // 100]) for n in range(100)} == {Code.MEDIA_CORRUPT}


def animation(frames: int, width: int = 64, height: int = 36) -> bytes:
    track = trak(
        *plain_tables(frames, size=0)[:2],
        stsz(frames, 0, [0] * frames),
        rows(b"stco", (40,)),
        handler=b"pict",
        described=stsd(visual(width, height, b"av01")),
    )
    return movie(track)


CORRUPT, COMPLEX, PIXELS = Code.MEDIA_CORRUPT, Code.MEDIA_TOO_COMPLEX, Code.MEDIA_PIXELS_EXCEEDED

BOMBS = [
    pytest.param(HEIC, heif(properties=(ispe(50_000, 50_000),)), Code.MEDIA_DIMENSIONS_EXCEEDED, id="B1-heic-side"),
    pytest.param(AVIF, heif(properties=(ispe(16_000, 16_000),)), PIXELS, id="B1-avif-pixels"),
    pytest.param(HEIC, heif(properties=(ispe(0, 9),)), CORRUPT, id="B1-heic-nothing"),
    pytest.param(AVIF, animation(2001), Code.MEDIA_FRAMES_EXCEEDED, id="B2-avif-frames"),
    pytest.param(AVIF, animation(100, 7000, 7000), PIXELS, id="B2-avif-canvas"),
    pytest.param(HEIC, grid(65_535), PIXELS, id="B5-heic-tiles"),
    pytest.param(HEIC, grid(100, 7000, 7000), PIXELS, id="B5-heic-large-tiles"),
    pytest.param(HEIC, heif(iinf(infe(1, b"hvc1"), count=60_000)), COMPLEX, id="B6-items-claimed"),
    pytest.param(HEIC, heif(iinf(*[infe(n, b"hvc1") for n in range(20_000)])), COMPLEX, id="B6-items"),
    pytest.param(HEIC, heif(properties=[ispe(9, 9)] * 20_000), COMPLEX, id="B6-properties"),
    pytest.param(HEIC, heif(full(b"iloc", tail=b"\0\0\0\1\0\1\0\0\xff\xff" + bytes(99))), COMPLEX, id="B6-extents"),
    pytest.param(HEIC, heif(iloc((1, 40, 10**9))), CORRUPT, id="B6-item-behind-the-end"),
    pytest.param(HEIC, heif(full(b"iloc", tail=b"\x44\0\0\x09")), CORRUPT, id="B6-places-past-their-box"),
    pytest.param(HEIC, heif(properties=(box(b"ispe", size=2**31),)), CORRUPT, id="B6-property-past-its-box"),
    pytest.param(HEIC, heif(full(b"iref", tail=box(b"dimg", b"\0\2\xff\xff"))), CORRUPT, id="B6-references"),
    pytest.param(
        HEIC,
        heif(iinf(infe(1, b"Exif")), iloc((1, 40, 6_000_000)), media=bytes(6_500_000)),
        Code.MEDIA_METADATA_TOO_LARGE,
        id="B3-heic-exif",
    ),
    pytest.param(
        AVIF,
        heif(properties=(ispe(9, 9), box(b"colr", bytes(5_000_000)))),
        Code.MEDIA_METADATA_TOO_LARGE,
        id="B3-avif-profile",
    ),
    pytest.param(HEIC, heif(properties=()), CORRUPT, id="heic-of-nothing"),
    pytest.param(
        AVIF, box(b"ftyp", b"avif", bytes(4), b"avif") + box(b"mdat", bytes(99)), CORRUPT, id="avif-of-nothing"
    ),
    pytest.param(HEIC, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic<script>alert(1)</script>", CORRUPT, id="A2-script-as-heic"),
]


@pytest.mark.parametrize(("content_type", "data", "code"), BOMBS)
def test_bombs_of_phones_pictures_are_refused_in_no_time(content_type: str, data: bytes, code: Code) -> None:
    assert bomb_code(content_type, data) is code

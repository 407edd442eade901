"""First bytes decide, by two tables that must agree; names and declared types play no part."""

import io

import av
import magic
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.ingest.domain import formats
from services.ingest.domain.formats import SNIFF_BYTES, Format, Kind, sniff


def ftyp(major: str, *compatible: str, size: int | None = None) -> bytes:
    body = b"ftyp" + major.encode("latin-1") + bytes(4) + b"".join(brand.encode("latin-1") for brand in compatible)
    return (len(body) + 4 if size is None else size).to_bytes(4, "big") + body + b"\x00\x00\x00\x08free" * 8


def ebml(doc_type: bytes, *, before: bytes = b"\x42\x86\x81\x01") -> bytes:
    body = before + b"\x42\x82" + bytes([0x80 | len(doc_type)]) + doc_type
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(body)]) + body + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7


def picture(name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 50).convert("RGB").save(buffer, name, **options)
    return buffer.getvalue()


def heic() -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 64), "red")).save(buffer)
    return buffer.getvalue()


def film(container: str, codec: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        out.mux(stream.encode())
    return buffer.getvalue()


REAL = {
    "jpeg": (lambda: picture("JPEG"), formats.JPEG),
    "png": (lambda: picture("PNG"), formats.PNG),
    "gif": (lambda: picture("GIF"), formats.GIF),
    "webp": (lambda: picture("WEBP"), formats.WEBP),
    "avif": (lambda: picture("AVIF"), formats.AVIF),
    "heic": (heic, formats.HEIC),
    "mp4": (lambda: film("mp4", "libx264"), formats.MP4),
    "mov": (lambda: film("mov", "libx264"), formats.MOV),
    "m4v": (lambda: film("ipod", "libx264"), formats.MP4),
    "webm": (lambda: film("webm", "libvpx"), formats.WEBM),
}


@pytest.mark.parametrize("name", REAL)
def test_what_real_encoders_write_is_recognised_and_libmagic_agrees(name: str) -> None:
    make, expected = REAL[name]
    head = make()[:SNIFF_BYTES]  # type: ignore[no-untyped-call]
    assert sniff(head) is expected
    assert magic.from_buffer(head, mime=True) in expected.libmagic


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (ftyp("heic", "mif1", "heic"), formats.HEIC),
        (ftyp("mif1", "mif1", "heic"), formats.HEIC),
        (ftyp("mif1", "avif", "miaf"), formats.AVIF),
        (ftyp("mif1", "miaf"), formats.HEIF),
        (ftyp("msf1", "hevc", "iso8"), formats.HEIC),
        (ftyp("avis", "avis", "msf1", "iso8", "mif1"), formats.AVIF),
        (ftyp("isom", "isom", "iso2", "avc1", "mp41"), formats.MP4),
        (ftyp("mp42", "isom"), formats.MP4),
        (ftyp("qt  ", "qt  "), formats.MOV),
        (ftyp("XAVC", "XAVC", "mp42", "iso2"), formats.MP4),
        (ftyp("MSNV", "MSNV", "isom", "mp42"), formats.MP4),
        (ftyp("3gp4", "isom", "3gp4"), formats.MP4),
        (ebml(b"webm"), formats.WEBM),
        (ebml(b"webm\x00\x00"), formats.WEBM),
    ],
)
def test_brands_and_doctypes(head: bytes, expected: Format) -> None:
    assert sniff(head) is expected


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(ftyp("M4A ", "M4A ", "mp42", "isom"), id="sound"),
        pytest.param(ftyp("crx ", "crx ", "isom"), id="camera-raw"),
        pytest.param(ftyp("jp2 ", "jp2 "), id="jpeg-2000"),
        pytest.param(ftyp("isom", "isom", "avif"), id="film-that-says-it-is-a-picture-too"),
        pytest.param(ftyp("zzzz", "yyyy"), id="unknown-brands"),
        pytest.param(ftyp("isom", size=8), id="no-room-for-a-brand"),
        pytest.param(ftyp("isom", size=1 << 31), id="brand-list-without-end"),
        pytest.param(ftyp("isom", size=0), id="box-to-the-end"),
        pytest.param(ebml(b"matroska"), id="matroska"),
        pytest.param(ebml(b"web"), id="doctype-cut"),
        pytest.param(b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84we", id="ebml-cut"),
        pytest.param(b"RIFF\x00\x00\x00\x00WAVEfmt ", id="wave"),
        pytest.param(b"RIFF\x00\x00\x00\x00AVI LIST", id="avi"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(30), id="png-without-header"),
        pytest.param(b"%PDF-1.7\n", id="pdf"),
        pytest.param(b"PK\x03\x04" + bytes(30), id="zip"),
        pytest.param(b"MZ\x90\x00" + bytes(60), id="exe"),
        pytest.param(b"\x7fELF" + bytes(60), id="elf"),
        pytest.param(b"II*\x00" + bytes(60), id="tiff"),
        pytest.param(b"BM" + bytes(60), id="bmp"),
        pytest.param(b"<?xml version='1.0'?><svg/>", id="svg"),
        pytest.param(b"#EXTM3U\n#EXT-X-VERSION:3\n", id="hls"),
        pytest.param(b"ffconcat version 1.0\nfile 'x'\n", id="ffconcat"),
        pytest.param(b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", id="sdp"),
        pytest.param(b"X5O!P%@AP[4", id="eicar"),
        pytest.param(b"\xff\xd8", id="two-bytes-of-jpeg"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_everything_else_is_refused(head: bytes) -> None:
    assert sniff(head) is None


@given(
    st.binary(max_size=64), st.sampled_from((b"", b"\x1a\x45\xdf\xa3", b"\x00\x00\x00\x20ftyp", b"RIFF", b"\xff\xd8"))
)
def test_no_bytes_make_it_stumble(tail: bytes, front: bytes) -> None:
    found = sniff(front + tail)
    assert found is None or found in formats.FORMATS


def test_limits_are_the_published_ones() -> None:
    assert {row.max_bytes for row in formats.FORMATS if row.kind is Kind.IMAGE and row is not formats.GIF} == {
        8_000_000
    }
    assert formats.GIF.request_limit_bytes == 50_000_000
    assert {row.max_bytes for row in formats.FORMATS if row.kind is Kind.VIDEO} == {500_000_000}
    assert formats.MP4.request_limit_bytes == 100_000_000

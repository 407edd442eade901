"""Files without what no decoder needs."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageChops, ImageCms, PngImagePlugin

from services.transcoder.domain.work import InputFault
from services.transcoder.engine import bare
from tests import media

SECRET = b"SECRET-" + b"x" * 40


def same_pixels(one: bytes, other: bytes) -> bool:
    with Image.open(io.BytesIO(one)) as a, Image.open(io.BytesIO(other)) as b:
        return ImageChops.difference(a.convert("RGB"), b.convert("RGB")).getbbox() is None


def loaded_jpeg(*, progressive: bool = False, mode: str = "RGB") -> bytes:
    """With everything a JPEG can hide something in."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    buffer = io.BytesIO()
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    media.picture(300, 200).convert(mode).save(
        buffer, "JPEG", exif=exif, comment=SECRET, icc_profile=icc, progressive=progressive, quality=85
    )
    return buffer.getvalue() + SECRET


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_keeps_its_pixels_and_nothing_else(mode: str, progressive: bool) -> None:
    data = loaded_jpeg(progressive=progressive, mode=mode)
    kept = bare.jpeg(data)
    assert kept
    assert b"SECRET" in data
    assert b"SECRET" not in kept
    assert b"ICC_PROFILE" not in kept
    assert same_pixels(data, kept)
    assert bare.jpeg(kept) == kept


def test_a_jpeg_with_restart_markers_and_fill_bytes_is_walked_to_its_end() -> None:
    buffer = io.BytesIO()
    media.picture(300, 200).save(buffer, "JPEG", restart_marker_rows=1)
    data = buffer.getvalue()
    filled = data.replace(b"\xff\xda", b"\xff\xff\xff\xda", 1)
    kept = bare.jpeg(filled)
    assert kept
    assert same_pixels(kept, data)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@pytest.mark.parametrize("apart", [False, True], ids=["in the last chunk", "in one of its own"])
def test_what_lies_behind_a_pngs_pixels_in_their_own_chunks_goes(apart: bool) -> None:
    buffer = io.BytesIO()
    media.picture(120, 80).save(buffer, "PNG")
    plain = buffer.getvalue()
    begin = plain.rindex(b"IDAT") - 4
    (size,) = struct.unpack(">I", plain[begin : begin + 4])
    body, rest = plain[begin + 8 : begin + 8 + size], plain[begin + 12 + size :]
    hidden = chunk(b"IDAT", body) + chunk(b"IDAT", SECRET) if apart else chunk(b"IDAT", body + SECRET)
    data = plain[:begin] + hidden + rest
    assert same_pixels(data, plain)
    assert bare.has_extras("png", data)
    assert bare.png(data) == bare.png(plain) == plain
    assert not bare.has_extras("png", plain)


def test_a_png_whose_pixels_do_not_inflate_is_damaged() -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"no deflate stream") + chunk(b"IEND", b"")
    with pytest.raises(InputFault):
        bare.has_extras("png", data)


def test_a_png_keeps_its_pixels_and_nothing_else() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    buffer = io.BytesIO()
    media.picture(120, 80).save(buffer, "PNG", pnginfo=info, exif=b"Exif\0\0" + SECRET)
    data = buffer.getvalue() + SECRET
    kept = bare.png(data)
    assert b"SECRET" not in kept
    assert same_pixels(data, kept)
    assert bare.png(kept) == kept


def test_a_gif_keeps_frames_timing_and_repeats_and_nothing_else() -> None:
    frames = [media.picture(60, 40).quantize(32) for _ in range(4)]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=[50, 100, 150, 200], loop=3, comment=SECRET
    )
    data = buffer.getvalue() + SECRET
    kept = bare.gif(data)
    assert b"SECRET" not in kept
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(kept)) as after:
        assert (after.n_frames, after.info["loop"]) == (before.n_frames, 3)  # type: ignore[attr-defined]
        for n in range(4):
            before.seek(n)
            after.seek(n)
            assert before.info["duration"] == after.info["duration"]
            assert ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox() is None
    assert bare.gif(kept) == kept


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif"])
def test_a_cut_file_is_a_damaged_one(kind: str) -> None:
    buffer = io.BytesIO()
    media.picture(60, 40).save(buffer, kind)
    data = buffer.getvalue()
    walk = {"jpeg": bare.jpeg, "png": bare.png, "gif": bare.gif}[kind]
    for at in range(3, len(data) - 1, max(1, len(data) // 60)):
        with pytest.raises(InputFault) as caught:
            walk(data[:at])
        assert caught.value.code == "media_corrupt"


def test_a_png_chunk_that_claims_more_than_there_is_is_damage() -> None:
    chunk = struct.pack(">I4s", 2**31 - 1, b"IDAT") + b"x" * 20
    with pytest.raises(InputFault):
        bare.png(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", zlib.crc32(b"")))

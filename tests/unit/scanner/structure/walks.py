"""How tests walk over a file, and how they put boxes, chunks and elements together."""

import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterable

from services.common.errors import Code
from services.scanner.structure.walking import Malformed, Walk
from tests.media import chunks

BOMB_S = 1.0  # of CPU: some tenths on a slow machine, where work that grows with the square of the bytes takes minutes
BOMB_BYTES = 64 << 20


def walked(content_type: str, data: bytes, *, chunk_bytes: int = 1 << 20) -> Malformed | None:
    """The verdict on a file that comes in pieces."""
    walk = Walk(content_type, len(data))
    for chunk in chunks(data, chunk_bytes):
        walk.feed(chunk)
    return walk.verdict()


def code_of(content_type: str, data: bytes) -> Code | None:
    """The verdict's code, the same however the file is cut into pieces; None when it is accepted."""
    found = walked(content_type, data)
    code = found.code if found else None
    if len(data) < 100_000:
        in_pieces = walked(content_type, data, chunk_bytes=7)
        assert (in_pieces.code if in_pieces else None) is code
    return code


def bomb_code(content_type: str, data: bytes) -> Code | None:
    """The same, within the time and memory that a bomb may cost."""
    assert _seconds(content_type, data) < BOMB_S
    tracemalloc.start()
    try:
        found = walked(content_type, data)
        assert tracemalloc.get_traced_memory()[1] < BOMB_BYTES
    finally:
        tracemalloc.stop()
    return found.code if found else None


def _seconds(content_type: str, data: bytes) -> float:
    started = time.process_time()
    walked(content_type, data)
    return time.process_time() - started


def chunk(name: bytes, body: bytes = b"") -> bytes:
    """PNG's."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int, *parts: bytes, depth: int = 8, color: int = 2, data: bytes = b"\0") -> bytes:
    """A PNG of these claims; `parts` come before its picture."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(parts) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND")


def segment(marker: int, body: bytes) -> bytes:
    """JPEG's."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg_of(width: int, height: int, parts: Iterable[bytes] = (), *, scans: int = 1, frame: int = 0xC2) -> bytes:
    """A JPEG of these claims; `parts` come before its frame."""
    head = segment(frame, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"
    return b"\xff\xd8" + b"".join(parts) + head + scan * scans + b"\xff\xd9"


def gif_of(width: int, height: int, frames: Iterable[bytes]) -> bytes:
    """A GIF of these blocks."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"".join(frames) + b";"


def gif_frame(width: int = 1, height: int = 1, left: int = 0, top: int = 0) -> bytes:
    """One picture of a GIF, without its pixels."""
    return b"," + struct.pack("<HHHHB", left, top, width, height, 0) + b"\x02\x02\x44\x01\x00"


def riff(*parts: bytes, size: int | None = None) -> bytes:
    """A WebP of these chunks."""
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def riff_chunk(name: bytes, body: bytes) -> bytes:
    """WebP's."""
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def webp_canvas(width: int, height: int) -> bytes:
    """VP8X of an animation."""
    return riff_chunk(b"VP8X", b"\x02\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))

"""A picture's file without anything a decoder does not need: no metadata, no profile, nothing behind its end.

The pixels are not touched. What is left is what was understood, so nothing hidden between the parts survives.
"""

import struct
import zlib
from collections.abc import Iterator

import mozjpeg_lossless_optimization as mozjpeg
import numpy as np

from services.common.errors import Code
from services.transcoder.domain.work import InputFault

# ITU-T T.81, table B.1: frames, tables, scans, and the restart interval.
_JPEG_KEPT = frozenset({0xC4, 0xDB, 0xDD, *(n for n in range(0xC0, 0xD0) if n not in (0xC4, 0xC8, 0xCC))})
# Compressed data is searched in pieces of this size, so that many small scans cost no more than one large one.
_SEARCHED_BYTES = 1 << 16
# PNG (third edition), 5.6 and 11: what pixels are made from.
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"sRGB", b"gAMA", b"cHRM", b"sBIT"})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INFLATED_BYTES = 1 << 20  # at a time, and dropped


def jpeg(data: bytes) -> bytes | None:
    """A JPEG of the same coefficients, and Adobe's note of how colours are stored; progressive.

    Where a scan, or a stretch of one, really ends is known only to who decodes it. So its data are decoded and written
    anew, by tables made for them: what lies behind the last block, or in tables and codes that nothing uses, is gone.

    Returns:
        None when it is of a kind that cannot be written anew.

    Raises:
        InputFault: media_corrupt, it does not follow the standard up to its end.
    """
    try:
        made: bytes = mozjpeg.optimize(b"".join(_jpeg_parts(memoryview(data))), mozjpeg.COPY_MARKERS.NONE)
    except ValueError:
        return None
    return made


def png(data: bytes) -> bytes:
    """A PNG of those chunks pixels are made from. Raises InputFault: media_corrupt."""
    return b"".join(_png_parts(memoryview(data)))


def gif(data: bytes) -> bytes:
    """A GIF of its frames, their timing, and how often they repeat. Raises InputFault: media_corrupt."""
    return b"".join(gif_parts(memoryview(data)))


def has_extras(container: str, data: bytes) -> bool:
    """Whether the function of that name may leave anything out; of a JPEG that is not known before. Nothing is copied
    to find out."""
    parts = {"jpeg": _jpeg_parts, "png": _png_parts, "gif": gif_parts}[container](memoryview(data))
    return sum(len(part) for part in parts) != len(data) or container == "jpeg"


def _jpeg_parts(data: memoryview) -> Iterator[memoryview]:
    yield _slice(data, 0, 2)
    at = 2
    while True:
        start = at
        while _slice(data, at, 2)[1] == 0xFF:  # fill bytes
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF:
            raise InputFault(Code.MEDIA_CORRUPT, f"no JPEG marker at {start}")
        if marker == 0xD9:
            yield data[at : at + 2]
            return
        size = int.from_bytes(_slice(data, at + 2, 2), "big")
        segment = _slice(data, at, size + 2)
        at += size + 2
        if marker == 0xDA:
            end = _jpeg_scan_end(data, at)
            yield segment
            yield data[at:end]
            at = end
        elif marker in _JPEG_KEPT or (marker == 0xEE and bytes(segment[4:9]) == b"Adobe" and size == 14):
            yield segment


def _jpeg_scan_end(data: memoryview, at: int) -> int:
    """Where the first marker lies that is neither a restart nor a zero put after a byte of data that looks like one."""
    for begin in range(at, len(data), _SEARCHED_BYTES):
        piece = np.frombuffer(data, np.uint8, min(_SEARCHED_BYTES + 1, len(data) - begin), begin)
        marks = np.flatnonzero(piece[:-1] == 0xFF)
        codes = piece[marks + 1]
        ends = marks[(codes != 0) & (codes != 0xFF) & ((codes < 0xD0) | (codes > 0xD7))]
        if ends.size:
            end = begin + int(ends[0])
            while end > at and data[end - 1] == 0xFF:  # fill bytes
                end -= 1
            return end
    raise InputFault(Code.MEDIA_CORRUPT, "a JPEG scan without an end")


def _png_parts(data: memoryview) -> Iterator[memoryview]:
    at = len(_PNG_SIGNATURE)
    yield data[:at]
    pixels = zlib.decompressobj()
    while True:
        size, name = struct.unpack(">I4s", _slice(data, at, 8))
        chunk = _slice(data, at, size + 12)
        if name == b"IDAT":
            needed = 0 if pixels.eof else _inflate(pixels, chunk[8:-4])
            if needed == size:
                yield chunk
            elif needed:
                body = name + bytes(chunk[8 : 8 + needed])
                yield memoryview(struct.pack(">I", needed) + body + struct.pack(">I", zlib.crc32(body)))
        elif name in _PNG_KEPT:
            yield chunk
        at += size + 12
        if name == b"IEND":
            return


def _inflate(pixels: "zlib._Decompress", body: memoryview) -> int:
    """How many of these bytes belong to the one stream that pixels are packed in; what is behind its end does not."""
    left = bytes(body)
    try:
        while left and not pixels.eof:
            pixels.decompress(left, _INFLATED_BYTES)
            left = pixels.unconsumed_tail
    except zlib.error as exc:
        raise InputFault(Code.MEDIA_CORRUPT, f"no PNG pixels: {exc}") from exc
    return len(body) - len(pixels.unused_data)


def gif_parts(data: memoryview) -> Iterator[memoryview]:
    """Its header, then every block that is kept, in order; the last is its end. Raises InputFault: media_corrupt."""
    palette = _palette_size(_slice(data, 0, 13)[10])
    yield _slice(data, 0, 13 + palette)
    at = 13 + palette
    while True:
        kind = bytes(_slice(data, at, 1))
        if kind == b";":
            yield data[at : at + 1]
            return
        if kind == b",":
            descriptor = _slice(data, at, 10)
            begin = at + 10 + _palette_size(descriptor[9]) + 1
            end = _blocks_end(data, begin)
            yield _slice(data, at, end - at)
        elif kind == b"!":
            end = _blocks_end(data, at + 2)
            if data[at + 1] == 0xF9 or _is_loop(bytes(data[at:end])):
                yield data[at:end]
        else:
            raise InputFault(Code.MEDIA_CORRUPT, f"no GIF block at {at}")
        at = end


def _is_loop(extension: bytes) -> bool:
    """Netscape's repeat count, and nothing else inside."""
    return extension[:14] == b"!\xff\x0bNETSCAPE2.0" and len(extension) == 19


def _palette_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks_end(data: memoryview, at: int) -> int:
    """Past a chain of sub-blocks, each led by its length, the last of length 0."""
    while length := _slice(data, at, 1)[0]:
        at += 1 + length
    return at + 1


def _slice(data: memoryview, at: int, size: int) -> memoryview:
    found = data[at : at + size]
    if len(found) != size:
        raise InputFault(Code.MEDIA_CORRUPT, f"the file ends within a part at {at}")
    return found

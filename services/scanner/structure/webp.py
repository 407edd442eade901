"""WebP: RFC 9649. Chunks up to the end of the RIFF; what follows no decoder reads."""

import struct

from services.common.errors import Code
from services.scanner.structure.ceilings import MAX_ANIMATION_FRAMES, MAX_ANIMATION_PX
from services.scanner.structure.reading import Reader, Refused, Steps, check_picture, corrupt

_METADATA = frozenset((b"ICCP", b"EXIF", b"XMP "))
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F


def walk(reader: Reader) -> Steps[None]:
    """Raises Refused."""
    head = yield from reader.take(12)
    if head[:4] != b"RIFF" or head[8:] != b"WEBP":
        raise corrupt("no WebP")
    end = int.from_bytes(head[4:8], "little") + 8
    if end > reader.size + 1:  # the last byte only fills, and some leave it out
        raise corrupt(f"a RIFF of {end} bytes in a file of {reader.size}")
    end = min(end, reader.size)
    frames = pictures = canvas_px = 0
    while end - reader.position >= 8:
        reader.part()
        name, size = struct.unpack("<4sI", (yield from reader.take(8)))
        after = reader.position + size
        if after > end:
            raise corrupt(f"a WebP chunk {name!r} of {size} bytes")
        if name == b"VP8X":
            canvas_px = yield from _canvas(reader, size)
        elif name == b"VP8 ":
            pictures += 1
            yield from _lossy(reader, size)
        elif name == b"VP8L":
            pictures += 1
            yield from _lossless(reader, size)
        elif name == b"ANMF":
            frames += 1
            if frames > MAX_ANIMATION_FRAMES:
                raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"more than {MAX_ANIMATION_FRAMES} frames")
            if frames > 1 and frames * canvas_px > MAX_ANIMATION_PX:
                raise Refused(Code.MEDIA_PIXELS_EXCEEDED, f"{frames} frames of {canvas_px} pixels")
        elif name in _METADATA:
            reader.metadata(size)
        yield from reader.skip(min(after + (size & 1), end) - reader.position)
    if not frames and not pictures:
        raise corrupt("a WebP without a picture")


def _canvas(reader: Reader, size: int) -> Steps[int]:
    """Its number of pixels."""
    if size < 10:
        raise corrupt("a short VP8X")
    head = yield from reader.take(10)
    width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (4, 7))
    check_picture(width, height)
    return width * height


def _lossy(reader: Reader, size: int) -> Steps[None]:
    if size < 10:
        raise corrupt("a short VP8 frame")
    head = yield from reader.take(10)
    if head[3:6] != _LOSSY_START:
        raise corrupt("a VP8 picture without its start")
    width, height = struct.unpack_from("<HH", head, 6)
    check_picture(width & 0x3FFF, height & 0x3FFF)


def _lossless(reader: Reader, size: int) -> Steps[None]:
    if size < 5:
        raise corrupt("a short VP8L frame")
    start, packed = struct.unpack("<BI", (yield from reader.take(5)))
    if start != _LOSSLESS_START:
        raise corrupt("a VP8L picture without its start")
    check_picture((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)

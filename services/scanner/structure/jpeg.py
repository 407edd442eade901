"""JPEG: ITU-T T.81, annex B. Markers and segments up to the end of the first picture.

Phones put second pictures, films and notes of their own behind it, which no decoder of ours reads.
"""

import re

from services.common.errors import Code
from services.scanner.structure.ceilings import MAX_SCAN_PX, MAX_SCANS
from services.scanner.structure.reading import Reader, Refused, Steps, check_picture, corrupt

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # without a length
# EXIF and XMP, profiles, IPTC, comments. What else applications keep in theirs is not counted: thermal cameras put
# whole frames there.
_METADATA = frozenset((0xE1, 0xE2, 0xED, 0xFE))
# Fill bytes before a marker, and bytes of no meaning between segments, are passed over as decoders do.
_MARKER = re.compile(rb"\xff[^\x00\xff]")
# Within a scan 0xFF is followed by 0, by a restart's number, or by another 0xFF.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def walk(reader: Reader) -> Steps[None]:
    """Raises Refused."""
    if (yield from reader.number(2)) != 0xFF00 | _SOI:
        raise corrupt("no JPEG")
    pixels = scans = 0
    while True:
        reader.part()
        yield from reader.find(_MARKER)
        marker = (yield from reader.number(2)) & 0xFF
        if marker == _EOI:
            break
        if marker in _ALONE:
            continue
        size = (yield from reader.number(2)) - 2
        if size < 0 or marker == _SOI:
            raise corrupt(f"a JPEG segment {marker:#x} of {size} bytes")
        if marker in _FRAMES:
            if pixels:
                raise corrupt("two JPEG frames in one picture")
            pixels = yield from _frame(reader, size)
        elif marker in _METADATA:
            reader.metadata(size)
            yield from reader.skip(size)
        elif marker == _SOS:
            scans += 1
            if scans > MAX_SCANS or scans * pixels > MAX_SCAN_PX:
                raise Refused(Code.MEDIA_TOO_COMPLEX, f"{scans} scans of {pixels} pixels")
            yield from reader.skip(size)
            yield from reader.find(_SCAN_END)
        else:
            yield from reader.skip(size)
    if not scans or not pixels:
        raise corrupt("a JPEG without a picture")


def _frame(reader: Reader, size: int) -> Steps[int]:
    """Its number of pixels."""
    if size < 6:
        raise corrupt("a short JPEG frame header")
    head = yield from reader.take(5)
    height, width = int.from_bytes(head[1:3], "big"), int.from_bytes(head[3:5], "big")
    check_picture(width, height)
    yield from reader.skip(size - 5)
    return width * height

"""PNG and APNG: PNG (third edition), sections 5 and 11. Chunks up to IEND; what follows no decoder reads."""

import struct
import zlib

from services.common.errors import Code
from services.scanner.structure.ceilings import MAX_ANIMATION_FRAMES, MAX_ANIMATION_PX, MAX_INFLATED_BYTES
from services.scanner.structure.reading import Reader, Refused, Steps, check_picture, corrupt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLAIN = frozenset((b"tEXt", b"eXIf"))
_DEFLATED = frozenset((b"zTXt", b"iCCP", b"iTXt"))
_PIECE_BYTES = 1 << 16


def walk(reader: Reader) -> Steps[None]:
    """Raises Refused."""
    head = yield from reader.take(33)
    if head[:16] != _SIGNATURE + b"\x00\x00\x00\rIHDR":
        raise corrupt("no PNG")
    if zlib.crc32(head[12:29]) != int.from_bytes(head[29:], "big"):
        raise corrupt("a damaged PNG header")
    width, height = struct.unpack_from(">II", head, 16)
    check_picture(width, height)
    frames = data = 0
    while True:
        reader.part()
        size, name = struct.unpack(">I4s", (yield from reader.take(8)))
        if size + 4 > reader.left:
            raise corrupt(f"a PNG chunk {name!r} of {size} bytes")
        if name == b"IEND":
            break
        data += size if name == b"IDAT" else 0
        if name == b"acTL" and size >= 4:
            announced = yield from reader.number(4)
            _check_frames(announced, width * height)
            size -= 4
        elif name == b"fcTL":
            frames += 1
            _check_frames(frames, width * height)
        elif name in _PLAIN:
            reader.metadata(size)
        elif name in _DEFLATED:
            reader.metadata(size)
            _inflate(name, (yield from reader.take(size)))
            size = 0
        yield from reader.skip(size + 4)
    if not data:
        raise corrupt("a PNG without a picture")


def _check_frames(frames: int, canvas_px: int) -> None:
    if frames > MAX_ANIMATION_FRAMES:
        raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"{frames} frames")
    if frames > 1 and frames * canvas_px > MAX_ANIMATION_PX:
        raise Refused(Code.MEDIA_PIXELS_EXCEEDED, f"{frames} frames of {canvas_px} pixels")


def _inflate(name: bytes, chunk: bytes) -> None:
    """Refuses what grows too large. What cannot be inflated is left to the decoder, which leaves it out."""
    keyword, _, rest = chunk.partition(b"\0")
    if name == b"iTXt":
        if rest[:1] != b"\1":
            return
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        rest = rest[1:]
    inflating = zlib.decompressobj()
    size = 0
    try:
        while rest and not inflating.eof:
            size += len(inflating.decompress(rest, _PIECE_BYTES))
            rest = inflating.unconsumed_tail
            if size > MAX_INFLATED_BYTES:
                raise Refused(Code.MEDIA_METADATA_TOO_LARGE, f"{name!r} {keyword[:80]!r} inflates past {size} bytes")
    except zlib.error:
        return

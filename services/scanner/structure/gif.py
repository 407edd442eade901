"""GIF: GIF89a specification. Blocks up to the trailer; what follows no decoder reads."""

import struct

from services.common.errors import Code
from services.scanner.structure.ceilings import MAX_ANIMATION_FRAMES, MAX_ANIMATION_PX
from services.scanner.structure.reading import Reader, Refused, Steps, check_picture, corrupt

_CONTROL = 0xF9


def walk(reader: Reader) -> Steps[None]:
    """Raises Refused."""
    head = yield from reader.take(13)
    if head[:6] not in (b"GIF87a", b"GIF89a"):
        raise corrupt("no GIF")
    width, height, flags = struct.unpack_from("<HHB", head, 6)
    yield from reader.skip(_palette_bytes(flags))
    frames = 0
    while True:
        reader.part()
        kind = yield from reader.take(1)
        if kind == b";":
            break
        if kind == b",":
            left, top, across, down, flags = struct.unpack("<HHHHB", (yield from reader.take(9)))
            # Decoders enlarge a canvas that is too small.
            width, height = max(width, left + across), max(height, top + down)
            frames += 1
            _check(frames, width, height)
            yield from reader.skip(_palette_bytes(flags) + 1)
            yield from reader.sub_blocks()
        elif kind == b"!":
            label = yield from reader.number(1)
            size = yield from reader.sub_blocks()
            if label != _CONTROL:
                reader.metadata(size)
        else:
            raise corrupt(f"no GIF block at {reader.position - 1}")
    if not frames:
        raise corrupt("a GIF without a picture")


def _check(frames: int, width: int, height: int) -> None:
    check_picture(width, height)
    if frames > MAX_ANIMATION_FRAMES:
        raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"more than {MAX_ANIMATION_FRAMES} frames")
    if frames > 1 and frames * width * height > MAX_ANIMATION_PX:
        raise Refused(Code.MEDIA_PIXELS_EXCEEDED, f"{frames} frames of {width} x {height}")


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

"""How long each frame of an animation stands, as browsers take it: read from the headers, nothing is decoded."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

from services.common.errors import Code
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import bare

# What stands no longer than this was never meant to: browsers show it for a tenth of a second.
HASTY_MS, USUAL_MS = 10, 100
_CONTROL, _PICTURE = b"!\xf9", b","


def stands_ms(container: str, data: bytes) -> Sequence[int]:
    """Of each frame, in milliseconds; of other formats than GIF and WebP nothing. Raises InputFault: media_corrupt."""
    read = _READ.get(container)
    return [ms if ms > HASTY_MS else USUAL_MS for ms in read(memoryview(data))] if read else ()


def _of_gif(data: memoryview) -> Iterator[int]:
    """GIF89a, 23: in hundredths of a second, said ahead of the picture it is about."""
    ms = 0
    for part in bare.gif_parts(data):
        if part[:2] == _CONTROL:
            ms = 10 * int.from_bytes(part[4:6], "little")
        elif part[:1] == _PICTURE:
            yield ms
            ms = 0


def _of_webp(data: memoryview) -> Iterator[int]:
    """RFC 9649, 2.7.1.1: three bytes behind a frame's place and size."""
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"ANMF":
            said = data[at + 20 : at + 23]
            if len(said) < 3:
                raise InputFault(Code.MEDIA_CORRUPT, "the file ends within a frame's head")
            yield int.from_bytes(said, "little")
        at += 8 + size + size % 2


_READ: Mapping[str, Callable[[memoryview], Iterator[int]]] = {"gif": _of_gif, "webp": _of_webp}

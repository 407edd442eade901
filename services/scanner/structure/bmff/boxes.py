"""Boxes: ISO/IEC 14496-12, 4.2. Sizes that no decoder could follow are refused, padding and terminators are not."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from services.common.errors import Code
from services.scanner.structure.ceilings import MAX_DEPTH
from services.scanner.structure.reading import Reader, Refused, Steps, corrupt

HEADER_BYTES = 8
_TERMINATOR = bytes(4)


@dataclass(frozen=True, slots=True)
class Box:
    """A box whose header was read. end: of its content, from the start of the file."""

    kind: bytes
    end: int


# Reads a box's content, as much of it as it likes. Gets where it ends.
Handler: TypeAlias = Callable[[int], Steps[None]]


class BadBoxError(Exception):
    """No box begins here, or one that does not fit."""

    def __init__(self, kind: bytes, why: str) -> None:
        super().__init__(f"{kind!r} {why}")
        self.kind = kind


def header(reader: Reader, end: int, *, outermost: bool = False) -> Steps[Box]:
    """Reads the header of a box that must end by `end`. The outermost may say that they end with the file.

    Raises:
        BadBoxError: It does not fit. What was read of it is gone.
    """
    reader.part()
    start = reader.position
    size, kind = struct.unpack(">I4s", (yield from reader.take(HEADER_BYTES)))
    least = HEADER_BYTES
    if size == 1:
        if end - reader.position < HEADER_BYTES:
            raise BadBoxError(kind, "without its size")
        size, least = (yield from reader.number(8)), 2 * HEADER_BYTES
    elif size == 0 and (outermost or kind == _TERMINATOR):
        size = end - start
    if size < least or start + size > end:
        raise BadBoxError(kind, f"of {size} bytes at {start}, where {end - start} are left")
    return Box(kind, start + size)


def children(reader: Reader, end: int, handlers: Mapping[bytes, Handler]) -> Steps[None]:
    """Goes through the boxes up to `end`; those without a handler are skipped."""
    while end - reader.position >= HEADER_BYTES:
        try:
            box = yield from header(reader, end)
        except BadBoxError as exc:
            raise corrupt(str(exc)) from exc
        handler = handlers.get(box.kind)
        if handler:
            yield from handler(box.end)
        yield from leave(reader, box.end)
    yield from leave(reader, end)


def leave(reader: Reader, end: int) -> Steps[None]:
    """To the end of a box, which must not have been passed."""
    if reader.position > end:
        raise corrupt(f"a box that ends at {end} is too short for its content")
    yield from reader.skip(end - reader.position)


def fields(reader: Reader, end: int, layout: struct.Struct) -> Steps[tuple[int, ...]]:
    """The next numbers of a box."""
    if end - reader.position < layout.size:
        raise corrupt(f"a box that ends at {end} is too short for its content")
    return layout.unpack((yield from reader.take(layout.size)))


# What FFmpeg looks for boxes in.
_NESTS = frozenset(
    (
        *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"meta", b"ilst", b"dinf", b"moof", b"traf"),
        *(b"mvex", b"wave", b"cmov", b"sinf", b"schi", b"tref", b"gmhd"),
    )
)


def check_depth(data: bytes, depth: int) -> None:
    """Refuses boxes nested too deeply. What is no box is not looked into. depth: of the box `data` is from."""
    ends: list[int] = []
    at, end = 0, len(data)
    while True:
        while end - at < HEADER_BYTES:
            if not ends:
                return
            at, end = end, ends.pop()
        size = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if not HEADER_BYTES <= size <= end - at:
            at = end
        elif kind in _NESTS:
            ends.append(end)
            if depth + len(ends) > MAX_DEPTH:
                raise Refused(Code.MEDIA_TOO_COMPLEX, f"boxes {depth + len(ends)} deep")
            at, end = at + HEADER_BYTES, at + size
        else:
            at += size

"""Code points of a picture's colours (CICP, ITU-T H.273), read from files whose decoder does not pass them on."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

CodePoints: TypeAlias = tuple[int, int]  # primaries and transfer
_PNG_SIGNATURE_BYTES = 8
_PLACE = {1: 0x7F, 2: 0x7FFF}  # above it is a bit: whether readers must know that property


def read(container: str, path: Path) -> CodePoints | None:
    """None: there are none, or the file is neither AVIF nor PNG.

    What cannot be followed has none: whether the file is sound is for its decoder to say.
    """
    reader = _READERS.get(container)
    return reader(memoryview(path.read_bytes())) if reader else None


def _of_png(data: memoryview) -> CodePoints | None:
    """PNG (third edition), 11.3.2.6: cICP, ahead of the pixels."""
    at = _PNG_SIGNATURE_BYTES
    while at + 12 <= len(data) and (name := bytes(data[at + 4 : at + 8])) != b"IDAT":
        size = _number(data[at : at + 4])
        if name == b"cICP" and size >= 2 and at + 10 <= len(data):
            return data[at + 8], data[at + 9]
        at += 12 + size
    return None


def _of_avif(data: memoryview) -> CodePoints | None:
    """ISO/IEC 23008-12, 9.3: of the properties of the first picture, the colour (ISO/IEC 14496-12, 12.1.5)."""
    meta = _inner(data, b"meta")[4:]
    properties = _inner(meta, b"iprp")
    item = _number(_inner(meta, b"pitm")[4:8])
    kept = list(_boxes(_inner(properties, b"ipco")))
    for place in _places(_inner(properties, b"ipma"), item):
        name, body = kept[place - 1] if 0 < place <= len(kept) else (b"", memoryview(b""))
        if name == b"colr" and bytes(body[:4]) == b"nclx" and len(body) >= 8:
            return _number(body[4:6]), _number(body[6:8])
    return None


def _places(associations: memoryview, item: int) -> list[int]:
    """Of the item's properties in their list, from 1; 0 is none. ISO/IEC 23008-12, 9.3.1: ItemPropertyAssociation."""
    id_bytes = 4 if _number(associations[:1]) else 2
    place_bytes = 2 if _number(associations[1:4]) & 1 else 1
    at = 8
    while at + id_bytes < len(associations):
        found, count = _number(associations[at : at + id_bytes]), associations[at + id_bytes]
        at += id_bytes + 1
        if found == item:
            places = (associations[at + n * place_bytes :][:place_bytes] for n in range(count))
            return [_number(one) & _PLACE[place_bytes] for one in places]
        at += count * place_bytes
    return []


def _inner(data: memoryview, wanted: bytes) -> memoryview:
    """What the first box of that name holds; nothing where there is none."""
    return next((body for name, body in _boxes(data) if name == wanted), memoryview(b""))


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """ISO/IEC 14496-12, 4.2: size and name, then what it holds."""
    at = 0
    while at + 8 <= len(data):
        size, head = _number(data[at : at + 4]), 8
        if size == 1:
            size, head = _number(data[at + 8 : at + 16]), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            return
        yield bytes(data[at + 4 : at + 8]), data[at + head : at + size]
        at += size


def _number(data: memoryview) -> int:
    return int.from_bytes(data, "big")


_READERS: Mapping[str, Callable[[memoryview], CodePoints | None]] = {"png": _of_png, "avif": _of_avif}

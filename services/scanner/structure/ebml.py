"""EBML elements: RFC 8794, sections 4 to 7."""

import struct

from services.scanner.structure.reading import Reader, Steps, corrupt


def element_id(reader: Reader) -> Steps[int]:
    """With its marker, as it is written."""
    first = yield from reader.number(1)
    width = 9 - first.bit_length()
    if width > 4:
        raise corrupt(f"no EBML element at {reader.position - 1}")
    return first << 8 * (width - 1) | (yield from reader.number(width - 1))


def open_size(reader: Reader) -> Steps[int | None]:
    """None: left open."""
    first = yield from reader.number(1)
    width = 9 - first.bit_length()
    if width > 8:
        raise corrupt(f"no EBML size at {reader.position - 1}")
    rest = 8 * (width - 1)
    value = (first << rest | (yield from reader.number(width - 1))) & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else value


def known_size(reader: Reader, end: int) -> Steps[int]:
    """Of an element that must be over by `end`."""
    size = yield from open_size(reader)
    if size is None or reader.position + size > end:
        raise corrupt(f"an EBML element of {size} bytes at {reader.position}, where {end} is the end")
    return size


def unsigned(reader: Reader, size: int) -> Steps[int]:
    """An element's content as a number."""
    if size > 8:
        raise corrupt(f"a number of {size} bytes")
    return (yield from reader.number(size))


def floating(reader: Reader, size: int) -> Steps[float]:
    """An element's content as a floating-point number."""
    if size not in (0, 4, 8):
        raise corrupt(f"a floating-point number of {size} bytes")
    data = yield from reader.take(size)
    return float(struct.unpack({4: ">f", 8: ">d"}[size], data)[0]) if size else 0.0

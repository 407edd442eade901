"""ISO-BMFF and EBML put together by hand: films and pictures that say whatever a test wants."""

import struct
from collections.abc import Sequence


def box(kind: bytes, *parts: bytes, size: int | None = None) -> bytes:
    """A box; `size` is what it says instead of its length."""
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8 if size is None else size) + kind + body


def full(kind: bytes, *numbers: int, version: int = 0, flags: int = 0, tail: bytes = b"") -> bytes:
    """A full box of 32-bit numbers."""
    return box(kind, struct.pack(f">{len(numbers) + 1}I", version << 24 | flags, *numbers), tail)


def rows(kind: bytes, *those: Sequence[int], count: int | None = None) -> bytes:
    """A table after its count; `count` is what it says instead of its length."""
    return full(kind, len(those) if count is None else count, *[number for row in those for number in row])


def visual(width: int = 64, height: int = 36, kind: bytes = b"avc1") -> bytes:
    """A visual sample description."""
    return box(kind, bytes(6), b"\0\1", bytes(16), struct.pack(">HH", width, height), bytes(50))


def audio(channels: int = 2, rate_hz: int = 48_000) -> bytes:
    """An audio sample description of version 0."""
    return box(b"mp4a", bytes(6), b"\0\1", bytes(8), struct.pack(">HHHHI", channels, 16, 0, 0, rate_hz << 16))


def audio2(channels: int, rate_hz: float) -> bytes:
    """QuickTime's version 2."""
    head = struct.pack(">HHIHHHHI", 2, 0, 0, 3, 16, 0xFFFE, 0, 1 << 16)
    return box(b"lpcm", bytes(6), b"\0\1", head, struct.pack(">IdI", 72, rate_hz, channels), bytes(20))


def stsd(*entries: bytes) -> bytes:
    return full(b"stsd", len(entries), tail=b"".join(entries))


def stsz(count: int, size: int = 0, sizes: Sequence[int] = ()) -> bytes:
    return full(b"stsz", size, count, *sizes)


def trak(
    *tables: bytes,
    handler: bytes = b"vide",
    timescale: int = 1000,
    duration: int = 100,
    track_id: int = 1,
    before: bytes = b"",
    described: bytes | None = None,
) -> bytes:
    """A track of these tables; `before` comes after its header."""
    described = described if described is not None else stsd(audio() if handler == b"soun" else visual())
    return box(
        b"trak",
        full(b"tkhd", 0, 0, track_id, 0, duration, *[0] * 15),
        before,
        box(
            b"mdia",
            full(b"mdhd", 0, 0, timescale, duration, 0),
            full(b"hdlr", 0, tail=handler + bytes(13)),
            box(b"minf", box(b"stbl", described, *tables)),
        ),
    )


def plain_tables(count: int = 10, ticks: int = 10, size: int = 5) -> tuple[bytes, ...]:
    """Of a track of `count` samples in one chunk."""
    return (
        rows(b"stts", (count, ticks)),
        rows(b"stsc", (1, count, 1)),
        stsz(count, size),
        rows(b"stco", (40,)),
    )


def mvhd(timescale: int = 1000, duration: int = 100) -> bytes:
    return full(b"mvhd", 0, 0, timescale, duration, *[0] * 20)


def movie(*parts: bytes, head: bytes | None = None, media: bytes = bytes(2000), behind: bytes = b"") -> bytes:
    """An MP4 of these parts of `moov`."""
    return (
        box(b"ftyp", b"isom", bytes(4), b"isommp42")
        + box(b"mdat", media)
        + box(b"moov", mvhd() if head is None else head, *parts)
        + behind
    )


def index_bomb(count: int = 89_000_000, *, handler: bytes = b"vide", ticks: int = 1) -> bytes:
    """A table of samples that are not there."""
    return trak(
        rows(b"stts", (count, ticks)),
        rows(b"stsc", (1, count, 1)),
        stsz(count, 1),
        rows(b"stco", (40,)),
        handler=handler,
    )


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", width, height)


def heif(*items: bytes, properties: Sequence[bytes] = (ispe(64, 36),), media: bytes = bytes(500)) -> bytes:
    """A HEIC of these boxes of `meta`."""
    iprp = box(b"iprp", box(b"ipco", *properties), full(b"ipma", 1, tail=b"\0\1\1\x81"))
    meta = full(b"meta", tail=full(b"hdlr", 0, tail=b"pict" + bytes(13)) + iprp + b"".join(items))
    return box(b"ftyp", b"heic", bytes(4), b"mif1heic") + meta + box(b"mdat", media)


def iloc(*places: tuple[int, int, int]) -> bytes:
    """Item, offset and length of each."""
    rows = [struct.pack(">HHHII", item, 0, 1, offset, length) for item, offset, length in places]
    return full(b"iloc", tail=b"\x44\0" + struct.pack(">H", len(rows)) + b"".join(rows))


def infe(item: int, kind: bytes) -> bytes:
    return full(b"infe", version=2, tail=struct.pack(">HH", item, 0) + kind + b"\0")


def iinf(*infos: bytes, count: int | None = None) -> bytes:
    return full(b"iinf", tail=struct.pack(">H", len(infos) if count is None else count) + b"".join(infos))


def element(name: int, *parts: bytes, size: int | None = None, open_: bool = False) -> bytes:
    """An EBML element; `size` is what it says instead of its length, `open_` that nobody knows."""
    body = b"".join(parts)
    said = (1 << 56) - 1 if open_ else len(body) if size is None else size
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (1 << 56 | said).to_bytes(8, "big") + body


def number(name: int, value: int) -> bytes:
    return element(name, value.to_bytes(8, "big"))


def real(name: int, value: float) -> bytes:
    return element(name, struct.pack(">d", value))


def webm_track(n: int = 1, kind: int = 1, *more: bytes) -> bytes:
    return element(0xAE, number(0xD7, n), number(0x83, kind), *more)


def pixels(width: int, height: int) -> bytes:
    return element(0xE0, number(0xB0, width), number(0xBA, height))


def sound(channels: int, rate_hz: float) -> bytes:
    return element(0xE1, real(0xB5, rate_hz), number(0x9F, channels))


def cluster(at: int, *blocks: bytes, open_: bool = False) -> bytes:
    return element(0x1F43B675, number(0xE7, at), *blocks, open_=open_)


def block(at: int = 0, track: int = 1, body: bytes = b"picture") -> bytes:
    return element(0xA3, bytes((0x80 | track,)), struct.pack(">hB", at, 0x80), body)


def webm(*parts: bytes, scale_ns: int = 1_000_000, duration: float = 100.0, open_: bool = False) -> bytes:
    """A WebM of these parts of its segment."""
    info = element(0x1549A966, number(0x2AD7B1, scale_ns), real(0x4489, duration))
    return element(0x1A45DFA3, b"\x42\x82\x84webm") + element(0x18538067, info, *parts, open_=open_)


def tracks(*those: bytes) -> bytes:
    return element(0x1654AE6B, *those)

"""Code points of colours are found where they are told and nowhere else. What they look like: test_image_matrix."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transcoder.engine import cicp

PQ = (9, 16)


def box(name: bytes, *parts: bytes, long: bool = False) -> bytes:
    body = b"".join(parts)
    if long:
        return struct.pack(">I4sQ", 1, name, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, name) + body


def color(primaries: int, transfer: int) -> bytes:
    return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, 9, 0x80))


def avif(*properties: bytes, item: int = 1, places: tuple[int, ...], wide: bool = False) -> bytes:
    """A file of two pictures, the first of which has those of the properties. wide: the longer way to say so."""
    number, place = (">I", ">H") if wide else (">H", ">B")

    def said(of: int, which: tuple[int, ...]) -> bytes:
        return struct.pack(number, of) + bytes([len(which)]) + b"".join(struct.pack(place, one) for one in which)

    flags = struct.pack(">I", 0x0100_0001 if wide else 0)
    others = said(item + 1, ())
    associations = box(b"ipma", flags, struct.pack(">I", 2), others, said(item, places))
    first = box(b"pitm", struct.pack(">I", 0x0100_0000 if wide else 0), struct.pack(number, item))
    properties_box = box(b"iprp", box(b"ipco", *properties), associations, long=wide)
    return box(b"ftyp", b"avif") + box(b"meta", bytes(4), first, properties_box) + box(b"mdat", bytes(64))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + bytes(4)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "picture"


SIZE = box(b"ispe", bytes(12))
PROFILE = box(b"colr", b"prof", bytes(200))


@pytest.mark.parametrize(
    ("container", "data", "expected"),
    [
        ("avif", avif(SIZE, color(*PQ), places=(1, 0x82)), PQ),
        ("avif", avif(SIZE, color(*PQ), places=(1, 0x8002), wide=True), PQ),
        ("avif", avif(SIZE, PROFILE, color(12, 13), places=(1, 2, 3)), (12, 13)),
        ("avif", avif(SIZE, color(*PQ), places=(1,)), None),
        ("avif", avif(SIZE, PROFILE, places=(1, 2)), None),
        ("avif", avif(SIZE, color(*PQ), places=(0, 7)), None),
        ("avif", b"", None),
        ("png", png(chunk(b"IHDR", bytes(13)), chunk(b"cICP", bytes((*PQ, 0, 1))), chunk(b"IDAT", b"")), PQ),
        ("png", png(chunk(b"IHDR", bytes(13)), chunk(b"IDAT", b""), chunk(b"cICP", bytes((*PQ, 0, 1)))), None),
        ("png", png(chunk(b"IHDR", bytes(13)), chunk(b"cICP", b"")), None),
        ("jpeg", png(chunk(b"cICP", bytes((*PQ, 0, 1)))), None),
    ],
    ids=[
        "AVIF", "AVIF, long", "AVIF beside a profile", "another picture's", "a profile alone", "no such property",
        "empty", "PNG", "PNG, too late", "PNG, none in it", "no PNG",
    ],
)  # fmt: skip
def test_they_are_found_where_they_are_told(
    file: Path, container: str, data: bytes, expected: tuple[int, int] | None
) -> None:
    file.write_bytes(data)
    assert cicp.read(container, file) == expected


@settings(max_examples=300, deadline=None)
@given(
    container=st.sampled_from(["avif", "png"]),
    data=st.one_of(
        st.binary(max_size=200),
        st.tuples(
            st.sampled_from([avif(SIZE, color(*PQ), places=(1, 2)), png(chunk(b"cICP", bytes((*PQ, 0, 1))))]),
            st.integers(0, 160),
            st.binary(max_size=8),
        ).map(lambda of: of[0][: of[1]] + of[2] + of[0][of[1] + len(of[2]) :]),
    ),
)
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, container: str, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(data)
    found = cicp.read(container, file)
    assert found is None or all(0 <= one < 1 << 16 for one in found)

"""What somebody hid in a JPEG that is kept: looked for in everything that is made of it."""

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.platforms import catalog
from services.transcoder.domain.work import How, Status, WorkRequest
from services.transcoder.engine import bare, still, work
from tests import media

still.setup()
MARK = b"CANARY-"
CANARY = MARK + b"hidden-in-here"
KINDS: dict[str, dict[str, object]] = {
    "baseline": {"subsampling": "4:4:4"},
    "thinned-colours": {"subsampling": "4:2:0", "optimize": True},
    "one-direction": {"subsampling": "4:2:2"},
    "restarts": {"subsampling": "4:2:0", "restart_marker_blocks": 1},
    "progressive": {"progressive": True},
    "progressive-restarts": {"progressive": True, "restart_marker_rows": 2},
}


def photo(kind: str, mode: str) -> bytes:
    """Of no whole number of blocks."""
    buffer = io.BytesIO()
    media.picture(301, 203).convert(mode).save(buffer, "JPEG", quality=85, **KINDS[kind])
    return buffer.getvalue()


def between_stretches(data: bytes) -> bytes:
    """Where a scan ends, or one of the stretches it is cut into."""
    head, *scans = data.split(b"\xff\xda")  # which nothing else looks like: 0xFF is no code, and stuffed in data
    return b"\xff\xda".join([head, *(_within(scan) for scan in scans)])


def _within(scan: bytes) -> bytes:
    ends = re.search(rb"\xff[^\x00\xd0-\xd7\xff]|$", scan, re.DOTALL)
    assert ends
    stretches = re.sub(rb"\xff[\xd0-\xd7]", lambda found: CANARY + found[0], scan[: ends.start()])
    return stretches + CANARY + scan[ends.start() :]


def behind_the_last_block(data: bytes) -> bytes:
    return data[:-2] + CANARY + data[-2:]


def in_unused_tables(data: bytes) -> bytes:
    """A Huffman table and one of factors that no component names."""
    codes = b"\x13" + bytes(15) + bytes([len(CANARY)]) + CANARY
    factors = b"\x03" + (CANARY * 4)[:64]
    segments = (
        b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body
        for marker, body in ((0xC4, codes), (0xDB, factors))
    )
    begin = data.index(b"\xff\xdb")
    return data[:begin] + b"".join(segments) + data[begin:]


def everywhere(data: bytes) -> bytes:
    """And in a comment, and behind its end."""
    comment = b"\xff\xfe" + struct.pack(">H", len(CANARY) + 2) + CANARY
    return data[:2] + comment + between_stretches(in_unused_tables(data))[2:] + CANARY


PLACES: tuple[Callable[[bytes], bytes], ...] = (
    behind_the_last_block,
    between_stretches,
    in_unused_tables,
    everywhere,
)


def pixels(data: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hide", PLACES, ids=lambda hide: hide.__name__.replace("_", "-"))
def test_only_coefficients_are_kept(hide: Callable[[bytes], bytes], kind: str, mode: str, tmp_path: Path) -> None:
    plain = photo(kind, mode)
    data = hide(plain)
    assert MARK in data
    # To a decoder it is the same picture all along.
    assert np.array_equal(pixels(data), pixels(plain))
    assert bare.jpeg(data) == bare.jpeg(plain)
    (tmp_path / "made").mkdir()
    (tmp_path / "source").write_bytes(data)
    presets = tuple(catalog.presets("image"))
    request = WorkRequest(source=str(tmp_path / "source"), content_type="image/jpeg", kind="image", presets=presets)
    result = work.do(request, tmp_path / "made")
    ready = [one for one in result.renditions if one.status is Status.READY]
    assert {one.how for one in ready} == {How.STRIP, How.ENCODE}
    for one in ready:
        made = (tmp_path / "made" / str(one.file)).read_bytes()
        assert MARK not in made
        if one.how is How.STRIP:
            assert np.array_equal(pixels(made), pixels(plain))

"""What somebody hid in a film that is copied: looked for in everything that is served of it."""

import io
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import pytest

from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.domain.work import How, Status
from tests import media
from tests.integration.transcoder.workbench import Bench

MARK = b"CANARY-"
CANARY = MARK + b"hidden-in-here"
SEI, DELIMITER, FILLER, UNDEFINED = 6, 9, 12, 24
CAPTIONS_AND_THE_LIKE, UNREGISTERED = 4, 5  # kinds of SEI
FPS, GROUP, SECONDS = 25, 25, 3
PICTURE = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1", b"avcC")
SOUND = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a", b"esds")


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[SandboxedEngine]:
    async with SandboxedEngine() as started:
        yield started


def clip() -> bytes:
    """Compliant, with sound, its index behind its data."""
    options = {"preset": "veryfast", "g": str(GROUP), "flags": "+cgop"}
    return media.film(
        320, 180, seconds=SECONDS, fps=FPS, audio=True, options=options, metadata={"comment": MARK.decode()}
    )


def unit(kind: int, body: bytes) -> bytes:
    """As a sample holds it."""
    return struct.pack(">I", len(body) + 1) + bytes([kind]) + body


def message(kind: int) -> bytes:
    """A unit of one SEI message."""
    body = bytes(16) + CANARY if kind == UNREGISTERED else b"\xb5\x00\x31GA94" + CANARY
    return unit(SEI, bytes([kind, len(body)]) + body.replace(b"\0\0", b"\0\1") + b"\x80")


def with_units(added: bytes) -> bytes:
    """In front of the slices in the middle of a group, and of a key frame."""
    made, n = io.BytesIO(), 0
    with av.open(io.BytesIO(clip()), "r") as source, av.open(made, "w", format="mp4") as out:
        tracks = {one.index: out.add_stream_from_template(one) for one in source.streams.get(video=0, audio=0)}
        for packet in source.demux():
            if packet.dts is None:
                continue
            copied = packet
            if packet.stream.type == "video":
                copied = av.Packet((added if n in (GROUP + 9, 2 * GROUP) else b"") + bytes(packet))
                copied.pts, copied.dts, copied.time_base = packet.pts, packet.dts, packet.time_base
                copied.duration, copied.is_keyframe = packet.duration, packet.is_keyframe
                n += 1
            copied.stream = tracks[packet.stream_index]
            out.mux(copied)
    return made.getvalue()


def grown(data: bytes, at: int, added: bytes, *around: bytes) -> bytes:
    """With bytes at a place, and every box around it that much larger."""
    made = bytearray(data)
    for name in around:
        begin = made.rindex(name, 0, at) - 4
        (size,) = struct.unpack_from(">I", made, begin)
        struct.pack_into(">I", made, begin, size + len(added))
    made[at:at] = added
    return bytes(made)


def behind_the_parameters() -> bytes:
    data = clip()
    begin = data.index(b"avcC") - 4
    (size,) = struct.unpack_from(">I", data, begin)
    return grown(data, begin + size, CANARY, *PICTURE)


def within_a_parameter_set() -> bytes:
    data = bytearray(clip())
    at = data.index(b"avcC") + 4 + 6
    (size,) = struct.unpack_from(">H", data, at)
    struct.pack_into(">H", data, at, size + len(CANARY))
    return grown(bytes(data), at + 2 + size, CANARY, *PICTURE)


def behind_the_sounds_configuration() -> bytes:
    data = bytearray(clip())
    at = data.index(b"esds")
    for tag in (b"\3", b"\4", b"\5"):
        at = data.index(tag + b"\x80\x80\x80", at) + 4
        data[at] += len(CANARY)
    return grown(bytes(data), at + 1 + data[at] - len(CANARY), CANARY, *SOUND)


def between_samples() -> bytes:
    data = bytearray(clip())
    tables = [at + 8 for at in range(len(data)) if data[at : at + 4] == b"stco"]
    gap = struct.unpack_from(">I", data, tables[0] + 4 * 10)[0]
    for at in tables:
        (count,) = struct.unpack_from(">I", data, at)
        offsets = struct.unpack_from(f">{count}I", data, at + 4)
        struct.pack_into(f">{count}I", data, at + 4, *(one + len(CANARY) * (one >= gap) for one in offsets))
    return grown(bytes(data), gap, CANARY, b"mdat")


def in_a_box_of_its_own() -> bytes:
    data = clip()
    return grown(data, len(data), struct.pack(">I4s", 8 + len(CANARY), b"uuid") + CANARY, b"moov")


def as_the_handlers_name() -> bytes:
    return clip().replace(b"VideoHandler", CANARY[:12])


HIDDEN: dict[str, Callable[[], bytes]] = {
    "message-unregistered": lambda: with_units(message(UNREGISTERED)),
    "message-registered": lambda: with_units(message(CAPTIONS_AND_THE_LIKE)),
    "filler": lambda: with_units(unit(FILLER, b"\xff" * 8 + CANARY + b"\x80")),
    "undefined-unit": lambda: with_units(unit(UNDEFINED, CANARY)),
    "delimiter": lambda: with_units(unit(DELIMITER, b"\x10" + CANARY)),
    "behind-the-parameters": behind_the_parameters,
    "within-a-parameter-set": within_a_parameter_set,
    "behind-the-sounds-configuration": behind_the_sounds_configuration,
    "between-samples": between_samples,
    "box": in_a_box_of_its_own,
    "handlers-name": as_the_handlers_name,
}


def pictures(data: bytes) -> list[tuple[float | None, bytes]]:
    """Every frame to the bit, and when it is shown."""
    with av.open(io.BytesIO(data), "r") as film:
        return [(frame.time, frame.to_ndarray().tobytes()) for frame in film.decode(video=0)]


@pytest.mark.parametrize("where", HIDDEN)
async def test_a_copied_film_shows_the_same_and_holds_nothing_else(
    where: str, engine: SandboxedEngine, tmp_path: Path
) -> None:
    data, bench = HIDDEN[where](), Bench(engine, tmp_path)
    assert data.count(MARK) >= 2, "its comment, and what the case hides"
    result = await bench.run(data, "video/mp4")
    made = {one.file: one for one in result.renditions if one.status is Status.READY}
    copies = [one for one in made.values() if one.how is How.REMUX]
    assert len(copies) == 1
    for one in made.values():
        assert MARK not in bench.read(one), one.preset
    assert pictures(bench.read(copies[0])) == pictures(data)

"""A track's boxes: ISO/IEC 14496-12, 8.4 to 8.7, and QuickTime's. Tables are summed up as they come by."""

import struct
from array import array
from collections.abc import Callable, Mapping
from itertools import starmap
from operator import mul, sub

from services.common.errors import Code
from services.scanner.structure.bmff.boxes import Handler, children, fields
from services.scanner.structure.bmff.track import Track
from services.scanner.structure.ceilings import MAX_DESCRIPTION_BYTES, MAX_EDITS, MAX_PACKETS
from services.scanner.structure.reading import Reader, Refused, Steps, corrupt

_FULL = struct.Struct(">I")  # version and flags
_COUNT = struct.Struct(">II")
_SIZES = struct.Struct(">III")
_TIMES = {0: struct.Struct(">IIII"), 1: struct.Struct(">QQIQ")}
_TRACK_ID = {0: struct.Struct(">III"), 1: struct.Struct(">QQI")}
_HANDLER = struct.Struct(">I4s")
_EDITS = {0: struct.Struct(">Iii"), 1: struct.Struct(">Qqi")}
_MOST_DESCRIPTIONS = 1024
_NEGATIVE = 1 << 31
_UNKNOWN = frozenset((0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF))  # a duration left open


def version(reader: Reader, end: int) -> Steps[int]:
    """Of a full box, reading past its flags."""
    return (yield from fields(reader, end, _FULL))[0] >> 24


def times(reader: Reader, end: int) -> Steps[tuple[int, int]]:
    """Timescale and duration of mvhd or mdhd; a duration left open is 0."""
    layout = _TIMES.get((yield from version(reader, end)), _TIMES[0])
    _, _, timescale, duration = yield from fields(reader, end, layout)
    return timescale, 0 if duration in _UNKNOWN else duration


class TrackBoxes:
    """Reads what is in one `trak` into `track`."""

    def __init__(self, reader: Reader, track: Track) -> None:
        self._reader = reader
        self._track = track
        self._tables: Mapping[bytes, Handler] = {
            b"stsd": self._descriptions,
            b"stts": lambda end: self._rows(end, 2, self._see_times),
            b"ctts": lambda end: self._rows(end, 2, self._see_offsets),
            b"stss": lambda end: self._rows(end, 1, lambda _: None),
            b"stps": lambda end: self._rows(end, 1, lambda _: None),
            b"stsc": lambda end: self._rows(end, 3, self._see_runs),
            b"stsz": self._sizes,
            b"stz2": self._compact_sizes,
            b"stco": lambda end: self._rows(end, 1, self._see_chunks),
            b"co64": lambda end: self._rows(end, 1, self._see_chunks, "Q"),
        }
        self._shifted = 0
        self._last_run = (1, 0)  # first chunk, samples in each

    def read(self, end: int) -> Steps[None]:
        """All of it."""
        inside = self._inside
        handlers = {
            b"tkhd": self._head,
            b"edts": inside({b"elst": self._edits}),
            b"mdia": inside(
                {b"mdhd": self._clock, b"hdlr": self._handler, b"minf": inside({b"stbl": inside(self._tables)})}
            ),
        }
        yield from children(self._reader, end, handlers)
        first, each = self._last_run
        self._track.chunk_samples += max(0, self._track.chunks - first + 1) * each

    def _inside(self, handlers: Mapping[bytes, Handler]) -> Handler:
        return lambda end: children(self._reader, end, handlers)

    def _head(self, end: int) -> Steps[None]:
        layout = _TRACK_ID.get((yield from version(self._reader, end)), _TRACK_ID[0])
        self._track.track_id = (yield from fields(self._reader, end, layout))[2]

    def _clock(self, end: int) -> Steps[None]:
        self._track.timescale, self._track.claimed_ticks = yield from times(self._reader, end)

    def _handler(self, end: int) -> Steps[None]:
        yield from version(self._reader, end)
        _, kind = _HANDLER.unpack((yield from self._reader.take(_HANDLER.size)))
        self._track.handler = kind

    def _edits(self, end: int) -> Steps[None]:
        layout = _EDITS.get((yield from version(self._reader, end)), _EDITS[0])
        count = yield from self._reader.number(4)
        if count > MAX_EDITS:
            raise Refused(Code.MEDIA_TOO_COMPLEX, f"{count} edits")
        self._fits(count * layout.size, end)
        rows = layout.iter_unpack((yield from self._reader.take(count * layout.size)))
        track = self._track
        for claimed, start, _ in rows:
            track.edits += 1
            duration = 0 if claimed in _UNKNOWN else claimed
            if start < -1:
                raise corrupt("an edit before the beginning")
            if start == -1:
                track.delayed_ticks += duration
            else:
                track.played_ticks += duration

    def _descriptions(self, end: int) -> Steps[None]:
        _, count = yield from fields(self._reader, end, _COUNT)
        size = end - self._reader.position
        if count > _MOST_DESCRIPTIONS or size > MAX_DESCRIPTION_BYTES:
            raise Refused(Code.MEDIA_TOO_COMPLEX, f"{count} sample descriptions of {size} bytes")
        self._track.description = yield from self._reader.take(size)

    def _fits(self, size: int, end: int) -> None:
        if size > end - self._reader.position:
            raise corrupt(f"a table of {size} bytes in a box of {end - self._reader.position}")

    def _rows(self, end: int, width: int, see: Callable[["array[int]"], None], kind: str = "I") -> Steps[None]:
        """A table of `width` numbers a row, after its count."""
        _, count = yield from fields(self._reader, end, _COUNT)
        unit = width * array(kind).itemsize
        self._fits(count * unit, end)
        if count > MAX_PACKETS:
            raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"a table of {count} rows")
        yield from self._reader.table(count * unit, unit, see, kind)

    def _see_times(self, rows: "array[int]") -> None:
        counts, ticks = rows[0::2], rows[1::2]
        if max(ticks) >= _NEGATIVE:
            ticks = array("I", (1 if one >= _NEGATIVE else one for one in ticks))
        track = self._track
        track.runs += len(counts)
        track.timed += sum(counts)
        track.ticks += sum(map(mul, counts, ticks))
        track.last_ticks = ticks[-1] if counts[-1] else 0

    def _see_offsets(self, rows: "array[int]") -> None:
        self._shifted += sum(rows[0::2])
        if self._shifted > MAX_PACKETS:
            raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"{self._shifted} samples out of order")

    def _see_runs(self, rows: "array[int]") -> None:
        firsts, each = [self._last_run[0], *rows[0::3]], [self._last_run[1], *rows[1::3]]
        chunks = map(max, starmap(sub, zip(firsts[1:], firsts, strict=False)), [0] * len(firsts))
        self._track.chunk_samples += sum(map(mul, chunks, each))
        self._last_run = firsts[-1], each[-1]

    def _sizes(self, end: int) -> Steps[None]:
        track, reader = self._track, self._reader
        _, track.sample_bytes, track.samples = yield from fields(reader, end, _SIZES)
        if track.sample_bytes:
            return
        self._fits(track.samples * 4, end)
        if track.samples > MAX_PACKETS:
            raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"{track.samples} samples")
        yield from reader.table(track.samples * 4, 4, self._see_sizes)

    def _see_sizes(self, sizes: "array[int]") -> None:
        self._track.stored_bytes += sum(sizes)

    def _compact_sizes(self, end: int) -> Steps[None]:
        _, width, self._track.samples = yield from fields(self._reader, end, _SIZES)
        if width & 0xFF not in (4, 8, 16):
            raise corrupt(f"sample sizes of {width & 0xFF} bits")
        self._fits((self._track.samples * (width & 0xFF) + 7) // 8, end)

    def _see_chunks(self, offsets: "array[int]") -> None:
        self._track.chunks += len(offsets)
        if max(offsets) > self._reader.size:
            self._track.beyond_end = True

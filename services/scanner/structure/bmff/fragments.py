"""Movie fragments: ISO/IEC 14496-12, 8.8."""

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

from services.scanner.structure.bmff.boxes import children, fields
from services.scanner.structure.bmff.track import Track
from services.scanner.structure.reading import Reader, Steps, corrupt

_ID = struct.Struct(">II")
_DEFAULTS = struct.Struct(">IIIIII")  # flags, track, description, duration, size, flags
_NUMBER = struct.Struct(">I")
_TIME = {0: struct.Struct(">I"), 1: struct.Struct(">Q")}
# tfhd's and trun's flags: which fields there are, in this order.
_TFHD_FIELDS = ((0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4), (0x20, 4))
_DURATION, _SIZE = 0x8, 0x10
_TRUN_HEAD = ((0x1, 4), (0x4, 4))
_TRUN_ROW = (0x100, 0x200, 0x400, 0x800)
_ROW_DURATION, _ROW_SIZE = 0x100, 0x200


@dataclass(frozen=True, slots=True)
class Defaults:
    """Of samples that do not say."""

    ticks: int = 0
    size: int = 0


class Fragments:
    """Counts what fragments add to `tracks`, by their ids."""

    def __init__(self, reader: Reader, tracks: Mapping[int, Track]) -> None:
        self._reader = reader
        self._tracks = tracks
        self._movie: dict[int, Defaults] = {}
        self._track = Track()
        self._defaults = Defaults()
        self._at: int | None = None

    def defaults(self, end: int) -> Steps[None]:
        """`trex`."""
        _, track_id, _, ticks, size, _ = yield from fields(self._reader, end, _DEFAULTS)
        self._movie[track_id] = Defaults(ticks, size)

    def read(self, end: int) -> Steps[None]:
        """`moof`."""
        yield from children(self._reader, end, {b"traf": self._traf})

    def _traf(self, end: int) -> Steps[None]:
        handlers = {b"tfhd": self._head, b"tfdt": self._time, b"trun": self._run}
        self._track, self._at = Track(), None
        yield from children(self._reader, end, handlers)

    def _head(self, end: int) -> Steps[None]:
        flags, track_id = yield from fields(self._reader, end, _ID)
        # An unknown track's fragments are nobody's: FFmpeg passes them over too.
        self._track = self._tracks.get(track_id, self._track)
        known = self._movie.get(track_id, Defaults())
        found = {}
        for flag, size in _TFHD_FIELDS:
            if flags & flag:
                found[flag] = yield from self._reader.number(size)
        self._defaults = Defaults(found.get(_DURATION, known.ticks), found.get(_SIZE, known.size))

    def _time(self, end: int) -> Steps[None]:
        (full,) = yield from fields(self._reader, end, _NUMBER)
        (self._at,) = yield from fields(self._reader, end, _TIME.get(full >> 24, _TIME[0]))

    def _run(self, end: int) -> Steps[None]:
        flags, count = yield from fields(self._reader, end, _ID)
        yield from self._reader.skip(sum(size for flag, size in _TRUN_HEAD if flags & flag))
        columns = [flag for flag in _TRUN_ROW if flags & flag]
        width = len(columns)
        if count * width * 4 > end - self._reader.position:
            raise corrupt(f"a run of {count} samples in {end - self._reader.position} bytes")
        ticks, size, last = 0, 0, self._defaults.ticks

        def see(rows: "array[int]") -> None:
            nonlocal ticks, size, last
            if flags & _ROW_DURATION:
                durations = rows[columns.index(_ROW_DURATION) :: width]
                ticks, last = ticks + sum(durations), durations[-1]
            if flags & _ROW_SIZE:
                size += sum(rows[columns.index(_ROW_SIZE) :: width])

        if width:
            yield from self._reader.table(count * width * 4, width * 4, see)
        if not flags & _ROW_DURATION:
            ticks = count * self._defaults.ticks
        if not flags & _ROW_SIZE:
            size = count * self._defaults.size
        self._add(count, ticks, last, size)

    def _add(self, count: int, ticks: int, last: int, size: int) -> None:
        track = self._track
        if size > self._reader.size:
            raise corrupt(f"a run of {size} bytes in a file of {self._reader.size}")
        track.samples += count
        start = track.ends_at if self._at is None else self._at
        self._at = start + ticks
        track.begins_at = start if track.begins_at is None else min(track.begins_at, start)
        track.ends_at = max(track.ends_at, start + ticks - last)

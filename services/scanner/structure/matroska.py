"""WebM: RFC 9559 (Matroska). Elements up to the end, blocks counted, times measured.

Recorders that stream leave the sizes of segments and clusters open; such an element ends where one begins that cannot
be in it. What is in clusters and groups is therefore read as one flat row.
"""

import math

from services.common.errors import Code
from services.scanner.structure.ceilings import (
    MAX_AUDIO_CHANNELS,
    MAX_AUDIO_RATE_HZ,
    MAX_DURATION_S,
    MAX_FPS,
    MAX_PACKETS,
    MAX_STREAMS,
    MAX_VIDEO_EDGE_PX,
)
from services.scanner.structure.ebml import element_id, floating, known_size, open_size, unsigned
from services.scanner.structure.reading import Reader, Refused, Steps, corrupt

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_INFO, _TRACKS, _TAGS, _ATTACHMENTS, _CHAPTERS = 0x1549A966, 0x1654AE6B, 0x1254C367, 0x1941A469, 0x1043A770
_TIMESTAMP_SCALE, _DURATION = 0x2AD7B1, 0x4489
_TRACK, _TRACK_NUMBER, _TRACK_TYPE, _VIDEO, _AUDIO = 0xAE, 0xD7, 0x83, 0xE0, 0xE1
_WIDTH, _HEIGHT, _RATE, _CHANNELS = 0xB0, 0xBA, 0xB5, 0x9F
_TIMESTAMP, _SIMPLE_BLOCK, _GROUP, _BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
_ENTERED = frozenset((_SEGMENT, _CLUSTER, _GROUP))  # a recording that was put together has several segments
_METADATA = frozenset((_TAGS, _ATTACHMENTS, _CHAPTERS))
_BLOCKS = frozenset((_SIMPLE_BLOCK, _BLOCK))
_PICTURE, _SOUND = 1, 2
_LACED = 0x06
_BLOCK_HEAD_BYTES = 12  # track number, time, flags, and the count of laced frames
_USUAL_BLOCK_BYTES = 9  # at least: id, size of up to 4 bytes, track, time, flags
_SURELY_TOO_FAST = 2 * MAX_FPS
_LEAST_SPAN_S = 0.001
_NS = 1_000_000_000


def walk(reader: Reader) -> Steps[None]:
    """Raises Refused."""
    yield from _Film(reader).read()


class _Track:
    """kind: Matroska's track type. Pixels; the sound's defaults are Matroska's."""

    def __init__(self) -> None:
        self.number = self.kind = self.width = self.height = 0
        self.rate_hz, self.channels = 8000.0, 1
        self.frames = 0
        self.first: int | None = None  # ticks
        self.last = 0


class _Film:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._tracks: list[_Track] = []
        self._by_number: dict[int, _Track] = {}
        self._scale_ns = 1_000_000
        self._claimed = 0.0
        self._at = 0  # ticks, of the cluster
        self._frames = 0
        self._other = _Track()

    def read(self) -> Steps[None]:
        """The header, one segment, and whatever stands behind it."""
        if (yield from element_id(self._reader)) != _EBML:
            raise corrupt("no EBML")
        yield from self._reader.skip((yield from known_size(self._reader, self._reader.size)))
        while (yield from element_id(self._reader)) != _SEGMENT:
            yield from self._reader.skip((yield from known_size(self._reader, self._reader.size)))
        size = yield from open_size(self._reader)
        end = self._reader.size if size is None else self._reader.position + size
        if end > self._reader.size:
            raise corrupt("the segment is cut off")
        yield from self._segment(end)
        self._check()

    def _segment(self, end: int) -> Steps[None]:
        cluster_end = end
        while self._reader.position < end:
            if self._reader.position >= cluster_end:
                cluster_end = end
            self._simple_blocks(cluster_end)
            if self._reader.position >= cluster_end:
                continue
            element = yield from element_id(self._reader)
            if element in _ENTERED:
                self._reader.part()
                size = yield from open_size(self._reader)
                outer_end = cluster_end if element == _GROUP else end
                inner_end = outer_end if size is None else self._reader.position + size
                if inner_end > outer_end:
                    raise corrupt("a cluster is cut off")
                cluster_end = cluster_end if element == _GROUP else inner_end
                continue
            size = yield from known_size(self._reader, end)
            if element in _BLOCKS:
                yield from self._block(size)
                continue
            self._reader.part()
            yield from self._plain(element, size)

    def _plain(self, element: int, size: int) -> Steps[None]:
        """Whatever is neither a cluster nor in one, and a cluster's time."""
        if element == _TIMESTAMP:
            self._at = yield from unsigned(self._reader, size)
        elif element == _INFO:
            yield from self._info(self._reader.position + size)
        elif element == _TRACKS:
            yield from self._each_track(self._reader.position + size)
        else:
            if element in _METADATA:
                self._reader.metadata(size)
            yield from self._reader.skip(size)

    def _info(self, end: int) -> Steps[None]:
        while self._reader.position < end:
            self._reader.part()
            element = yield from element_id(self._reader)
            size = yield from known_size(self._reader, end)
            if element == _TIMESTAMP_SCALE:
                self._scale_ns = yield from unsigned(self._reader, size)
            elif element == _DURATION:
                self._claimed = yield from floating(self._reader, size)
            else:
                yield from self._reader.skip(size)

    def _each_track(self, end: int) -> Steps[None]:
        while self._reader.position < end:
            self._reader.part()
            element = yield from element_id(self._reader)
            size = yield from known_size(self._reader, end)
            if element != _TRACK:
                yield from self._reader.skip(size)
                continue
            track = _Track()
            self._tracks.append(track)
            if len(self._tracks) > MAX_STREAMS:
                raise Refused(Code.MEDIA_TOO_COMPLEX, f"more than {MAX_STREAMS} tracks")
            yield from self._track(track, self._reader.position + size)
            self._by_number[track.number] = track

    def _track(self, track: _Track, end: int) -> Steps[None]:
        while self._reader.position < end:
            self._reader.part()
            element = yield from element_id(self._reader)
            size = yield from known_size(self._reader, end)
            if element in (_VIDEO, _AUDIO):
                continue  # their children, as if they were the track's
            if element == _RATE:
                track.rate_hz = yield from floating(self._reader, size)
                continue
            if element not in (_TRACK_NUMBER, _TRACK_TYPE, _WIDTH, _HEIGHT, _CHANNELS):
                yield from self._reader.skip(size)
                continue
            value = yield from unsigned(self._reader, size)
            if element == _TRACK_NUMBER:
                track.number = value
            elif element == _TRACK_TYPE:
                track.kind = value
            elif element == _WIDTH:
                track.width = value
            elif element == _HEIGHT:
                track.height = value
            else:
                track.channels = value

    def _simple_blocks(self, end: int) -> None:
        """Those that lie ahead whole and in the usual form: there may be two million. `_block` counts all others."""
        data, at = self._reader.window()
        last = min(len(data), at + end - self._reader.position)
        while at + _USUAL_BLOCK_BYTES <= last and data[at] == _SIMPLE_BLOCK:
            width = 9 - data[at + 1].bit_length()
            if width > 4:
                break
            body = at + 1 + width
            size = int.from_bytes(data[at + 1 : body], "big") & ((1 << 7 * width) - 1)
            after = body + size
            if size < 4 or after > last or size == (1 << 7 * width) - 1:
                break
            if data[body] < 0x80 or data[body + 3] & _LACED:
                break
            self._count(data[body] & 0x7F, int.from_bytes(data[body + 1 : body + 3], "big", signed=True), 1)
            at = after
        self._reader.move(at)

    def _count(self, number: int, offset: int, frames: int) -> None:
        self._frames += frames
        if self._frames > MAX_PACKETS:
            raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"more than {MAX_PACKETS} frames")
        track = self._by_number.get(number, self._other)
        track.frames += frames
        at = self._at + offset
        if track.first is None or at < track.first:
            track.first = at
        if at > track.last:
            track.last = at

    def _block(self, size: int) -> Steps[None]:
        """Counts its frames and notes its time."""
        head = yield from self._reader.take(min(size, _BLOCK_HEAD_BYTES))
        width = 9 - head[0].bit_length() if head else 9
        if width > 8 or len(head) < width + 3:
            raise corrupt(f"a block of {size} bytes")
        number = int.from_bytes(head[:width], "big") & ((1 << 7 * width) - 1)
        laced = head[width + 2] & _LACED and len(head) > width + 3
        offset = int.from_bytes(head[width : width + 2], "big", signed=True)
        self._count(number, offset, head[width + 3] + 1 if laced else 1)
        yield from self._reader.skip(size - len(head))

    def _check(self) -> None:
        pictures = [track for track in self._tracks if track.kind == _PICTURE]
        sounds = [track for track in self._tracks if track.kind == _SOUND]
        if not pictures or not self._frames:
            raise corrupt("no picture track" if not pictures else "no frames")
        if not math.isfinite(self._claimed) or self._claimed * self._scale_ns > MAX_DURATION_S * _NS:
            raise Refused(Code.MEDIA_DURATION_EXCEEDED, f"{self._claimed} ticks of {self._scale_ns} ns")
        for track in (*pictures, *sounds):
            span_s = (track.last - (track.first or 0)) * self._scale_ns / _NS
            if span_s > MAX_DURATION_S:
                raise Refused(Code.MEDIA_DURATION_EXCEEDED, f"{span_s:.0f} s")
            rate = (track.frames - 1) / max(span_s, _LEAST_SPAN_S)
            if track.kind == _PICTURE and track.frames > 2 and rate > _SURELY_TOO_FAST:
                raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"{rate:.0f} frames a second")
        if max(pictures[0].width, pictures[0].height) > MAX_VIDEO_EDGE_PX:
            raise Refused(Code.MEDIA_DIMENSIONS_EXCEEDED, f"{pictures[0].width} x {pictures[0].height}")
        if sounds and not any(
            0 < track.channels <= MAX_AUDIO_CHANNELS and 0 < track.rate_hz <= MAX_AUDIO_RATE_HZ for track in sounds
        ):
            raise Refused(Code.MEDIA_TOO_COMPLEX, f"{sounds[0].channels} channels at {sounds[0].rate_hz} Hz")

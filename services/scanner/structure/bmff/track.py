"""What one track says of itself, and whether that is too much."""

import math
import struct
from dataclasses import dataclass

from services.common.errors import Code
from services.scanner.structure.ceilings import (
    MAX_AUDIO_CHANNELS,
    MAX_AUDIO_RATE_HZ,
    MAX_DURATION_S,
    MAX_FPS,
    MAX_PACKETS,
)
from services.scanner.structure.reading import Refused, corrupt

PICTURE, SOUND, STILL = b"vide", b"soun", b"pict"
SHOWN = frozenset((PICTURE, SOUND))

_LEAST_SPAN_S = 0.001
_SURELY_TOO_FAST = 2 * MAX_FPS  # between the two only the decoder's count of frames decides
_DENSEST_PACKING = 8  # old codecs count samples of one byte and store less than one
_CHUNKED_SAMPLES = 512  # FFmpeg reads so many uncompressed samples at once, at least,
_LONG_PACKET = 160  # but for codecs whose packets are longer


@dataclass(frozen=True, slots=True)
class Picture:
    """One visual sample description. Pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sound:
    """One audio sample description. packet_samples: 0 unless it says."""

    channels: int
    rate_hz: float
    packet_samples: int = 0

    @property
    def playable(self) -> bool:
        """0 Hz means that the rate does not fit its field: the codec tells it."""
        return 0 < self.channels <= MAX_AUDIO_CHANNELS and 0 <= self.rate_hz <= MAX_AUDIO_RATE_HZ


@dataclass(slots=True)
class Track:
    """Counted while its boxes come by. Ticks are of its own timescale."""

    track_id: int = 0
    handler: bytes = b""
    timescale: int = 0
    claimed_ticks: int = 0
    description: bytes = b""
    samples: int = 0
    sample_bytes: int = 0  # of each, where all are the same size
    stored_bytes: int = 0  # of all, where they differ
    timed: int = 0
    runs: int = 0
    ticks: int = 0
    last_ticks: int = 0
    chunks: int = 0
    chunk_samples: int = 0
    beyond_end: bool = False
    edits: int = 0
    played_ticks: int = 0  # of the movie's timescale
    delayed_ticks: int = 0  # of the movie's timescale
    begins_at: int | None = None  # in fragments
    ends_at: int = 0

    @property
    def in_chunks(self) -> bool:
        """Uncompressed sound, of which FFmpeg makes packets by chunk: it may count millions of samples."""
        return (
            self.handler == SOUND and self.sample_bytes > 0 and self.runs == 1 and self.ticks == self.timed > self.runs
        )

    def span_s(self) -> float:
        """From the first sample to the last."""
        first = 0 if self.timed or self.begins_at is None else self.begins_at
        return max(self.ends_at, self.ticks - self.last_ticks, first) / self.timescale - first / self.timescale

    def pictures(self) -> list[Picture]:
        """All its visual descriptions."""
        return [Picture(*struct.unpack_from(">HH", one, 32)) for one in _descriptions(self.description, 36)]

    def sounds(self) -> list[Sound]:
        """All its audio descriptions."""
        return [_sound(one) for one in _descriptions(self.description, 36)]


def check(track: Track, file_bytes: int) -> None:
    """Refuses a track that costs more than its bytes are worth, or lasts too long."""
    _check_samples(track, file_bytes)
    if track.handler not in SHOWN:
        return
    if not track.timescale:
        raise corrupt("a track without a clock")
    if track.beyond_end:
        raise corrupt("a track's bytes lie behind the end of the file")
    span_s = track.span_s()
    if max(span_s, track.claimed_ticks / track.timescale) > MAX_DURATION_S:
        raise Refused(Code.MEDIA_DURATION_EXCEEDED, f"a track of {span_s:.0f} s")
    if track.handler == PICTURE and track.samples > 2:
        rate = (track.samples - 1) / max(span_s, _LEAST_SPAN_S)
        if rate > _SURELY_TOO_FAST:
            raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"{rate:.0f} frames a second")


def check_edits(track: Track, movie_timescale: int) -> None:
    """Refuses edits that make a long film of a short one."""
    if not track.edits or not movie_timescale or track.handler not in SHOWN:
        return
    if track.delayed_ticks / movie_timescale > MAX_DURATION_S:
        raise Refused(Code.MEDIA_DURATION_EXCEEDED, "it begins too late")
    if track.edits > 1 and track.played_ticks / movie_timescale > MAX_DURATION_S:
        raise Refused(Code.MEDIA_DURATION_EXCEEDED, "it repeats itself for too long")


def _check_samples(track: Track, file_bytes: int) -> None:
    size = track.stored_bytes or track.samples * track.sample_bytes
    packing = _DENSEST_PACKING if track.in_chunks and track.sample_bytes == 1 else 1
    if size > file_bytes * packing:
        raise corrupt(f"{track.samples} samples of {size} bytes in a file of {file_bytes}")
    packets = max(track.samples, track.timed)
    if track.in_chunks:
        longest = max((sound.packet_samples for sound in track.sounds()), default=0)
        at_once = longest if longest >= _LONG_PACKET else _CHUNKED_SAMPLES
        packets = track.chunks + max(track.samples, track.chunk_samples) // at_once
    if packets > MAX_PACKETS:
        raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"{packets} samples")


def _descriptions(data: bytes, least: int) -> list[bytes]:
    """The sample descriptions that are whole."""
    found, at = [], 0
    while len(data) - at >= least:
        size = int.from_bytes(data[at : at + 4], "big")
        if not least <= size <= len(data) - at:
            break
        found.append(data[at : at + size])
        at += size
    return found


def _sound(entry: bytes) -> Sound:
    """Of version 0, or QuickTime's 1 and 2."""
    version, channels, rate = (int.from_bytes(entry[at : at + size], "big") for at, size in ((16, 2), (24, 2), (32, 4)))
    if version == 2 and len(entry) >= 52:
        exact = struct.unpack_from(">d", entry, 40)[0]
        return Sound(int.from_bytes(entry[48:52], "big"), exact if math.isfinite(exact) else math.inf)
    packet = int.from_bytes(entry[36:40], "big") if version == 1 else 0
    return Sound(channels, rate / 65536, packet)

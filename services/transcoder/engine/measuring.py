"""What a film is, measured: nothing a container claims is believed where its packets can be counted."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.common.errors import Code
from services.transcoder.domain.ceilings import MAX_DURATION_S, MAX_FPS, MAX_PACKETS
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import film
from services.transcoder.engine.film import Source

_HDR = {16: "pq", 18: "hlg"}  # transfer characteristics, ITU-T H.273
# Dolby Vision without a base layer that others can read.
_DOLBY_TAGS = ("dvh1", "dvhe", "dav1")
# One frame stands as long as the others: within a millisecond, which is as exact as WebM's clock.
_EVEN_S = 0.00101
# ITU-T H.264, table 7-1.
_SLICE, _IDR_SLICE = 1, 5


def probe(path: Path, content_type: str) -> Probe:
    """Measures a film: every packet's time, and the looks of its first frame. Raises InputFault."""
    with film.opened(path, content_type, threads=1) as source:
        headers = _Headers.of(source.picture)
        clock = _Clock.of(source, headers)
        first = film.first_frame(source)
        return _probe(source, clock, headers, first, path.stat().st_size, film.DEMUXERS[content_type])


@dataclass(frozen=True, slots=True)
class _Headers:
    """What an H.264 track in a container says of itself (ISO/IEC 14496-15, 5.3.3.1); zeros for others.

    length_bytes: of the length before every unit of a packet.
    """

    level: int = 0
    length_bytes: int = 0

    @classmethod
    def of(cls, picture: VideoStream) -> "_Headers":
        said = picture.codec_context.extradata or b""
        if picture.codec_context.name != "h264" or len(said) < 7 or said[0] != 1:
            return cls()
        return cls(level=said[3], length_bytes=(said[4] & 3) + 1)

    def closes(self, key: "Packet[Stream]") -> bool:
        """Whether it is known that nothing behind this key frame looks past it: it is an IDR picture."""
        data, at = memoryview(key), 0
        while self.length_bytes and at + self.length_bytes < len(data):
            size = int.from_bytes(data[at : at + self.length_bytes], "big")
            kind: int = data[at + self.length_bytes] & 0x1F
            if kind in (_SLICE, _IDR_SLICE):
                return kind == _IDR_SLICE
            at += self.length_bytes + size
        return False


@dataclass(slots=True)
class _Tally:
    """Of the frames that are shown, in the order of their packets: when, on the track's clock, and their bytes."""

    times: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    last_duration: int = 0
    hidden: int = 0
    closed: bool = True
    sound_bytes: int = 0

    @classmethod
    def of(cls, source: Source, headers: _Headers) -> "_Tally":
        found = cls()
        for n, packet in enumerate(source.container.demux(*source.tracks)):
            if n >= MAX_PACKETS:
                raise InputFault(Code.MEDIA_FRAMES_EXCEEDED, f"more than {MAX_PACKETS} packets")
            if not packet.size:
                continue  # the end of a track
            if packet.stream is source.picture:
                found._add(packet, headers)
            else:
                found.sound_bytes += packet.size
        return found

    def _add(self, packet: "Packet[Stream]", headers: _Headers) -> None:
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None:
            raise InputFault(Code.MEDIA_CORRUPT, "a frame without a time")
        if packet.is_discard:
            self.hidden += 1
            return
        self.times.append(at)
        self.sizes.append(packet.size)
        if packet.is_keyframe:
            self.keys.append(at)
            self.closed = self.closed and headers.closes(packet)
        self.last_duration = packet.duration or 0


@dataclass(frozen=True, slots=True)
class _Clock:
    """When frames are shown. Seconds; `gaps` between neighbours."""

    frames: int
    duration_s: float
    max_gap_s: float
    min_gap_s: float
    max_key_gap_s: float
    closed_groups: bool
    trimmed: bool
    peak_bit_rate: int
    sound_bytes: int

    @classmethod
    def of(cls, source: Source, headers: _Headers) -> "_Clock":
        base = source.picture.time_base
        assert base is not None
        tally = _Tally.of(source, headers)
        count, claimed = len(tally.times), source.picture.frames
        if not count:
            raise InputFault(Code.MEDIA_CORRUPT, "no frames")
        if claimed > count + tally.hidden:
            raise InputFault(Code.MEDIA_CORRUPT, f"{count + tally.hidden} of {claimed} frames are there")
        at = np.array(tally.times, dtype=np.int64)
        times = np.sort(at)
        gaps = np.diff(times) * float(base)
        key_times = np.sort(np.array([*tally.keys, times[-1]], dtype=np.int64))
        last = float(np.median(gaps)) if len(gaps) else tally.last_duration * float(base)
        duration = float(times[-1] - times[0]) * float(base) + last
        if duration > MAX_DURATION_S:
            raise InputFault(Code.MEDIA_DURATION_EXCEEDED, f"{duration:.0f} s")
        seconds = np.bincount(((at - times[0]) * float(base)).astype(np.int64), weights=tally.sizes)
        return cls(
            frames=count,
            duration_s=duration,
            max_gap_s=float(gaps.max()) if len(gaps) else last,
            min_gap_s=float(gaps.min()) if len(gaps) else last,
            max_key_gap_s=float(np.diff(key_times).max()) * float(base) if len(key_times) > 1 else duration,
            closed_groups=tally.closed,
            trimmed=tally.hidden > 0 or not tally.keys or tally.keys[0] > int(times[0]),
            peak_bit_rate=int(seconds.max() * 8),
            sound_bytes=tally.sound_bytes,
        )


def _probe(
    source: Source, clock: _Clock, headers: _Headers, first: VideoFrame, size_bytes: int, container: str
) -> Probe:
    context = source.picture.codec_context
    duration = max(clock.duration_s, 0.001)
    fps = clock.frames / duration
    if fps > MAX_FPS + 1:
        raise InputFault(Code.MEDIA_FRAMES_EXCEEDED, f"{fps:.0f} frames a second")
    # PyAV tells the turn against the clock.
    rotation = -round(first.rotation / 90) * 90 % 360
    ratio = source.picture.sample_aspect_ratio or context.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, 16) <= ratio <= 16:
        ratio = Fraction(1)
    width, height = round(first.width * float(ratio)), first.height
    if rotation in (90, 270):
        width, height = height, width
    sound = source.sound.codec_context if source.sound else None
    hdr = "dolby" if context.codec_tag in _DOLBY_TAGS else _HDR.get(int(first.color_trc), "")
    return Probe(
        kind="video",
        container=container,
        codec="av1" if context.name == "libdav1d" else context.name,
        width=max(1, width),
        height=max(1, height),
        coded_width=first.width,
        coded_height=first.height,
        size_bytes=size_bytes,
        rotation=rotation,
        frames=clock.frames,
        duration_s=duration,
        fps=_nominal(source.picture, fps),
        max_gap_s=clock.max_gap_s,
        max_key_gap_s=clock.max_key_gap_s,
        constant_rate=clock.max_gap_s - clock.min_gap_s <= 2 * _EVEN_S,
        closed_groups=clock.closed_groups,
        trimmed=clock.trimmed,
        pix_fmt=first.format.name,
        profile=context.profile or "",
        level=headers.level,
        interlaced=bool(first.interlaced_frame),
        square=ratio == 1,
        hdr=hdr,
        bit_rate=int(size_bytes * 8 / duration),
        peak_bit_rate=clock.peak_bit_rate,
        has_audio=sound is not None,
        audio_codec=sound.name.removesuffix("float").removeprefix("lib") if sound else "",
        audio_profile=(sound.profile or "") if sound else "",
        audio_channels=sound.channels if sound else 0,
        audio_rate=sound.sample_rate if sound else 0,
        audio_bit_rate=int(clock.sound_bytes * 8 / duration),
        other_streams=len(source.container.streams) - len(source.tracks),
        has_extras=True,
        standard_color=_is_standard(first),
    )


def _nominal(stream: VideoStream, measured: float) -> float:
    """The rate the container names, where the frames agree with it: it is exact, and a count is not."""
    for named in (stream.average_rate, stream.guessed_rate):
        if named and abs(float(named) - measured) < 0.02 * measured:
            return float(named)
    return measured


def _is_standard(frame: VideoFrame) -> bool:
    """BT.709 or nothing said, and limited range: what copies may keep."""
    said = (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc))
    return all(one in (film.BT709, film.UNSPECIFIED) for one in said) and int(frame.color_range) != film.FULL_RANGE

"""Films: opened with the one demuxer their first bytes named, and measured packet by packet.

Nothing a container claims is believed where its packets can be counted. Neither protocols nor other demuxers can be
reached from a file, and no decoder but those named here.
"""

import errno
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.common.errors import Code
from services.transcoder.domain.ceilings import (
    MAX_AUDIO_CHANNELS,
    MAX_AUDIO_RATE_HZ,
    MAX_DURATION_S,
    MAX_FPS,
    MAX_PACKETS,
    MAX_STREAMS,
    MAX_VIDEO_EDGE_PX,
    MAX_VIDEO_PX,
)
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import InputFault

_DEMUXERS = {"video/mp4": "mov", "video/quicktime": "mov", "video/webm": "matroska"}
_PICTURE_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "prores", "mjpeg"})
_SOUND_CODECS = frozenset(
    {"aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "ac3", "eac3", "alac", "flac"}
    | {
        f"pcm_{kind}"
        for kind in ("s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be", "alaw", "mulaw")
    }
)
_HDR = {16: "pq", 18: "hlg"}  # transfer characteristics, ITU-T H.273
# Of colour properties: H.273, and FFmpeg's range.
BT709, UNSPECIFIED, FULL_RANGE = 1, 2, 2
# Dolby Vision without a base layer that others can read.
_DOLBY_TAGS = ("dvh1", "dvhe", "dav1")
# One frame stands as long as the others: within a millisecond, which is as exact as WebM's clock.
_EVEN_S = 0.00101
# A frame is stored at most so many places before one that is shown earlier: H.264's largest picture buffer.
MOST_REORDERED = 16
# What FFmpeg raises on damaged files by way of PyAV, and nothing else does.
_DAMAGED = (av.error.FFmpegError, OSError, ValueError, EOFError, AttributeError, IndexError, NotImplementedError)


@contextmanager
def faults() -> Iterator[None]:
    """Whatever a decoder says of a file is the file's fault, never ours."""
    try:
        yield
    except MemoryError as exc:
        raise InputFault(Code.MEDIA_TOO_COMPLEX, "out of memory") from exc
    except _DAMAGED as exc:
        if getattr(exc, "errno", None) == errno.ENOSPC:
            raise  # the one failure that is about us
        raise InputFault(Code.MEDIA_CORRUPT, f"{type(exc).__name__}: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Source:
    """An open film. sound: its first audible track, None without."""

    container: InputContainer
    picture: VideoStream
    sound: AudioStream | None


@contextmanager
def opened(path: Path, content_type: str) -> Iterator[Source]:
    """Opens a film for reading.

    Raises:
        InputFault: It cannot be read, or holds what no decoder here takes.
    """
    with path.open("rb") as file, faults():
        container = av.open(
            file,
            "r",
            format=_DEMUXERS[content_type],
            metadata_errors="replace",
            buffer_size=1 << 20,
            options={"protocol_whitelist": "none", "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"},
        )
        with closing(container):
            yield _source(container)


def _source(container: InputContainer) -> Source:
    if len(container.streams) > MAX_STREAMS:
        raise InputFault(Code.MEDIA_TOO_COMPLEX, f"{len(container.streams)} tracks")
    pictures = [stream for stream in container.streams.video if not _attached(stream)]
    if not pictures:
        raise InputFault(Code.MEDIA_CORRUPT, "no picture track")
    picture = pictures[0]
    context = picture.codec_context
    if context is None or context.name not in _PICTURE_CODECS:
        raise InputFault(Code.MEDIA_TYPE_UNSUPPORTED, f"codec {context.name if context else 'unknown'}")
    if max(context.width, context.height) > MAX_VIDEO_EDGE_PX:
        raise InputFault(Code.MEDIA_DIMENSIONS_EXCEEDED, f"{context.width} x {context.height}")
    # Only here does FFmpeg heed it; a stream may grow larger than its container says.
    context.options = {"max_pixels": str(MAX_VIDEO_PX)}
    context.thread_type = "AUTO"
    return Source(container, picture, _sound(container))


def _attached(stream: VideoStream) -> bool:
    return "attached_pic" in stream.disposition.name.lower() if stream.disposition.name else False


def _sound(container: InputContainer) -> AudioStream | None:
    audible = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if not container.streams.audio:
        return None
    known = [stream for stream in audible if stream.codec_context.name in _SOUND_CODECS]
    if not known:
        raise InputFault(Code.MEDIA_TYPE_UNSUPPORTED, "no sound track in a codec that is taken")
    context = known[0].codec_context
    if not 0 < context.sample_rate <= MAX_AUDIO_RATE_HZ or not 0 < context.channels <= MAX_AUDIO_CHANNELS:
        raise InputFault(Code.MEDIA_TOO_COMPLEX, f"{context.channels} channels at {context.sample_rate} Hz")
    return known[0]


def probe(path: Path, content_type: str) -> Probe:
    """Measures a film: every packet's time, and the looks of its first frame. Raises InputFault."""
    with opened(path, content_type) as source:
        clock = _Clock.of(source)
        first = first_frame(source)
        return _probe(source, clock, first, path.stat().st_size, _DEMUXERS[content_type])


@dataclass(frozen=True, slots=True)
class _Clock:
    """When frames are shown, from their packets. Seconds; `gaps` between neighbours."""

    frames: int
    duration_s: float
    max_gap_s: float
    min_gap_s: float
    max_key_gap_s: float
    trimmed: bool
    sound_bytes: int

    @classmethod
    def of(cls, source: Source) -> "_Clock":
        base = source.picture.time_base
        assert base is not None
        shown: list[int] = []
        keys: list[int] = []
        last_duration = hidden = sound_bytes = packets = 0
        streams = [source.picture] if source.sound is None else [source.picture, source.sound]
        for packet in source.container.demux(*streams):
            packets += 1
            if packets > MAX_PACKETS:
                raise InputFault(Code.MEDIA_FRAMES_EXCEEDED, f"more than {MAX_PACKETS} packets")
            if not packet.size:
                continue  # the end of a track
            if packet.stream is not source.picture:
                sound_bytes += packet.size
                continue
            at = packet.pts if packet.pts is not None else packet.dts
            if at is None:
                raise InputFault(Code.MEDIA_CORRUPT, "a frame without a time")
            if packet.is_discard:
                hidden += 1
                continue
            shown.append(at)
            if packet.is_keyframe:
                keys.append(at)
            last_duration = packet.duration or 0
        if not shown:
            raise InputFault(Code.MEDIA_CORRUPT, "no frames")
        claimed = source.picture.frames
        if claimed > len(shown) + hidden:
            raise InputFault(Code.MEDIA_CORRUPT, f"{len(shown) + hidden} of {claimed} frames are there")
        times = np.sort(np.array(shown, dtype=np.int64))
        gaps = np.diff(times) * float(base)
        key_times = np.sort(np.array([*keys, times[-1]], dtype=np.int64))
        last = float(np.median(gaps)) if len(gaps) else last_duration * float(base)
        duration = float(times[-1] - times[0]) * float(base) + last
        if duration > MAX_DURATION_S:
            raise InputFault(Code.MEDIA_DURATION_EXCEEDED, f"{duration:.0f} s")
        return cls(
            frames=len(shown),
            duration_s=duration,
            max_gap_s=float(gaps.max()) if len(gaps) else last,
            min_gap_s=float(gaps.min()) if len(gaps) else last,
            max_key_gap_s=float(np.diff(key_times).max()) * float(base) if len(key_times) > 1 else duration,
            trimmed=hidden > 0 or not keys or keys[0] > int(times[0]),
            sound_bytes=sound_bytes,
        )


def first_frame(source: Source) -> VideoFrame:
    """The first that is shown. Raises InputFault."""
    source.container.seek(0)
    for frame in source.container.decode(source.picture):
        if frame.width * frame.height > MAX_VIDEO_PX:
            raise InputFault(Code.MEDIA_DIMENSIONS_EXCEEDED, f"{frame.width} x {frame.height}")
        return frame
    raise InputFault(Code.MEDIA_CORRUPT, "no frame can be decoded")


def _probe(source: Source, clock: _Clock, first: VideoFrame, size_bytes: int, container: str) -> Probe:
    context = source.picture.codec_context
    duration = max(clock.duration_s, 0.001)
    fps = clock.frames / duration
    if fps > MAX_FPS + 1:
        raise InputFault(Code.MEDIA_FRAMES_EXCEEDED, f"{fps:.0f} frames a second")
    # PyAV tells the turn against the clock.
    rotation = -round(first.rotation / 90) * 90 % 360
    ratio = source.picture.sample_aspect_ratio or Fraction(1)
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
        trimmed=clock.trimmed,
        pix_fmt=first.format.name,
        profile=context.profile or "",
        interlaced=bool(first.interlaced_frame),
        square=ratio == 1,
        hdr=hdr,
        bit_rate=int(size_bytes * 8 / duration),
        has_audio=sound is not None,
        audio_codec=sound.name.removesuffix("float").removeprefix("lib") if sound else "",
        audio_profile=(sound.profile or "") if sound else "",
        audio_channels=sound.channels if sound else 0,
        audio_rate=sound.sample_rate if sound else 0,
        audio_bit_rate=int(clock.sound_bytes * 8 / duration),
        other_streams=len(source.container.streams) - (2 if sound else 1),
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
    return all(one in (BT709, UNSPECIFIED) for one in said) and int(frame.color_range) != FULL_RANGE


def start_s(source: Source) -> Fraction:
    """When the first frame is shown, on the container's clock, in seconds. Rewinds the film."""
    base, first = source.picture.time_base, None
    assert base is not None
    for n, packet in enumerate(source.container.demux(source.picture)):
        if packet.pts is not None and (first is None or packet.pts < first):
            first = packet.pts
        if n >= MOST_REORDERED:
            break
    source.container.seek(0)
    return (first or 0) * base

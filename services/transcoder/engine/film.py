"""Films: opened with the one demuxer their first bytes named.

Neither protocols nor other demuxers can be reached from a file, and no decoder but those named here.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.common.errors import Code
from services.transcoder.domain.ceilings import (
    MAX_AUDIO_CHANNELS,
    MAX_AUDIO_RATE_HZ,
    MAX_STREAMS,
    MAX_VIDEO_EDGE_PX,
    MAX_VIDEO_PX,
)
from services.transcoder.domain.work import InputFault

DEMUXERS = {"video/mp4": "mov", "video/quicktime": "mov", "video/webm": "matroska"}
_PICTURE_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "prores", "mjpeg"})
_SOUND_CODECS = frozenset(
    {"aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "ac3", "eac3", "alac", "flac"}
    | {
        f"pcm_{kind}"
        for kind in ("s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be", "alaw", "mulaw")
    }
)
# Their decoders' threads, a frame each, wait for one another for ever on some damaged films; threads by slices do not.
_STALLING = frozenset({"hevc"})
_TOLD_BY_HEADERS = frozenset({"h264", "hevc"})
# Of colour properties: H.273, and FFmpeg's range.
IDENTITY, BT709, UNSPECIFIED, FULL_RANGE = 0, 1, 2, 2
# Of the decoder, which takes a fifth of what the encoders do: each holds frames more.
THREADS = 2
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

    @property
    def tracks(self) -> tuple[VideoStream | AudioStream, ...]:
        """Those that count."""
        return (self.picture,) if self.sound is None else (self.picture, self.sound)


@contextmanager
def opened(path: Path, content_type: str, *, threads: int = THREADS) -> Iterator[Source]:
    """Opens a film for reading.

    Args:
        path, content_type: The file.
        threads: Of the decoder. Before the first frame comes out it is given that many, so 1 for whoever wants only it.

    Raises:
        InputFault: It cannot be read, or holds what no decoder here takes.
    """
    with path.open("rb") as file, faults(), closing(_container(file, DEMUXERS[content_type])) as container:
        yield _source(container, threads)


def _container(file: BinaryIO, demuxer: str) -> InputContainer:
    """Open. FFmpeg decodes a key frame at least to learn what a track is like; where index and headers tell, it need
    not."""
    if demuxer == "mov":
        hasty = _demuxed(file, demuxer, {"skip_frame": "all"})
        if all(_told(stream) for stream in hasty.streams.video):
            return hasty
        hasty.close()
        file.seek(0)
    return _demuxed(file, demuxer, {})


def _demuxed(file: BinaryIO, demuxer: str, probing: Mapping[str, str]) -> InputContainer:
    return av.open(
        file,
        "r",
        format=demuxer,
        metadata_errors="replace",
        buffer_size=1 << 20,
        options={
            "protocol_whitelist": "none",
            "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
            **probing,
        },
    )


def _told(stream: VideoStream) -> bool:
    """Whether a container that is read by its index tells all about it: how far its frames are stored from where they
    are shown follows from the index, which a fragmented film has not, and everything else from the headers."""
    context = stream.codec_context
    return _attached(stream) or (context is not None and stream.frames > 0 and context.name in _TOLD_BY_HEADERS)


def _source(container: InputContainer, threads: int) -> Source:
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
    context.thread_type, context.thread_count = "SLICE" if context.name in _STALLING else "AUTO", threads
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


def key_frame(source: Source, packet: "Packet[VideoStream]") -> VideoFrame | None:
    """Decodes a key frame alone: a decoder would hold it back until it saw what follows, each of which costs as well.
    None: there is nothing in it that is shown."""
    frames = [*packet.decode(), *source.picture.decode(None)]
    source.picture.codec_context.flush_buffers()
    for frame in frames:
        frame.time_base = source.picture.time_base  # which nobody tells of what comes out at the end
        return frame
    return None


def first_frame(source: Source) -> VideoFrame:
    """The first key frame, or what is shown first if none can be decoded alone. Rewinds the film. Raises InputFault."""
    source.container.seek(0)
    keys = (packet for packet in source.container.demux(source.picture) if packet.is_keyframe)
    first = next(keys, None)
    frame = None if first is None else key_frame(source, first)
    if frame is None:
        source.container.seek(0)
        frame = next(source.container.decode(source.picture), None)
    if frame is None:
        raise InputFault(Code.MEDIA_CORRUPT, "no frame can be decoded")
    if frame.width * frame.height > MAX_VIDEO_PX:
        raise InputFault(Code.MEDIA_DIMENSIONS_EXCEEDED, f"{frame.width} x {frame.height}")
    return frame


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


def wind(source: Source, at_s: Fraction) -> None:
    """To the last key frame shown no later than that, on the container's clock; to the start where none is found."""
    base = source.picture.time_base
    assert base is not None
    source.container.seek(int(at_s / base), stream=source.picture)
    first = next((one for one in source.container.demux(source.picture) if one.pts is not None), None)
    if first is None or not first.is_keyframe or first.pts is None or first.pts * base > at_s:
        source.container.seek(0)
    else:
        source.container.seek(int(at_s / base), stream=source.picture)

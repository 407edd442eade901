"""What h264_mp4 makes, in segments: each encoded by itself from the key frame before it, and joined by copying.

Every segment begins a group of pictures, of which none looks past its end, and frames are counted from the film's first
picture, so that the same frames are shown as if the film had been encoded at once. Sound is encoded while joining: its
frames do not end where pictures do.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from services.transcoder.domain.films import Mp4
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.segments import Cut, Segment
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import film
from services.transcoder.engine.decoding import Pictures
from services.transcoder.engine.encoder import MUXER, Encoder
from services.transcoder.engine.film import Source
from services.transcoder.engine.sound import Sound, Track, copied
from services.transcoder.recipes.h264_mp4 import finish

# What stands when a segment begins may have been shown before; removing half pictures looks at those around.
MARGIN_S = Fraction(1)


class UnjoinableError(Exception):
    """These segments do not make a whole: encoders differ, or frames are missing."""


def encode(
    path: Path,
    content_type: str,
    probe: Probe,
    wanted: Mapping[Mp4, Path],
    segment: Segment,
    *,
    progress: Callable[[float], None],
) -> None:
    """Writes that segment of every rendition's picture.

    Args:
        path, content_type, probe: The source.
        wanted: Where each goes; one or more, all of the same frame rate.
        progress: Told at each frame what part of the segment is through, 0..1.

    Raises:
        InputFault: The source cannot be decoded to the segment's end.
    """
    rate = next(iter(wanted)).fps
    first, count = segment.frames(rate)
    with film.opened(path, content_type) as source, ExitStack() as stack:
        start_s = film.start_s(source)
        encoders = {one: stack.enter_context(Encoder(one, to)) for one, to in wanted.items()}
        pictures = Pictures(probe, encoders, start_s=start_s, first=first, count=count)
        if first:
            film.wind(source, start_s + first / rate - MARGIN_S)
        for frame in source.container.decode(source.picture):
            pictures.push(frame)
            progress(pictures.part)
            if pictures.full:
                break
        else:
            pictures.end()
        finish(encoders.values())


def join(
    path: Path,
    content_type: str,
    probe: Probe,
    cut: Cut,
    segments: Mapping[Mp4, Sequence[Path]],
    wanted: Mapping[Mp4, Path],
) -> None:
    """Writes every rendition from its segments and the source's sound.

    Args:
        path, content_type, probe: The source.
        cut, segments: How it was cut, and of each rendition all there are, in order.
        wanted: Where each goes.

    Raises:
        UnjoinableError: They must be made anew.
        InputFault: The source's sound cannot be decoded to its end.
    """
    with film.opened(path, content_type) as source:
        start_s = film.start_s(source)
    # Opened anew: wound back, what a sound's decoder needs before its first frame would be missing.
    with film.opened(path, content_type) as source, ExitStack() as stack:
        sound = Sound(wanted, probe.duration_s, lambda one, packet: joints[one].sound(packet))
        outs = {
            one: stack.enter_context(closing(av.open(to, "w", format="mp4", options=dict(MUXER))))
            for one, to in wanted.items()
        }
        joints = {one: _Joint(one, cut, segments[one], out, sound.track(one)) for one, out in outs.items()}
        if source.sound is not None:
            sound.begin(start_s)
            for frame in source.container.decode(source.sound):
                sound.push(frame)
            sound.end()
        for joint in joints.values():
            joint.finish()


class _Joint:
    """One rendition: its segments in a row, and sound put between where it is heard."""

    def __init__(
        self, recipe: Mp4, cut: Cut, segments: Sequence[Path], out: OutputContainer, track: Track | None
    ) -> None:
        self._tick_s = 1 / recipe.fps
        self._container = out
        with _opened(segments[0]) as first:
            self._video = self._container.add_stream_from_template(first.picture)
            self._parameters = first.picture.codec_context.extradata
        self._video.time_base = self._tick_s
        self._audio = None if track is None else self._container.add_stream_from_template(track.stream)
        self._pictures = self._in_a_row(cut, segments)
        self._next = next(self._pictures, None)

    def sound(self, packet: "Packet[AudioStream]") -> None:
        """Takes what is heard next."""
        assert self._audio is not None
        assert packet.pts is not None
        assert packet.time_base is not None
        self._show(until_s=packet.pts * packet.time_base)
        self._container.mux(copied(packet, self._audio))

    def finish(self) -> None:
        """The rest of the pictures."""
        self._show(until_s=None)

    def _show(self, until_s: Fraction | None) -> None:
        while (one := self._next) is not None:
            if until_s is not None and one.dts is not None and one.dts * self._tick_s > until_s:
                return
            self._container.mux(one)
            self._next = next(self._pictures, None)

    def _in_a_row(self, cut: Cut, segments: Sequence[Path]) -> "Iterator[Packet[Stream]]":
        for n, path in enumerate(segments):
            first, count = Segment(n, cut.of, cut.seconds).frames(1 / self._tick_s)
            with _opened(path) as segment:
                if segment.picture.codec_context.extradata != self._parameters:
                    raise UnjoinableError(f"{path.name} was made by another encoder")
                found = 0
                for packet in segment.container.demux(segment.picture):
                    if packet.size:
                        found += 1
                        yield self._placed(packet, first)
                wanted = segment.picture.frames if count is None else count
            if found != wanted or not found:
                raise UnjoinableError(f"{path.name} has {found} frames, not {wanted}")

    def _placed(self, packet: "Packet[VideoStream]", first: int) -> "Packet[Stream]":
        if packet.pts is None or packet.dts is None or packet.time_base is None:
            raise UnjoinableError("a frame without a time")
        made: Packet[Stream] = Packet(bytes(packet))
        made.pts, made.dts = (round(at * packet.time_base / self._tick_s) + first for at in (packet.pts, packet.dts))
        made.duration, made.time_base = 1, self._tick_s
        made.is_keyframe, made.stream = packet.is_keyframe, self._video
        return made


@contextmanager
def _opened(segment: Path) -> Iterator[Source]:
    """What is wrong with a segment is nobody's fault who sent the film."""
    try:
        with film.opened(segment, "video/mp4") as source:
            yield source
    except (InputFault, OSError) as exc:
        raise UnjoinableError(f"{segment.name}: {exc}") from exc

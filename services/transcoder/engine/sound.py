"""Sound as renditions want it, encoded once for all: AAC-LC in stereo at 48 kHz, as long as there is a picture."""

import io
from collections.abc import Callable, Collection, Iterable, Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.filter import Graph
from av.filter.context import FilterContext
from av.packet import Packet
from av.stream import Stream

from services.common.errors import Code
from services.transcoder.domain.films import Mp4
from services.transcoder.domain.work import InputFault

RATE_HZ = 48_000
MOST_EARLY = 4096  # frames before the first picture


class Track:
    """A film's sound at one bit rate, for all renditions that take it."""

    def __init__(self, kbps: int) -> None:
        # Nothing is written into it: streams are only made in containers, and this one opens its encoder at once.
        self._container = av.open(io.BytesIO(), "w", format="adts")
        self.stream: AudioStream = self._container.add_stream("aac", rate=RATE_HZ, layout="stereo")
        self.stream.bit_rate = kbps * 1000
        self._container.start_encoding()

    def encode(self, frames: Iterable[AudioFrame | None]) -> "list[Packet[AudioStream]]":
        """None: there are no more."""
        return [packet for frame in frames for packet in self.stream.encode(frame)]


def copied(packet: "Packet[AudioStream]", into: AudioStream) -> "Packet[Stream]":
    """For another film's stream, since writing changes a packet."""
    made = Packet(bytes(packet))
    made.pts, made.dts, made.duration, made.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    made.is_keyframe, made.stream = packet.is_keyframe, into
    return made


class Evened:
    """Stereo at 48 kHz as long as there is a picture: gaps become silence, what comes before or after is cut.

    Args:
        first: The first frame of sound.   duration_s: Of the picture.
    """

    def __init__(self, first: AudioFrame, duration_s: float) -> None:
        self._graph = Graph()
        self._last = round(duration_s * first.sample_rate)
        self._clock = Fraction(1, first.sample_rate)
        head: FilterContext = self._graph.add(
            "abuffer",
            f"sample_rate={first.sample_rate}:sample_fmt={first.format.name}:channel_layout={first.layout.name}"
            f":time_base=1/{first.sample_rate}",
        )
        for name, args in (
            ("aresample", f"{RATE_HZ}:async=1:first_pts=0"),
            ("aformat", f"sample_fmts=fltp:channel_layouts=stereo:sample_rates={RATE_HZ}"),
            ("abuffersink", ""),
        ):
            added = self._graph.add(name, args) if args else self._graph.add(name)
            head.link_to(added)
            head = added
        self._sink = head
        self._graph.configure()
        self._next = 0

    def push(self, frame: AudioFrame, start_s: Fraction) -> None:
        """Takes a frame of a film whose picture starts then."""
        if frame.pts is None or frame.time_base is None:
            at = self._next
        else:
            at = round((frame.pts * frame.time_base - start_s) / self._clock)
        self._next = at + frame.samples
        if at > self._last:
            return  # a file may name any time, and the gap before it would be filled
        frame.pts, frame.time_base = at, self._clock
        self._graph.push(frame)

    def end(self) -> None:
        """There is no more to push."""
        self._graph.push(None)

    def pull(self) -> Iterator[AudioFrame]:
        """What there is so far."""
        while True:
            try:
                frame = self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            yield frame


class Sound:
    """A film's sound, evened and encoded at each bit rate once.

    Args:
        recipes: Of the renditions, some of which may have none.   duration_s: Of the picture.
        give: Takes what was encoded for a rendition.
    """

    def __init__(
        self, recipes: Collection[Mp4], duration_s: float, give: Callable[[Mp4, "Packet[AudioStream]"], None]
    ) -> None:
        self._recipes = [one for one in recipes if one.audio_kbps]
        self._tracks = {kbps: Track(kbps) for kbps in {one.audio_kbps for one in self._recipes}}
        self._duration_s = duration_s
        self._give = give
        self._early: list[AudioFrame] = []
        self._start_s: Fraction | None = None
        self._evened: Evened | None = None

    def track(self, recipe: Mp4) -> Track | None:
        """Whose packets that rendition is given; None: it has no sound."""
        return self._tracks.get(recipe.audio_kbps)

    def begin(self, start_s: Fraction) -> None:
        """When the picture starts, on the film's clock; once that is known, it stays. Until then sound waits."""
        if self._start_s is None:
            self._start_s = start_s
            early, self._early = self._early, []
            for frame in early:
                self.push(frame)

    def push(self, frame: AudioFrame) -> None:
        """Takes the next one.

        Raises:
            InputFault: There is no end of sound before the first picture.
        """
        if self._start_s is None:
            self._early.append(frame)
            if len(self._early) > MOST_EARLY:
                raise InputFault(Code.MEDIA_CORRUPT, "sound without a picture")
            return
        if self._evened is None:
            self._evened = Evened(frame, self._duration_s)
        self._evened.push(frame, self._start_s)
        self._hand_on(self._evened.pull())

    def end(self) -> None:
        """There is no more to push."""
        if self._evened is not None:
            self._evened.end()
            self._hand_on([*self._evened.pull(), None])

    def _hand_on(self, pulled: Iterable[AudioFrame | None]) -> None:
        frames = list(pulled)
        for kbps, track in self._tracks.items():
            for packet in track.encode(frames):
                for recipe in self._recipes:
                    if recipe.audio_kbps == kbps:
                        self._give(recipe, packet)

"""Films as H.264 and AAC in MP4, the kind every platform takes: one decode for all sizes, a thread for each encoder.

Closed groups of two seconds, High profile, 8-bit 4:2:0 BT.709, every frame as long as the others, sound in stereo at
48 kHz, the index in front, neither edit list nor metadata: without an edit list some ingests (Bluesky's video service)
take a first frame that is late for damage, so composition offsets are negative instead.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from math import ceil
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from services.common.errors import Code
from services.transcoder.domain.films import Mp4
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import film
from services.transcoder.engine.encoder import SOUND_RATE_HZ, Encoder
from services.transcoder.engine.frames import Frames, Size


def encode(
    path: Path, content_type: str, probe: Probe, wanted: Mapping[Mp4, Path], *, progress: Callable[[float], None]
) -> None:
    """Decodes the film once and writes every rendition.

    Args:
        path, content_type, probe: The source.
        wanted: Where each goes; one or more, all of the same frame rate.
        progress: Told at each frame what part of the film is through, 0..1.

    Raises:
        InputFault: The source cannot be decoded to its end.
    """
    recipes = list(wanted)
    rate = recipes[0].fps
    with film.opened(path, content_type) as source, ExitStack() as stack:
        encoders = [stack.enter_context(Encoder(recipe, wanted[recipe])) for recipe in recipes]
        decoding = _Decoding(probe, [Size(one.width, one.height) for one in recipes], rate, encoders)
        for packet in source.container.demux(*source.tracks):
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    decoding.picture(frame)
                    progress(decoding.part)
                elif isinstance(frame, AudioFrame):
                    decoding.sound(frame)
        decoding.finish()
        for encoder in encoders:
            encoder.finish()


class _Decoding:
    """Hands decoded frames, evenly timed from zero, to all encoders."""

    def __init__(self, probe: Probe, sizes: Sequence[Size], rate: Fraction, encoders: Sequence["Encoder"]) -> None:
        self._probe = probe
        self._sizes = sizes
        self._rate = rate
        self._encoders = encoders
        self._most = ceil(probe.duration_s * float(rate)) + 2
        self._frames: Frames | None = None
        self._start_s = Fraction(0)
        self._shown = -1
        self._counts = [0] * len(encoders)
        self._early: list[AudioFrame] = []
        self._sound: _Sound | None = None

    def picture(self, frame: VideoFrame) -> None:
        if frame.pts is None or frame.time_base is None:
            raise InputFault(Code.MEDIA_CORRUPT, "a frame without a time")
        if self._frames is None:
            self._frames = Frames(self._probe, frame, self._sizes, rate=self._rate, pix_fmt="yuv420p")
            self._first, self._start_s = frame.pts, frame.pts * frame.time_base
            for early in self._early:
                self.sound(early)
            self._early.clear()
        frame.pts -= self._first
        if frame.pts <= self._shown:
            return  # FFmpeg tells the same moment twice where a container does
        self._shown = frame.pts
        self._frames.push(frame)
        self._hand_on()

    @property
    def part(self) -> float:
        """Of all frames that any encoder will get."""
        return min(1.0, max(self._counts) / self._most)

    def sound(self, frame: AudioFrame) -> None:
        if self._frames is None:
            self._early.append(frame)
            if len(self._early) > 4096:
                raise InputFault(Code.MEDIA_CORRUPT, "sound without a picture")
            return
        if self._sound is None:
            self._sound = _Sound(frame, len(self._encoders), self._probe.duration_s)
        self._sound.push(frame, self._start_s)
        self._hand_on_sound()

    def finish(self) -> None:
        if self._frames is None:
            raise InputFault(Code.MEDIA_CORRUPT, "no frame can be decoded")
        self._frames.push(None)
        self._hand_on()
        if self._sound is not None:
            self._sound.end()
            self._hand_on_sound()

    def _hand_on(self) -> None:
        assert self._frames is not None
        for n, encoder in enumerate(self._encoders):
            for frame in self._frames.pull(n):
                self._counts[n] += 1
                if self._counts[n] > self._most:
                    raise InputFault(Code.MEDIA_FRAMES_EXCEEDED, "more frames than its length allows")
                encoder.give(frame)

    def _hand_on_sound(self) -> None:
        assert self._sound is not None
        for n, encoder in enumerate(self._encoders):
            for frame in self._sound.pull(n):
                encoder.give(frame)


class _Sound:
    """Stereo at 48 kHz as long as there is a picture: gaps become silence, what comes before or after is cut."""

    def __init__(self, first: AudioFrame, outputs: int, duration_s: float) -> None:
        self._graph = Graph()
        self._last = round(duration_s * first.sample_rate)
        self._clock = Fraction(1, first.sample_rate)
        head: FilterContext = self._graph.add(
            "abuffer",
            f"sample_rate={first.sample_rate}:sample_fmt={first.format.name}:channel_layout={first.layout.name}"
            f":time_base=1/{first.sample_rate}",
        )
        for name, args in (
            ("aresample", f"{SOUND_RATE_HZ}:async=1:first_pts=0"),
            ("aformat", f"sample_fmts=fltp:channel_layouts=stereo:sample_rates={SOUND_RATE_HZ}"),
            ("asplit", f"outputs={outputs}"),
        ):
            added = self._graph.add(name, args)
            head.link_to(added)
            head = added
        self._sinks: list[FilterContext] = []
        for n in range(outputs):
            sink = self._graph.add("abuffersink")
            head.link_to(sink, n, 0)
            self._sinks.append(sink)
        self._graph.configure()
        self._next = 0

    def push(self, frame: AudioFrame, start_s: Fraction) -> None:
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
        self._graph.push(None)

    def pull(self, n: int) -> Sequence[AudioFrame]:
        found: list[AudioFrame] = []
        while True:
            try:
                frame = self._sinks[n].pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return found
            assert isinstance(frame, AudioFrame)
            found.append(frame)

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

from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from services.common.errors import Code
from services.transcoder.domain.films import Mp4
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import film
from services.transcoder.engine.encoder import Encoder
from services.transcoder.engine.frames import Frames, Size
from services.transcoder.engine.sound import Evened, Track


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
    with film.opened(path, content_type) as source, ExitStack() as stack:
        tracks = {kbps: Track(kbps) for kbps in {one.audio_kbps for one in wanted} if kbps}
        encoders = {
            one: stack.enter_context(Encoder(one, to, tracks.get(one.audio_kbps))) for one, to in wanted.items()
        }
        decoding = _Decoding(probe, encoders, tracks)
        for packet in source.container.demux(*source.tracks):
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    decoding.picture(frame)
                    progress(decoding.part)
                elif isinstance(frame, AudioFrame):
                    decoding.sound(frame)
        decoding.finish()
        for encoder in encoders.values():
            encoder.end()
        for encoder in encoders.values():
            encoder.finish()


class _Decoding:
    """Hands decoded frames, evenly timed from zero, to all encoders."""

    def __init__(self, probe: Probe, encoders: Mapping[Mp4, Encoder], tracks: Mapping[int, Track]) -> None:
        self._probe = probe
        self._encoders = encoders
        self._tracks = tracks
        self._rate = next(iter(encoders)).fps
        self._most = ceil(probe.duration_s * float(self._rate)) + 2
        self._frames: Frames | None = None
        self._start_s = Fraction(0)
        self._shown = -1
        self._counts = [0] * len(encoders)
        self._early: list[AudioFrame] = []
        self._sound: Evened | None = None

    def picture(self, frame: VideoFrame) -> None:
        if frame.pts is None or frame.time_base is None:
            raise InputFault(Code.MEDIA_CORRUPT, "a frame without a time")
        if self._frames is None:
            sizes = [Size(one.width, one.height) for one in self._encoders]
            self._frames = Frames(self._probe, frame, sizes, rate=self._rate, pix_fmt="yuv420p")
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
            self._sound = Evened(frame, self._probe.duration_s)
        self._sound.push(frame, self._start_s)
        self._hand_on_sound(list(self._sound.pull()))

    def finish(self) -> None:
        if self._frames is None:
            raise InputFault(Code.MEDIA_CORRUPT, "no frame can be decoded")
        self._frames.push(None)
        self._hand_on()
        if self._sound is not None:
            self._sound.end()
            self._hand_on_sound([*self._sound.pull(), None])

    def _hand_on(self) -> None:
        assert self._frames is not None
        for n, encoder in enumerate(self._encoders.values()):
            for frame in self._frames.pull(n):
                self._counts[n] += 1
                if self._counts[n] > self._most:
                    raise InputFault(Code.MEDIA_FRAMES_EXCEEDED, "more frames than its length allows")
                encoder.give(frame)

    def _hand_on_sound(self, frames: Sequence[AudioFrame | None]) -> None:
        for kbps, track in self._tracks.items():
            for packet in track.encode(frames):
                for recipe, encoder in self._encoders.items():
                    if recipe.audio_kbps == kbps:
                        encoder.give(packet)

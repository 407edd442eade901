"""From a film's decoded pictures to its encoders."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil

from av.video.frame import VideoFrame

from services.common.errors import Code
from services.transcoder.domain.films import Mp4
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import InputFault
from services.transcoder.engine.encoder import Encoder
from services.transcoder.engine.frames import Frames, Size


class Pictures:
    """Hands decoded pictures, evenly timed from zero, to all encoders.

    Args:
        probe: Of the film.
        encoders: One or more, all of the same frame rate.
        start_s: When the film's first picture is shown, on its own clock; None: the first to come is.
        first, count: Of the frames at that rate: where to begin, and how many there are; None: all there are.
    """

    def __init__(
        self,
        probe: Probe,
        encoders: Mapping[Mp4, Encoder],
        *,
        start_s: Fraction | None = None,
        first: int = 0,
        count: int | None = None,
    ) -> None:
        self._probe = probe
        self._encoders = encoders
        self._rate = next(iter(encoders)).fps
        self._first, self._count = first, count
        self._most = max(0, ceil(probe.duration_s * float(self._rate)) + 2 - first) if count is None else count
        self._frames: Frames | None = None
        self._zero = 0
        self._shown = -1
        self._given = [0] * len(encoders)
        self._start_s = start_s

    def push(self, frame: VideoFrame) -> None:
        """Takes the next one. Raises InputFault."""
        if frame.pts is None or frame.time_base is None:
            raise InputFault(Code.MEDIA_CORRUPT, "a frame without a time")
        if self._frames is None:
            sizes = [Size(one.width, one.height) for one in self._encoders]
            self._frames = Frames(self._probe, frame, sizes, rate=self._rate, pix_fmt="yuv420p", first_out=self._first)
            if self._start_s is None:
                self._start_s = frame.pts * frame.time_base
            self._zero = round(self._start_s / frame.time_base)
        frame.pts -= self._zero
        if frame.pts <= self._shown:
            return  # FFmpeg tells the same moment twice where a container does
        self._shown = frame.pts
        self._frames.push(frame)
        self._hand_on()

    @property
    def start_s(self) -> Fraction:
        """When the film's first picture is shown, on its own clock. Known once there was one."""
        assert self._start_s is not None
        return self._start_s

    @property
    def part(self) -> float:
        """Of all frames that any encoder will get, 0..1."""
        return min(1.0, max(self._given) / max(1, self._most))

    @property
    def full(self) -> bool:
        """Whether every encoder has all it is to get."""
        return self._count is not None and min(self._given) >= self._count

    def end(self) -> None:
        """There is no more to push. Raises InputFault."""
        if self._frames is None:
            raise InputFault(Code.MEDIA_CORRUPT, "no frame can be decoded")
        self._frames.push(None)
        self._hand_on()

    def _hand_on(self) -> None:
        assert self._frames is not None
        for n, encoder in enumerate(self._encoders.values()):
            for frame in self._frames.pull(n):
                if self._count is not None and self._given[n] >= self._count:
                    break
                self._given[n] += 1
                if self._given[n] > self._most:
                    raise InputFault(Code.MEDIA_FRAMES_EXCEEDED, "more frames than its length allows")
                assert frame.pts is not None
                frame.pts -= self._first
                encoder.give(frame)

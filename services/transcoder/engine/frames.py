"""Frames as renditions want them: upright, square, progressive, evenly timed, BT.709. All of it happens in FFmpeg."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from services.transcoder.domain.probe import Probe
from services.transcoder.engine.film import UNSPECIFIED

BT601, HD_HEIGHT = 6, 720
_TURNS = {90: ("clock",), 180: ("clock", "clock"), 270: ("cclock",)}


@dataclass(frozen=True, slots=True)
class Size:
    """Pixels, as displayed."""

    width: int
    height: int


class Frames:
    """One stream of decoded frames in, one stream per size out.

    Args:
        probe: Of the film the frames come from.
        first: The first of them; all others are brought into its size and format.
        sizes: What comes out.   rate: frames a second, evenly; None: those that go in.   pix_fmt: FFmpeg's name.
    """

    def __init__(
        self, probe: Probe, first: VideoFrame, sizes: Sequence[Size], *, rate: Fraction | None, pix_fmt: str
    ) -> None:
        self._shape = (first.width, first.height, first.format.name)
        self._color = _color(first)
        assert first.time_base is not None
        self._clock = first.time_base
        self._graph = Graph()
        turned = probe.rotation in (90, 270)
        head: FilterContext = self._graph.add(
            "buffer",
            f"video_size={first.width}x{first.height}:pix_fmt={first.format.name}:pixel_aspect=1/1"
            f":time_base={self._clock.numerator}/{self._clock.denominator}"
            f":colorspace={self._color[0]}:range={int(first.color_range)}",
        )
        if probe.interlaced:
            head = self._then(head, "bwdif", "mode=send_frame:deint=interlaced")
        if rate is not None:
            head = self._then(head, "fps", f"fps={rate.numerator}/{rate.denominator}:start_time=0")
        split = self._then(head, "split", f"outputs={len(sizes)}")
        self._sinks: list[FilterContext] = []
        for n, size in enumerate(sizes):
            width, height = (size.height, size.width) if turned else (size.width, size.height)
            scale = self._graph.add(
                "scale",
                f"w={width}:h={height}:flags=lanczos+accurate_rnd"
                ":out_color_matrix=bt709:out_primaries=bt709:out_transfer=bt709:out_range="
                + ("pc" if pix_fmt.startswith("rgb") else "tv"),
            )
            split.link_to(scale, n, 0)
            tail = self._then(scale, "format", f"pix_fmts={pix_fmt}")
            for turn in _TURNS.get(probe.rotation, ()):
                tail = self._then(tail, "transpose", f"dir={turn}")
            tail = self._then(tail, "setsar", "sar=1")
            self._sinks.append(self._then(tail, "buffersink", ""))
        self._graph.configure()

    def push(self, frame: VideoFrame | None) -> None:
        """Takes a frame whose pts counts from the film's start; None: there are no more."""
        if frame is not None:
            if (frame.width, frame.height, frame.format.name) != self._shape:
                pts = frame.pts
                frame = frame.reformat(*self._shape)
                frame.pts, frame.time_base = pts, self._clock
            frame.colorspace, frame.color_primaries, frame.color_trc = self._color
        self._graph.push(frame)

    def pull(self, n: int) -> Iterator[VideoFrame]:
        """What the n-th size has to give so far."""
        while True:
            try:
                found = self._sinks[n].pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(found, VideoFrame)
            yield found

    def _then(self, head: FilterContext, name: str, args: str) -> FilterContext:
        added = self._graph.add(name, args) if args else self._graph.add(name)
        head.link_to(added)
        return added


def _color(frame: VideoFrame) -> tuple[int, int, int]:
    """Matrix, primaries and transfer. Where a film says nothing, its height tells which standard its maker used."""
    usual = 1 if frame.height >= HD_HEIGHT else BT601
    said = (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc))
    return tuple(usual if one in (0, UNSPECIFIED) else one for one in said)  # type: ignore[return-value]

"""Frames as renditions want them: upright, square, progressive, evenly timed, BT.709. All of it happens in FFmpeg."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import av
import av.error
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from services.transcoder.domain.probe import Probe
from services.transcoder.engine import screen
from services.transcoder.engine.film import BT709, FULL_RANGE, IDENTITY, UNSPECIFIED

BT601, HD_HEIGHT = 6, 720
# Bicubic costs half of Lanczos, and at these ratios nobody sees which it was. Chroma by straight lines, and rough
# rounding, save another third for less than a ten-thousandth of SSIM; where colours are calculated they would tint.
_YUV, _RGB = "flags=bicublin:out_range=tv", "flags=bicubic+accurate_rnd:out_range=pc"
_OTHER_YUV = "flags=bicubic+accurate_rnd+full_chroma_int:out_range=tv"
_MATRIX = "out_color_matrix=bt709"
# Between: all colours at full size, so finely that eight bits come of it.
_BETWEEN, _BETWEEN_MOST = "gbrp10le", 1023
_TURNS: Mapping[int, tuple[str, ...]] = {90: ("clock",), 180: ("clock", "clock"), 270: ("cclock",)}


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
        first_out: Number, at that rate, of the first frame that comes out.
    """

    def __init__(
        self,
        probe: Probe,
        first: VideoFrame,
        sizes: Sequence[Size],
        *,
        rate: Fraction | None,
        pix_fmt: str,
        first_out: int = 0,
    ) -> None:
        self._shape = (first.width, first.height, first.format.name)
        self._matrix, self._primaries, self._transfer = _color(first)
        assert first.time_base is not None
        self._clock = first.time_base
        self._graph = Graph()
        self._source = head = self._buffer(
            first.width, first.height, first.format.name, f"colorspace={self._matrix}:range={int(first.color_range)}"
        )
        if probe.interlaced:
            head = self._then(head, "bwdif", "mode=send_frame:deint=interlaced")
        if rate is not None:
            head = self._then(
                head, "fps", f"fps={rate.numerator}/{rate.denominator}:start_time={float(first_out / rate)}"
            )
        self._sinks: dict[int, FilterContext] = {}
        self._table: tuple[FilterContext, VideoFrame] | None = None
        self._scaled(head, probe, sizes, pix_fmt)
        self._graph.configure()
        if self._table is not None:
            source, table = self._table
            source.push(table)
            source.push(None)

    def _scaled(self, head: FilterContext, probe: Probe, sizes: Sequence[Size], pix_fmt: str) -> None:
        """The largest size from what was decoded, turned and in its colours; each other from the one before."""
        turns, ordinary = _TURNS.get(probe.rotation, ()), screen.is_ordinary(self._primaries, self._transfer)
        usual = _RGB if pix_fmt.startswith("rgb") else _YUV
        how = _OTHER_YUV if usual == _YUV and not (ordinary and self._matrix == BT709) else usual
        places: dict[Size, list[int]] = {}
        for n, size in sorted(enumerate(sizes), key=lambda one: one[1].width * one[1].height, reverse=True):
            places.setdefault(size, []).append(n)
        for left, (size, wanted) in zip(range(len(places))[::-1], places.items(), strict=True):
            width, height = (size.height, size.width) if len(turns) % 2 else (size.width, size.height)
            if not ordinary:
                head = self._ordinary(self._then(head, "scale", f"w={width}:h={height}:{_RGB}"))
            head = self._then(head, "scale", f"w={width}:h={height}:{how}:{_MATRIX}")
            ordinary, how = True, usual
            head = self._then(head, "format", f"pix_fmts={pix_fmt}")
            for turn in turns:
                head = self._then(head, "transpose", f"dir={turn}")
            turns = ()
            head = self._then(self._then(head, "setsar", "sar=1"), "split", f"outputs={len(wanted) + bool(left)}")
            for out, n in enumerate(wanted):
                self._sinks[n] = self._graph.add("buffersink")
                head.link_to(self._sinks[n], out, 0)
            if left:
                following = self._graph.add("null")
                head.link_to(following, len(wanted), 0)
                head = following

    def _ordinary(self, head: FilterContext) -> FilterContext:
        """Colours as an ordinary screen shows them, by way of a table."""
        head = self._then(head, "format", f"pix_fmts={_BETWEEN}")
        colors = (screen.table(self._primaries, self._transfer) * _BETWEEN_MOST).round().astype(np.uint16)
        # The filter takes a table's planes, which are green, blue and red, for red, green and blue.
        table = VideoFrame.from_ndarray(np.ascontiguousarray(colors[..., [2, 0, 1]]), format=_BETWEEN)
        # A second before any frame: a filter that has not heard yet, when the first one comes, that no other table will
        # copies that frame, and keeps buffers for three where one is enough, 25 MB more at full HD for all the film.
        table.pts, table.time_base = -ceil(1 / self._clock), self._clock
        table.colorspace, table.color_range = IDENTITY, FULL_RANGE
        source = self._buffer(table.width, table.height, _BETWEEN, f"colorspace={IDENTITY}:range={FULL_RANGE}")
        looked_up = self._graph.add("haldclut", "clut=first:interp=tetrahedral")
        head.link_to(looked_up, 0, 0)
        source.link_to(looked_up, 0, 1)
        self._table = source, table
        return looked_up

    def push(self, frame: VideoFrame | None) -> None:
        """Takes a frame whose pts counts from the film's start; None: there are no more."""
        if frame is not None:
            if (frame.width, frame.height, frame.format.name) != self._shape:
                pts = frame.pts
                frame = frame.reformat(*self._shape)
                frame.pts, frame.time_base = pts, self._clock
            # Whatever else the colours are, the table knows.
            frame.colorspace, frame.color_primaries, frame.color_trc = self._matrix, BT709, BT709
        self._source.push(frame)

    def pull(self, n: int) -> Iterator[VideoFrame]:
        """What the n-th size has to give so far."""
        while True:
            try:
                found = self._sinks[n].pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(found, VideoFrame)
            yield found

    def _buffer(self, width: int, height: int, pix_fmt: str, more: str) -> FilterContext:
        """Where frames come in."""
        clock = f"{self._clock.numerator}/{self._clock.denominator}"
        args = f"video_size={width}x{height}:pix_fmt={pix_fmt}:pixel_aspect=1/1:time_base={clock}:{more}"
        return self._graph.add("buffer", args)

    def _then(self, head: FilterContext, name: str, args: str) -> FilterContext:
        added = self._graph.add(name, args) if args else self._graph.add(name)
        head.link_to(added)
        return added


def _color(frame: VideoFrame) -> tuple[int, int, int]:
    """Matrix, primaries and transfer. Where a film does not tell its matrix, its height tells which its maker used; the
    other two differ little between the standards, and everything new is made for BT.709's."""
    usual = (BT709 if frame.height >= HD_HEIGHT else BT601, BT709, BT709)
    said = (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc))
    matrix, primaries, transfer = (
        known if one in (0, UNSPECIFIED) else one for one, known in zip(said, usual, strict=True)
    )
    return matrix, primaries, transfer

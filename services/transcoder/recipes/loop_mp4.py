"""Animations as silent films: every frame shown from the moment it appears until the next one does."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from math import ceil
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from PIL import Image

from services.transcoder.domain.planning import Loop
from services.transcoder.engine import still, timing
from services.transcoder.engine.encoder import Encoder


def encode(path: Path, content_type: str, wanted: Mapping[Loop, Path]) -> None:
    """Decodes the animation as often as it is shown, and writes every rendition.

    Args:
        path, content_type: The source.
        wanted: Where each goes; one or more, all of the same frame rate and number of turns.

    Raises:
        InputFault: The source cannot be decoded to its end.
    """
    loops = list(wanted)
    rate, shown, at_ms = loops[0].film.fps, 0, 0
    with ExitStack() as stack:
        encoders = [stack.enter_context(Encoder(one.film, wanted[one])) for one in loops]
        for picture, ms in _frames(path, content_type, loops[0].turns):
            at_ms += ms
            until = ceil(at_ms * rate / 1000)
            for loop, encoder in zip(loops, encoders, strict=True):
                _show(picture, loop, encoder, range(shown, until))
            shown = until
        for encoder in encoders:
            encoder.finish()


def _frames(path: Path, content_type: str, turns: int) -> Iterator[tuple[Image.Image, int]]:
    """RGB on white, and for how many milliseconds."""
    stands = timing.stands_ms(content_type.removeprefix("image/"), path.read_bytes())
    for _ in range(turns):
        with still.opened(path, content_type) as image:
            for n, ms in enumerate(stands):
                image.seek(n)
                yield still.on_white(image.convert("RGBA")), ms


def _show(picture: Image.Image, loop: Loop, encoder: Encoder, ticks: range) -> None:
    if not ticks:
        return  # a shorter time than a film's frame takes
    film = loop.film
    planes = (
        VideoFrame.from_ndarray(np.asarray(picture), "rgb24")
        .reformat(
            film.width,
            film.height,
            "yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BICUBIC,
        )
        .to_ndarray()
    )
    for tick in ticks:
        frame = VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts, frame.time_base = tick, 1 / film.fps
        encoder.give(frame)

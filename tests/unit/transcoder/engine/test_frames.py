"""What frames cost on their way."""

import ctypes
from fractions import Fraction

import av
import numpy as np

from services.transcoder.domain.probe import Probe
from services.transcoder.engine.frames import Frames, Size

WIDTH, HEIGHT, RATE = 1280, 720, Fraction(25)
BETWEEN_BYTES = WIDTH * HEIGHT * 3 * 2  # three colours of ten bits, at full size
PROBE = Probe(
    kind="video", container="mov", codec="hevc", width=WIDTH, height=HEIGHT,
    coded_width=WIDTH, coded_height=HEIGHT, size_bytes=1, hdr="hlg",
)  # fmt: skip


class Told(ctypes.Structure):
    """By glibc, of what it gave out."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    ]


def taken_bytes() -> int:
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = Told
    told = ask()
    return int(told.hblkhd + told.uordblks)


def hlg(n: int) -> av.VideoFrame:
    made = av.VideoFrame.from_ndarray(np.full((HEIGHT * 3 // 2, WIDTH), 512, dtype=np.uint16), "yuv420p10le")
    made.pts, made.time_base = n, 1 / RATE
    made.colorspace, made.color_primaries, made.color_trc, made.color_range = 9, 9, 18, 1
    return made


def test_colours_are_looked_up_in_the_frame_they_are_in() -> None:
    frames = Frames(PROBE, hlg(0), [Size(WIDTH, HEIGHT)], rate=RATE, pix_fmt="yuv420p")
    before, found = taken_bytes(), 0
    for n in range(4):
        frames.push(hlg(n))
        found += sum(1 for _ in frames.pull(0))
    assert found == 3  # how long the last one stands, the next would tell
    # One between; the last two as they came, at half its bytes each; what came out, at a quarter.
    assert taken_bytes() - before < 3 * BETWEEN_BYTES

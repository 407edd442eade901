"""ThumbHash: what a picture looks like from far away, in about 25 bytes, to be shown while the picture loads.

The format is that of https://evanw.github.io/thumbhash/: low frequencies of a cosine transform of luma, two colour
differences and, where it is not opaque, alpha; each coefficient in four bits.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

EDGE_PX = 100  # the format's own upper bound for what is transformed

Plane = npt.NDArray[np.float64]


def thumbhash(picture: Image.Image) -> bytes:
    """The hash of a picture of any size and mode Pillow converts to RGBA."""
    small = picture.copy()
    small.thumbnail((EDGE_PX, EDGE_PX), Image.Resampling.BOX)
    pixels = np.asarray(small.convert("RGBA"), dtype=np.float64) / 255
    height, width = pixels.shape[:2]
    alpha = pixels[..., 3]
    opaque = alpha.min() >= 1
    # See-through parts show the average colour.
    covered = alpha.sum()
    mean = (pixels[..., :3] * alpha[..., None]).sum(axis=(0, 1)) / covered if covered else np.zeros(3)
    red, green, blue = np.moveaxis(pixels[..., :3] * alpha[..., None] + mean * (1 - alpha[..., None]), 2, 0)

    most = 7 if opaque else 5
    across = max(1, _half_up(most * width / max(width, height)))
    down = max(1, _half_up(most * height / max(width, height)))
    luma = _Channel((red + green + blue) / 3, max(3, across), max(3, down))
    yellow = _Channel((red + green) / 2 - blue, 3, 3)
    redness = _Channel(red - green, 3, 3)
    seen = None if opaque else _Channel(alpha, 5, 5)

    landscape = width > height
    head = (
        _half_up(63 * luma.constant)
        | _half_up(31.5 + 31.5 * yellow.constant) << 6
        | _half_up(31.5 + 31.5 * redness.constant) << 12
        | _half_up(31 * luma.scale) << 18
        | (0 if opaque else 1 << 23)
    )
    shape = (
        (down if landscape else across)
        | _half_up(63 * yellow.scale) << 3
        | _half_up(63 * redness.scale) << 9
        | landscape << 15
    )
    out = bytearray(head.to_bytes(3, "little") + shape.to_bytes(2, "little"))
    if seen is not None:
        out.append(_half_up(15 * seen.constant) | _half_up(15 * seen.scale) << 4)
    waves = [wave for channel in (luma, yellow, redness, seen) if channel is not None for wave in channel.waves]
    nibbles = [_half_up(15 * wave) for wave in waves]
    nibbles += [0] * (len(nibbles) % 2)
    out += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return bytes(out)


class _Channel:
    """One channel's cosine coefficients: the constant one, and the others within 0..1 around their largest."""

    def __init__(self, channel: Plane, across: int, down: int) -> None:
        height, width = channel.shape
        columns = np.cos(np.pi / width * np.outer(np.arange(across), np.arange(width) + 0.5))
        rows = np.cos(np.pi / height * np.outer(np.arange(down), np.arange(height) + 0.5))
        found = rows @ channel @ columns.T / (width * height)
        # The corner of low frequencies, row by row; the format leaves out the rest.
        waves = [found[y, x] for y in range(down) for x in range(across) if (x or y) and x * down < across * (down - y)]
        self.constant = float(found[0, 0])
        self.scale = max((abs(float(wave)) for wave in waves), default=0.0)
        self.waves = [0.5 + 0.5 / self.scale * float(wave) if self.scale else 0.5 for wave in waves]


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)

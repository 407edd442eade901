"""Photographs for measuring: the same on every machine, and as hard to compress as real ones.

A photograph's amplitudes fall about as one over frequency (Field 1987, J. Opt. Soc. Am. A 4:2379), so that every octave
holds the same contrast, but for what the lens takes from the finest. Over all lies a sensor's grain.
"""

import io
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

WIDTH, HEIGHT = 4032, 3024  # 12 megapixels, a phone's
LENS = 0.25  # cycles a pixel at which a good lens leaves half the contrast; its curve is taken for Gaussian


def photograph(*, contrast: float, grain: float, seed: int = 1) -> bytes:
    """A JPEG of 12 megapixels as a phone's camera writes it. contrast: of every octave; grain; both one sigma in levels
    of 256."""
    random = np.random.default_rng(seed)
    layers = np.full((HEIGHT, WIDTH, 3), 127, dtype=np.float32)
    across = 4
    while across < WIDTH:
        layers += contrast * 0.5 ** (across / WIDTH / 2 / LENS) ** 2 * _shapes(random, across)
        across *= 2
    layers += grain * random.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(layers, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def _shapes(random: np.random.Generator, across: int) -> npt.NDArray[np.float32]:
    """Soft random shapes, mostly grey as most of a photograph's detail is; about one sigma."""
    size = (max(2, across * HEIGHT // WIDTH), across)
    grey = random.standard_normal((*size, 1), dtype=np.float32)
    values = grey + 0.4 * random.standard_normal((*size, 3), dtype=np.float32)
    planes = [
        Image.fromarray(np.ascontiguousarray(values[..., n])).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        for n in range(3)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def main(path: str, contrast: str, grain: str) -> None:
    """Writes one."""
    Path(path).write_bytes(photograph(contrast=float(contrast), grain=float(grain)))


if __name__ == "__main__":
    main(*sys.argv[1:])

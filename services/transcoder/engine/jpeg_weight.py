"""What a picture will weigh as JPEG, told from a sample of its blocks: no encoder is run for it.

A block of 8 × 8 is transformed and divided by the tables as libjpeg does (ITU-T T.81, annex K, scaled by quality). What
an encoder writes of it is, for each coefficient that is not zero, as many bits as the number has, and a code for the
zeros before it.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.transcoder.engine.planes import Planes

BLOCKS = 2048  # of luma that are looked at, about; of each colour a quarter as many
# Bits of a code, and of a block's mean and end; and bytes that come of them, headers and Huffman's tables fitted to the
# picture included. Found on photographs of every contrast and grain that bench.scenes draws, qualities 40 to 88: within
# 1.5 %, whatever the picture.
CODE_BITS, BLOCK_BITS, SHARE = 2.2, 2.0, 1.38

Blocks = npt.NDArray[np.float32]
# ITU-T T.81, tables K.1 and K.2.
_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_COLOR = np.full((8, 8), 99)
_COLOR[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_WAVES = np.array(
    [
        [math.sqrt(1 / 8) if not u else 0.5 * math.cos((2 * x + 1) * u * math.pi / 16) for x in range(8)]
        for u in range(8)
    ],
    dtype=np.float32,
)


class Weight:
    """Of one picture, by quality on Pillow's scale."""

    def __init__(self, picture: Planes) -> None:
        self._parts = [
            (*_sample(plane, blocks), table)
            for plane, blocks, table in (
                (picture.luma, BLOCKS, _LUMA),
                (picture.blue, BLOCKS // 4, _COLOR),
                (picture.red, BLOCKS // 4, _COLOR),
            )
        ]
        self._factor = SHARE / 8

    def expected(self, quality: int) -> float:
        """Bytes."""
        return self._bits(quality) * self._factor

    def learn(self, quality: int, size_bytes: float) -> None:
        """That it was this at that quality: what is expected of others goes by it."""
        self._factor = size_bytes / self._bits(quality)

    def learn_from(self, other: "Weight") -> None:
        """What that of the same picture at another size has learned."""
        self._factor = other._factor

    def _bits(self, quality: int) -> float:
        return sum(share * _bits(blocks, _scaled(table, quality)) for blocks, share, table in self._parts)


def _sample(plane: Image.Image, wanted: int) -> tuple[Blocks, float]:
    """Transformed blocks from all over it, and how many stand behind each."""
    across, down = max(1, plane.width // 8), max(1, plane.height // 8)
    step = max(1, math.isqrt(across * down // wanted))
    rows = []
    for n, y in enumerate(range(0, down, step)):
        row = np.asarray(plane.crop((0, 8 * y, 8 * across, 8 * y + 8)), dtype=np.float32) - 128
        # A copy, or all of the row would be kept.
        rows.append(row.reshape(8, across, 8).transpose(1, 0, 2)[n % step :: step].copy())
    blocks = np.concatenate(rows)
    transformed = (_WAVES @ blocks @ _WAVES.T).astype(np.float32, copy=False)
    return transformed, plane.width * plane.height / 64 / len(blocks)


def _scaled(table: npt.NDArray[np.int_], quality: int) -> Blocks:
    """As libjpeg does (jcparam.c)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * percent + 50) // 100, 1, 255).astype(np.float32)


def _bits(blocks: Blocks, table: Blocks) -> float:
    levels = np.abs(np.rint(blocks / table))
    levels[:, 0, 0] = 0  # a block's mean is told as what it differs by from the one before
    there = levels[levels > 0]
    return float(np.sum(np.floor(np.log2(there)) + 1 + CODE_BITS)) + BLOCK_BITS * len(blocks)

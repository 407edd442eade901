"""Hashes that the format's own decoders read."""

import base64

import numpy as np
import pytest
from PIL import Image

from services.transcoder.engine.thumbhash import thumbhash
from tests import media


def blocks(width: int, height: int, *, opaque: bool) -> Image.Image:
    """Squares of five pixels in random colours, always the same ones."""
    pixels = np.random.default_rng(7).integers(0, 256, (height // 5, width // 5, 4), dtype=np.uint8)
    if opaque:
        pixels[..., 3] = 255
    return Image.fromarray(pixels.repeat(5, axis=0).repeat(5, axis=1))


@pytest.mark.parametrize(
    ("width", "height", "opaque", "wanted"),
    [
        (80, 60, True, "3fcBDYRa2WOIpSSAlXDIhA1/x8+1"),
        (60, 100, True, "3gcCDAQ4FKLIxJC5WJxfaV2Y+g=="),
        (50, 50, False, "HhiCDQIYPXx2OXmq968165f9SGf5k4lrew=="),
    ],
)
def test_it_is_what_the_reference_implementation_makes_of_the_same_pixels(
    width: int, height: int, opaque: bool, wanted: str
) -> None:
    assert base64.b64encode(thumbhash(blocks(width, height, opaque=opaque))).decode() == wanted


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (4000, 3), (640, 480)])
def test_any_size_has_a_short_hash(size: tuple[int, int]) -> None:
    assert 5 < len(thumbhash(media.picture(*size))) <= 30

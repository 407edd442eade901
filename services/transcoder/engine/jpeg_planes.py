"""A JPEG's planes as it holds them: decoded twice at once, for luma and for colours.

Together that takes no more time than pixels of three colours at full size, a quarter of their memory, and leaves less
work for afterwards.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeGuard

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from services.transcoder.engine.planes import REDUCING_GAP, Planes, half

# JPEG's own reduction is fast and not very clean. So half as much again as is wanted is decoded of luma, and scaled
# down with a better filter; of colours, which the eye resolves less finely, hardly less than wanted will do.
LUMA_SHARE, COLOR_SHARE = 1.5, 0.9


def holds_planes(image: Image.Image) -> TypeGuard[JpegImageFile]:
    """Whether a file is a JPEG of luma and colour differences, by the rules of libjpeg (jdapimin.c)."""
    if not isinstance(image, JpegImageFile) or image.mode != "RGB":
        return False
    if "jfif" in image.info:
        return True
    if "adobe" in image.info:
        return image.info.get("adobe_transform") == 1
    return [layer[0] for layer in image.layer] == [1, 2, 3]


def decoded(image: JpegImageFile, path: Path, size: tuple[int, int]) -> Planes:
    """At `size`, as stored.

    Args:
        image: One that holds planes, opened.   path: of its file.   size: pixels, no more than it has.

    Raises:
        OSError, ValueError: It is damaged.
    """
    _, across, down, _ = image.layer[0]
    # Where colours are thinned out in one direction only, its reduction would thin them out twice.
    color_share = COLOR_SHARE if across == down else 2 * COLOR_SHARE

    def luma() -> Image.Image:
        plane = _reduced(path, "L", size, LUMA_SHARE)
        return plane.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)

    def colors() -> list[Image.Image]:
        _, *planes = _reduced(path, "YCbCr", half(size), color_share).split()
        return [one.resize(half(size), Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP) for one in planes]

    with ThreadPoolExecutor(1) as beside:
        halves = beside.submit(colors)
        return Planes(luma(), *halves.result())


def reduce(image: Image.Image, mode: str, size: tuple[int, int], share: float = LUMA_SHARE) -> None:
    """Has a JPEG not yet decoded come out at a half, a quarter or an eighth, while that is at least share × size."""
    image.draft(mode, (max(1, int(size[0] * share)), max(1, int(size[1] * share))))


def _reduced(path: Path, mode: str, size: tuple[int, int], share: float) -> Image.Image:
    with Image.open(path, formats=("JPEG",)) as image:
        reduce(image, mode, size, share)
        image.load()
    return image

"""Stills as JPEG, at the best quality that fits a cap in bytes."""

import io
import math
from dataclasses import dataclass

from PIL import Image

from services.transcoder.domain.planning import Jpeg

# A file this close under its cap is worth no further try: the next quality step would not be seen.
NEAR = 0.93
# Natural log of bytes per step of quality, between 88 and 40: measured on photographs; only the first guess uses it.
FIRST_SLOPE = 0.022
SHRINK = 0.8
SHRINKS = 4


@dataclass(frozen=True, slots=True)
class Encoded:
    """A JPEG file, and what it was made with. width, height: pixels; quality: Pillow's scale."""

    data: bytes
    width: int
    height: int
    quality: int


class Stills:
    """Renditions of one picture: no size is scaled twice, and no quality of a size encoded twice.

    Args:
        picture: RGB, sRGB, upright; at least as large as the largest rendition asked for.
    """

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture
        self._scaled: dict[tuple[int, int], Image.Image] = {picture.size: picture}
        self._made: dict[tuple[Jpeg, int], Encoded] = {}

    def make(self, wanted: Jpeg, limit_bytes: int) -> Encoded | None:
        """Encodes one still of at most `limit_bytes`.

        The best quality that fits is taken; when even the worst does not, the picture is made smaller, by a fifth at a
        time and four times at most.

        Returns:
            Baseline JPEG, 4:2:0, without metadata; None when nothing fits.
        """
        for _ in range(SHRINKS + 1):
            if found := self._search(wanted, limit_bytes):
                return found
            wanted = wanted.smaller(SHRINK)
        return None

    def _search(self, wanted: Jpeg, limit_bytes: int) -> Encoded | None:
        """The best quality that fits: by the secant on the logarithm of the size, since that is nearly a line."""
        best, worst = wanted.quality
        above = self._encode(wanted, best)
        if len(above.data) <= limit_bytes:
            return above
        below: Encoded | None = None
        slope = FIRST_SLOPE
        while above.quality - (below.quality if below else worst - 1) > 1:
            excess = math.log(len(above.data) / limit_bytes) - math.log((1 + NEAR) / 2)
            guess = above.quality - math.ceil(excess / slope)
            lowest = below.quality + 1 if below else worst
            tried = self._encode(wanted, max(lowest, min(above.quality - 1, guess)))
            if len(tried.data) > limit_bytes:
                slope = _slope(above, tried)
                above = tried
            else:
                if len(tried.data) >= NEAR * limit_bytes:
                    return tried
                slope = _slope(above, tried)
                below = tried
        return below

    def _encode(self, wanted: Jpeg, quality: int) -> Encoded:
        key = (wanted, quality)
        if key not in self._made:
            buffer = io.BytesIO()
            self._scale(wanted).save(buffer, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
            self._made[key] = Encoded(buffer.getvalue(), *wanted.size, quality)
        return self._made[key]

    def _scale(self, wanted: Jpeg) -> Image.Image:
        size = (wanted.width, wanted.height)
        if size not in self._scaled:
            self._scaled[size] = self._picture.resize(size, Image.Resampling.LANCZOS)
        if wanted.canvas is None:
            return self._scaled[size]
        canvas = Image.new("RGB", wanted.canvas, "white")
        canvas.paste(self._scaled[size], ((canvas.width - wanted.width) // 2, (canvas.height - wanted.height) // 2))
        return canvas


def _slope(above: Encoded, below: Encoded) -> float:
    steps = above.quality - below.quality
    return max(0.002, math.log(len(above.data) / len(below.data)) / steps)

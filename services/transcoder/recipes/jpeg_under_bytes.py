"""Stills as JPEG, at the best quality that fits a cap in bytes."""

import io
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from services.transcoder.domain.planning import Jpeg
from services.transcoder.engine.jpeg_weight import Weight
from services.transcoder.engine.planes import Planes

# A picture that is expected this far above its cap is not encoded at the top quality to make sure.
HOPELESS = 1.05
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
    """Renditions of one picture: of sizes the last one is kept, of files those that were small enough for somebody.

    Whoever has the largest limit should ask first: then no quality of a size is encoded twice.

    Args:
        picture: At least as large as the largest rendition asked for.
        sizes: Those that will most likely be asked for, in that order.
        beside: Where each of them is scaled while the one before is encoded.
    """

    def __init__(
        self, picture: Planes, *, sizes: Iterable[tuple[int, int]] = (), beside: Executor | None = None
    ) -> None:
        self._picture = picture
        self._scaled = picture
        self._coming = deque(dict.fromkeys(size for size in sizes if size != picture.size))
        self._beside = beside
        self._ahead: Future[Planes] | None = None
        self._scale_ahead()
        self._made: dict[tuple[Jpeg, int], Encoded] = {}
        self._sizes: dict[tuple[Jpeg, int], int] = {}

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
        """The best quality that fits: the top one, or else where the picture's weight says that the limit is."""
        best, worst = wanted.quality
        if self._at_least(wanted, best) < HOPELESS * limit_bytes and (top := self._fitting(wanted, best, limit_bytes)):
            return top
        weight = self._weight(wanted)
        found: Encoded | None = None
        lowest, highest = worst, best - 1
        while lowest <= highest and not (found and weight.expected(lowest) > limit_bytes):
            guess = next((one for one in range(highest, lowest, -1) if weight.expected(one) <= limit_bytes), lowest)
            tried = self._fitting(wanted, guess, limit_bytes)
            weight.learn(guess, self._sizes[wanted, guess])
            if tried is None:
                highest = guess - 1
            else:
                found, lowest = tried, guess + 1
        return found

    def _at_least(self, wanted: Jpeg, quality: int) -> float:
        """Bytes it will have, told from larger renditions at that quality: a smaller one has more for each pixel."""
        area = wanted.width * wanted.height
        larger = (
            size * area / (one.width * one.height)
            for (one, at), size in self._sizes.items()
            if at == quality and one.width * one.height >= area
        )
        return max(larger, default=0.0)

    def _weight(self, wanted: Jpeg) -> Weight:
        """By what was met: of itself, or else of the whole picture."""
        weight, all_of_it = Weight(self._scale(wanted)), (*self._picture.size, None)
        own = [(quality, size) for (one, quality), size in self._sizes.items() if one == wanted]
        whole = [
            (quality, size)
            for (one, quality), size in self._sizes.items()
            if (one.width, one.height, one.canvas) == all_of_it
        ]
        if own:
            weight.learn(*own[-1])
        elif whole:
            known = Weight(self._picture)
            known.learn(*whole[-1])
            weight.learn_from(known)
        return weight

    def _fitting(self, wanted: Jpeg, quality: int, limit_bytes: int) -> Encoded | None:
        """At that quality, if it fits."""
        key = (wanted, quality)
        if self._sizes.get(key, 0) > limit_bytes:
            return None
        if key not in self._made:
            data = self._encoded(wanted, quality)
            self._sizes[key] = len(data)
            if len(data) > limit_bytes:
                return None
            self._made[key] = Encoded(data, *wanted.size, quality)
        return self._made[key]

    def _encoded(self, wanted: Jpeg, quality: int) -> bytes:
        buffer = io.BytesIO()
        image = self._scale(wanted).encodable()
        image.save(buffer, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
        return buffer.getvalue()

    def _scale(self, wanted: Jpeg) -> Planes:
        size = (wanted.width, wanted.height)
        if size != self._scaled.size:
            self._scaled = self._resized(size)
        return self._scaled if wanted.canvas is None else self._scaled.on_white(wanted.canvas)

    def _resized(self, size: tuple[int, int]) -> Planes:
        if self._ahead is None or self._coming[0] != size:
            return self._picture.resized(size)
        found = self._ahead.result()
        self._coming.popleft()
        self._scale_ahead()
        return found

    def _scale_ahead(self) -> None:
        """Of what is coming, the first."""
        if self._beside is None or not self._coming:
            self._ahead = None
        else:
            self._ahead = self._beside.submit(self._picture.resized, self._coming[0])

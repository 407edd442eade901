"""Pictures as JPEG holds them, which costs less to scale than pixels of three colours, and loses nothing on the way."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

# Of Image.resize(): larger steps begin with plain averages, which cannot be told apart afterwards.
REDUCING_GAP = 3.0


@dataclass(frozen=True, slots=True)
class Planes:
    """One picture: luma, and the two colour differences at half its width and height, rounded up (4:2:0).

    Eight bits each, full range, ITU-R BT.601 of sRGB: what JFIF says. luma, blue, red: images of mode L.
    """

    luma: Image.Image
    blue: Image.Image
    red: Image.Image

    @classmethod
    def of(cls, picture: Image.Image) -> "Planes":
        """From RGB."""
        luma, *colors = picture.convert("YCbCr").split()
        return cls(luma, *(plane.reduce(2) for plane in colors))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.luma.size

    def resized(self, size: tuple[int, int]) -> "Planes":
        """At another size."""
        if size == self.size:
            return self
        return self._each(
            lambda plane: plane.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP),
            lambda plane: plane.resize(half(size), Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP),
        )

    def turned(self, how: Image.Transpose) -> "Planes":
        """Flipped, or turned by right angles."""
        return self._each(lambda plane: plane.transpose(how), lambda plane: plane.transpose(how))

    def on_white(self, canvas: tuple[int, int]) -> "Planes":
        """In the middle of a white picture of that size, which is at least as large."""
        # Even, so that both kinds of planes move alike.
        left, top = ((outer - inner) // 4 * 2 for outer, inner in zip(canvas, self.size, strict=True))

        def place(plane: Image.Image, size: tuple[int, int], white: int, at: tuple[int, int]) -> Image.Image:
            found = Image.new("L", size, white)
            found.paste(plane, at)
            return found

        return self._each(
            lambda plane: place(plane, canvas, 255, (left, top)),
            lambda plane: place(plane, half(canvas), 128, (left // 2, top // 2)),
        )

    def encodable(self) -> Image.Image:
        """YCbCr, from which an encoder that halves colours gets these planes back, to the bit."""
        width, height = self.size
        box = (0, 0, width / 2, height / 2)
        colors = (plane.resize(self.size, Image.Resampling.NEAREST, box) for plane in (self.blue, self.red))
        found = Image.merge("YCbCr", (self.luma, *colors))
        found.info.clear()  # where a source's comment travels along
        return found

    def rgb(self) -> Image.Image:
        """To look at."""
        colors = (plane.resize(self.size, Image.Resampling.BICUBIC) for plane in (self.blue, self.red))
        return Image.merge("YCbCr", (self.luma, *colors)).convert("RGB")

    def _each(
        self, luma: Callable[[Image.Image], Image.Image], color: Callable[[Image.Image], Image.Image]
    ) -> "Planes":
        return Planes(luma(self.luma), color(self.blue), color(self.red))


def half(size: tuple[int, int]) -> tuple[int, int]:
    """Of the planes of colour."""
    return (size[0] + 1) // 2, (size[1] + 1) // 2

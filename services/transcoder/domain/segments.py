"""Long films are encoded in segments, side by side on whatever transcoders are idle, and joined by copying."""

from dataclasses import dataclass
from fractions import Fraction

GROUP_S = 2  # of pictures, which can be decoded without those before and behind


@dataclass(frozen=True, slots=True)
class Cut:
    """A film in `of` segments, each of `seconds`, whole groups of pictures; the last goes on to the end."""

    of: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Segment:
    """The n-th of a cut's, from 0."""

    n: int
    of: int
    seconds: int

    def frames(self, rate: Fraction) -> tuple[int, int | None]:
        """Which frames of a rendition it holds: the first, and how many; None: all there are from it on."""
        count = round(GROUP_S * rate) * self.seconds // GROUP_S
        return self.n * count, None if self.n == self.of - 1 else count


@dataclass(frozen=True, slots=True)
class Encoded:
    """A cut's segments in a folder."""

    folder: str
    of: int
    seconds: int

    @staticmethod
    def name(n: int, digest: str) -> str:
        """Of the n-th of the rendition with that digest."""
        return f"{n}-{digest}.mp4"

"""Which walker goes over which format, and the verdict at its end."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.common.errors import Code
from services.scanner.structure import gif, jpeg, matroska, png, webp
from services.scanner.structure.bmff import files
from services.scanner.structure.reading import Reader, Refused, Steps

WALKERS: Mapping[str, Callable[[Reader], Steps[None]]] = {
    "image/jpeg": jpeg.walk,
    "image/png": png.walk,
    "image/gif": gif.walk,
    "image/webp": webp.walk,
    "image/heic": files.picture,
    "image/heif": files.picture,
    "image/avif": files.picture,
    "video/mp4": files.film,
    "video/quicktime": files.film,
    "video/webm": matroska.walk,
}
# What arithmetic on a file's own numbers can raise. The fuzzers have met none; a file that does ends here all the same.
_STUMBLED = (ArithmeticError, LookupError, ValueError, struct.error)
STUMBLED = "the walker stumbled"


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why no decoder may see it: one of the public media codes, and a word for the log."""

    code: Code
    why: str


class Walk:
    """One file, as it comes by.

    Args:
        content_type: As its first bytes said; a type without a walker is accepted.
        size_bytes: Of the whole file.
    """

    def __init__(self, content_type: str, size_bytes: int) -> None:
        walker = WALKERS.get(content_type)
        self._reader = Reader(size_bytes)
        self._steps = walker(self._reader) if walker else None
        self._found: Malformed | None = None
        self._go()

    def feed(self, chunk: bytes) -> None:
        """The next bytes. Costs nothing once the verdict is known."""
        if self._steps is not None:
            self._reader.feed(chunk)
            self._go()

    def verdict(self) -> Malformed | None:
        """After the last byte. None: nothing to object to."""
        if self._steps is not None:
            self._found, self._steps = Malformed(Code.MEDIA_CORRUPT, "it ends too early"), None
        return self._found

    def _go(self) -> None:
        if self._steps is None:
            return
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
        except Refused as exc:
            self._found, self._steps = Malformed(exc.code, exc.why), None
        except _STUMBLED as exc:
            self._found, self._steps = Malformed(Code.MEDIA_CORRUPT, f"{STUMBLED}: {exc!r}"), None

"""How a walker reads: a file that comes in chunks, forwards only, none of it kept.

A walker is a generator. It yields whenever it needs more than has come, and is run on when there is more; so it can be
written as if the file lay in front of it, and holds no more of it than the part it looks at.
"""

import re
import sys
from array import array
from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

from services.common.errors import Code
from services.scanner.structure.ceilings import (
    BYTES_PER_PART,
    FREE_PARTS,
    MAX_IMAGE_EDGE_PX,
    MAX_IMAGE_PX,
    MAX_METADATA_BYTES,
    MAX_PARTS,
)

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]

_BLOCK_BYTES = 1 << 16
_SUB_BLOCK_BYTES = 8  # GIF: fewer on average are no picture's


class Refused(Exception):  # noqa: N818  a verdict, not a failure of ours
    """The file ends here. code is public, why is for the log."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code
        self.why = why


def corrupt(why: str) -> Refused:
    """It does not follow its format."""
    return Refused(Code.MEDIA_CORRUPT, why)


class Reader:
    """What has come of a file of `size` bytes and was not looked at yet.

    Reading past the end is told at once, not when the end has come.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._came = 0
        self._data = b""
        self._at = 0
        self._parts = 0
        self._metadata = 0

    @property
    def position(self) -> int:
        """Of the next byte, from the start of the file."""
        return self._came - len(self._data) + self._at

    @property
    def left(self) -> int:
        """Bytes from here to the end of the file."""
        return self.size - self.position

    def feed(self, chunk: bytes) -> None:
        """More of the file."""
        self._came += len(chunk)
        self._data = chunk if self._at == len(self._data) else self._data[self._at :] + chunk
        self._at = 0

    def part(self) -> None:
        """Counts one more box, chunk, segment or element."""
        self._parts += 1
        if self._parts > FREE_PARTS and self._parts > min(MAX_PARTS, FREE_PARTS + self.position // BYTES_PER_PART):
            raise Refused(Code.MEDIA_TOO_COMPLEX, f"{self._parts} parts in {self.position} bytes")

    def metadata(self, size: int) -> None:
        """Counts bytes that are no picture and no sound."""
        self._metadata += size
        if self._metadata > MAX_METADATA_BYTES:
            raise Refused(Code.MEDIA_METADATA_TOO_LARGE, f"{self._metadata} bytes of metadata")

    def window(self) -> tuple[bytes, int]:
        """What has come and was not kept waiting, and where in it the next byte is; for loops that must be fast."""
        return self._data, self._at

    def move(self, at: int) -> None:
        """Sets where in the window the next byte is."""
        self._at = at

    def take(self, n: int) -> Steps[bytes]:
        """The next `n` bytes."""
        if n > self.left:
            raise corrupt(f"it ends within a part at {self.position}")
        while len(self._data) - self._at < n:
            yield
        self._at += n
        return self._data[self._at - n : self._at]

    def skip(self, n: int) -> Steps[None]:
        """Past the next `n` bytes."""
        if not 0 <= n <= self.left:
            raise corrupt(f"it ends within a part at {self.position}")
        while n > len(self._data) - self._at:
            n -= len(self._data) - self._at
            self._at = len(self._data)
            yield
        self._at += n

    def number(self, n: int) -> Steps[int]:
        """The next `n` bytes as a big-endian number."""
        return int.from_bytes((yield from self.take(n)), "big")

    def find(self, mark: re.Pattern[bytes]) -> Steps[None]:
        """To where the next two bytes match.

        Args:
            mark: A pattern two bytes long.
        """
        while True:
            found = mark.search(self._data, self._at)
            if found:
                self._at = found.start()
                return
            if self._came >= self.size:
                raise corrupt("it ends before what must follow")
            self._at = max(self._at, len(self._data) - 1)
            yield

    def sub_blocks(self) -> Steps[int]:
        """Past a chain of GIF sub-blocks, each led by its length, the last of length 0. Returns their size."""
        start = self.position
        blocks = 0
        while True:
            data, at, end = self._data, self._at, len(self._data)
            length = -1
            while at < end:
                length = data[at]
                at += 1 + length
                blocks += 1
                if not length:
                    break
            self._at = min(at, end)
            yield from self.skip(max(0, at - end))
            size = self.position - start
            if length == 0:
                return size
            if blocks > FREE_PARTS + size // _SUB_BLOCK_BYTES:
                raise Refused(Code.MEDIA_TOO_COMPLEX, f"{blocks} blocks in {size} bytes")
            if not self.left:
                raise corrupt("it ends within a chain of blocks")
            if self._at == len(self._data):
                yield

    def table(self, size: int, unit: int, see: Callable[["array[int]"], None], kind: str = "I") -> Steps[None]:
        """Shows `see` the next `size` bytes, as numbers, block by block. unit: bytes of one row; kind: array's."""
        block = _BLOCK_BYTES - _BLOCK_BYTES % unit
        while size > 0:
            piece = yield from self.take(min(size, block))
            size -= len(piece)
            numbers = array(kind, piece)
            if sys.byteorder == "little":
                numbers.byteswap()
            see(numbers)


def check_picture(width: int, height: int) -> None:
    """Refuses a picture, or an animation's canvas, that no decoder here takes."""
    if not width or not height:
        raise corrupt(f"{width} x {height}")
    if max(width, height) > MAX_IMAGE_EDGE_PX:
        raise Refused(Code.MEDIA_DIMENSIONS_EXCEEDED, f"{width} x {height}")
    if width * height > MAX_IMAGE_PX:
        raise Refused(Code.MEDIA_PIXELS_EXCEEDED, f"{width} x {height}")

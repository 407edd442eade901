"""What an upload consists of, and the order it has to come in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.common.errors import Code, MediaError, Violation
from services.ingest.domain.formats import SNIFF_BYTES, Kind


@dataclass(frozen=True, slots=True)
class Start:
    """The file begins."""

    filename: str


@dataclass(frozen=True, slots=True)
class End:
    """The client said everything it had to say. kind None: whatever the bytes are."""

    kind: Kind | None
    alt_text: str | None


Frame = Start | bytes | End


class Frames:
    """Reads one upload's frames in the only order they may have."""

    def __init__(self, frames: AsyncIterator[Frame]) -> None:
        self._frames = frames
        self._end: End | None = None

    async def start(self) -> Start:
        """Raises MediaError: MEDIA_MISSING_FILE."""
        first = await anext(self._frames, None)
        if isinstance(first, Start):
            return first
        if first is None or isinstance(first, End):
            raise MediaError(Code.MEDIA_MISSING_FILE)
        raise _disorder()

    async def head(self) -> bytes:
        """The first bytes: as many as tell the format, or all there are.

        Raises:
            MediaError: MEDIA_EMPTY.
        """
        head = bytearray()
        while len(head) < SNIFF_BYTES and (chunk := await self.chunk()) is not None:
            head += chunk
        if not head:
            raise MediaError(Code.MEDIA_EMPTY)
        return bytes(head)

    async def chunk(self) -> bytes | None:
        """The next bytes; None after the last.

        Raises:
            MediaError: MULTIPART_MALFORMED, the stream broke off before its end was told.
        """
        if self._end is not None:
            return None
        frame = await anext(self._frames, None)
        if isinstance(frame, bytes):
            return frame
        if frame is None:
            raise MediaError(Code.MULTIPART_MALFORMED, why="the upload ended in the middle")
        if isinstance(frame, Start):
            raise _disorder()
        if await anext(self._frames, None) is not None:
            raise _disorder()
        self._end = frame
        return None

    @property
    def end(self) -> End:
        """What was said at the end; there once `chunk` gave None."""
        if self._end is None:
            raise _disorder()
        return self._end


def _disorder() -> MediaError:
    return MediaError(Code.INVALID_REQUEST, violations=(Violation("file", "Header, chunks, trailer: in this order."),))

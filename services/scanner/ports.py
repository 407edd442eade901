"""What the scanner needs from the world, in its own words."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol


class Objects(Protocol):
    """Reads quarantined objects.

    Raises MediaError: OBJECT_CHANGED when the object's etag is another, NOT_FOUND when there is none, UNAVAILABLE when
    the store is.
    """

    def read(self, key: str, *, if_match: str | None = None) -> AsyncGenerator[bytes, None]: ...


class Engine(Protocol):
    """A virus scanner. Its answers are its own words; `domain.finding` and `domain.parse_version` read them."""

    async def scan(self, chunks: AsyncIterator[bytes]) -> str:
        """Streams all chunks, then returns the answer.

        Raises:
            MediaError: SCANNER_UNAVAILABLE, no answer came, or one before the end that is no refusal.
        """
        ...

    async def version(self) -> str: ...


class Meter(Protocol):
    """Numbers for operators."""

    def scanned(self, outcome: str, size_bytes: int, elapsed_s: float) -> None: ...

    def tested(self, *, found: bool, signature_age_s: float | None) -> None: ...

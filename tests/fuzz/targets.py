"""What must hold whatever bytes a walker meets, and the kept seeds: small whole files, and those once found."""

import time
from collections.abc import Iterator
from pathlib import Path

from services.common.errors import TABLE, Code
from services.scanner.structure.walking import STUMBLED, Malformed, Walk

SEEDS = Path(__file__).parent / "seeds"
MAX_S = 0.5  # of the processor, for a file of some kilobytes; bombs of real size are tried in the unit tests
CODES = frozenset(
    (
        Code.MEDIA_CORRUPT,
        Code.MEDIA_DIMENSIONS_EXCEEDED,
        Code.MEDIA_DURATION_EXCEEDED,
        Code.MEDIA_FRAMES_EXCEEDED,
        Code.MEDIA_METADATA_TOO_LARGE,
        Code.MEDIA_PIXELS_EXCEEDED,
        Code.MEDIA_TOO_COMPLEX,
    )
)


class Broken(AssertionError):  # noqa: N818  a property is, not this program
    """A walker did something else than to give a verdict."""


def content_types() -> list[str]:
    """Those there are seeds for: all that have a walker."""
    return sorted(folder.name.replace("-", "/", 1) for folder in SEEDS.iterdir())


def seeds(content_type: str) -> Iterator[bytes]:
    """All of one type, in the same order each time."""
    for path in sorted((SEEDS / content_type.replace("/", "-", 1)).iterdir()):
        yield path.read_bytes()


def check(content_type: str, data: bytes, *, chunk_bytes: int = 13) -> Malformed | None:
    """The verdict on `data`.

    Raises:
        Broken: It took too long, is none of the documented codes, comes out of a mistake of the walker's, or depends
            on how the file was cut into chunks.
    """
    started = time.process_time()
    whole = _walked(content_type, data, max(1, len(data)))
    if time.process_time() - started > MAX_S:
        raise Broken(f"{time.process_time() - started:.2f} s for {len(data)} bytes")
    if whole is not None and (whole.code not in CODES or TABLE[whole.code].http != 422):
        raise Broken(f"{whole.code} is not documented")
    if whole is not None and whole.why.startswith(STUMBLED):
        raise Broken(whole.why)
    pieces = _walked(content_type, data, chunk_bytes)
    if (whole and whole.code) != (pieces and pieces.code):
        raise Broken(f"{whole} at once, but {pieces} in pieces")
    return whole


def _walked(content_type: str, data: bytes, chunk_bytes: int) -> Malformed | None:
    walk = Walk(content_type, len(data))
    for at in range(0, len(data), chunk_bytes):
        walk.feed(data[at : at + chunk_bytes])
    return walk.verdict()

"""ISO-BMFF files from their first box to their last: films (MP4, MOV) and pictures (HEIC, HEIF, AVIF).

Cameras put notes of their own behind the last box, and writers pad with zeros: once everything a decoder needs has
come whole, what is no box ends the file.
"""

from services.scanner.structure.bmff.boxes import HEADER_BYTES, BadBoxError, Box, header, leave
from services.scanner.structure.bmff.heif import Items
from services.scanner.structure.bmff.movie import Movie
from services.scanner.structure.reading import Reader, Steps, corrupt

# Of these, none may be cut off.
_REGISTERED = frozenset(
    (
        b"ftyp",
        b"moov",
        b"moof",
        b"mdat",
        b"meta",
        b"idat",
        b"free",
        b"skip",
        b"wide",
        b"uuid",
        b"udta",
        b"sidx",
        b"styp",
    )
)


def film(reader: Reader) -> Steps[None]:
    """Raises Refused."""
    movie, media = Movie(reader), False
    while reader.left >= HEADER_BYTES:
        box = yield from _outermost(reader, complete=movie.found and media)
        if box is None:
            break
        if box.kind == b"moov":
            yield from movie.read(box.end)
        elif box.kind == b"moof":
            yield from movie.fragment(box.end)
        elif box.kind in (b"udta", b"meta"):
            yield from movie.notes(box.end)
        media = media or box.kind == b"mdat"
        yield from leave(reader, box.end)
    movie.check_film()


def picture(reader: Reader) -> Steps[None]:
    """Raises Refused."""
    movie, items, media = Movie(reader), Items(reader), False
    while reader.left >= HEADER_BYTES:
        box = yield from _outermost(reader, complete=(items.found or movie.found) and media)
        if box is None:
            break
        if box.kind == b"meta":
            yield from items.read(box.end)
        elif box.kind == b"moov":
            yield from movie.read(box.end)
        media = media or box.kind in (b"mdat", b"meta")
        yield from leave(reader, box.end)
    items.check()
    if not items.pictured and not movie.found:
        raise corrupt("no picture")
    movie.check_animation()


def _outermost(reader: Reader, *, complete: bool) -> Steps[Box | None]:
    """The next box; None where the boxes end."""
    try:
        return (yield from header(reader, reader.size, outermost=True))
    except BadBoxError as exc:
        if complete and exc.kind not in _REGISTERED:
            return None
        raise corrupt(str(exc)) from exc

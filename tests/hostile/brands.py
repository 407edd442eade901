"""Pictures that call themselves films in `ftyp`, and films that call themselves pictures."""

from collections.abc import Mapping

from tests.hostile.samples import sample
from tests.unit.scanner.structure.boxes import box

Outcome = tuple[int, str]
READY, CORRUPT, UNSUPPORTED = (201, ""), (422, "media_corrupt"), (415, "media_type_unsupported")
# Told by a decoder, which sees it after the answer.
CORRUPT_AFTERWARDS = (201, "media_corrupt")
REFUSED = {CORRUPT, UNSUPPORTED, CORRUPT_AFTERWARDS}


def branded(content_type: str, major: bytes, *compatible: bytes) -> bytes:
    """That type's sample under other brands; `ftyp` keeps its size, since all offsets count from before it."""
    whole = sample(content_type)
    size = int.from_bytes(whole[:4], "big")
    room = (size - 16) // 4
    brands = (*compatible, *[compatible[-1]] * room)[:room]
    return box(b"ftyp", major, bytes(4), *brands) + whole[size:]


MP4, MOV, AVIF, HEIC = "video/mp4", "video/quicktime", "image/avif", "image/heic"
SWAPPED: Mapping[str, tuple[bytes, set[Outcome]]] = {
    "film-as-avif": (branded(MP4, b"avif", b"avif", b"mif1"), REFUSED),
    "film-as-animated-avif": (branded(MP4, b"avis", b"avis", b"avif"), REFUSED),
    "film-as-heic": (branded(MOV, b"heic", b"mif1", b"heic"), REFUSED),
    "film-as-heif": (branded(MP4, b"mif1", b"mif1"), REFUSED),
    "film-and-picture": (branded(MP4, b"isom", b"isom", b"heic"), {UNSUPPORTED}),
    "film-as-sound": (branded(MP4, b"M4A ", b"isom"), {UNSUPPORTED}),
    "film-of-no-brand": (branded(MP4, b"zzzz", b"zzzz"), {UNSUPPORTED}),
    "mp4-as-mov": (branded(MP4, b"qt  ", b"qt  "), {READY}),
    "mov-as-mp4": (branded(MOV, b"isom", b"mp42"), {READY}),
    "avif-as-film": (branded(AVIF, b"isom", b"mp42"), REFUSED),
    "avif-as-mov": (branded(AVIF, b"qt  ", b"qt  "), REFUSED),
    "avif-as-animated": (branded(AVIF, b"avis", b"avis"), REFUSED),
    "avif-as-heic": (branded(AVIF, b"heic", b"mif1", b"heic"), REFUSED),
    "heic-as-avif": (branded(HEIC, b"avif", b"avif", b"mif1"), REFUSED),
    "heic-as-film": (branded(HEIC, b"mp42", b"isom", b"mp42"), REFUSED),
    "heic-as-raw-photo": (branded(HEIC, b"crx ", b"isom"), {UNSUPPORTED}),
}

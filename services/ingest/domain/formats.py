"""Which formats are taken in, told by the first bytes alone. Names and declared types play no part."""

from dataclasses import dataclass
from enum import StrEnum

SNIFF_BYTES = 4096  # as much as any rule below looks at
REQUEST_LIMIT_BYTES = 100_000_000  # one plain upload; more has to come in resumable pieces


class Kind(StrEnum):
    """What a media item is to a caller."""

    IMAGE = "image"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the allow-list. libmagic must call the bytes one of `libmagic`, else they are refused."""

    name: str
    kind: Kind
    content_type: str
    max_bytes: int
    libmagic: frozenset[str]

    @property
    def request_limit_bytes(self) -> int:
        """How many bytes one plain upload of this format may have."""
        return min(self.max_bytes, REQUEST_LIMIT_BYTES)


IMAGE_LIMIT_BYTES = 8_000_000
GIF_LIMIT_BYTES = 50_000_000
VIDEO_LIMIT_BYTES = 500_000_000

_HEIF = ("image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence")
# libmagic knows fewer ISO-BMFF brands than phones write: "no idea" is no objection there, another type is.
_UNKNOWN = "application/octet-stream"


def _image(name: str, *libmagic: str, limit: int = IMAGE_LIMIT_BYTES) -> Format:
    return Format(name, Kind.IMAGE, f"image/{name}", limit, frozenset(libmagic or (f"image/{name}",)))


def _video(name: str, content_type: str, *libmagic: str) -> Format:
    return Format(name, Kind.VIDEO, content_type, VIDEO_LIMIT_BYTES, frozenset((content_type, *libmagic)))


JPEG = _image("jpeg")
PNG = _image("png", "image/png", "image/apng", "image/vnd.mozilla.apng")
GIF = _image("gif", limit=GIF_LIMIT_BYTES)
WEBP = _image("webp")
HEIC = _image("heic", *_HEIF, _UNKNOWN)
HEIF = _image("heif", *_HEIF, _UNKNOWN)
AVIF = _image("avif", "image/avif", "image/avif-sequence", *_HEIF, _UNKNOWN)
MP4 = _video("mp4", "video/mp4", "video/x-m4v", "video/quicktime", "video/3gpp", "video/3gpp2", _UNKNOWN)
MOV = _video("mov", "video/quicktime", "video/mp4", _UNKNOWN)
WEBM = _video("webm", "video/webm", "video/x-matroska")

FORMATS = (JPEG, PNG, GIF, WEBP, HEIC, HEIF, AVIF, MP4, MOV, WEBM)
BY_CONTENT_TYPE = {row.content_type: row for row in FORMATS}

# Brands as registered at mp4ra.org; HEIF's in ISO/IEC 23008-12, AVIF's in the AOM specification.
_IMAGE_BRANDS = {
    **dict.fromkeys(("heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"), HEIC),
    **dict.fromkeys(("mif1", "mif2", "msf1"), HEIF),
    **dict.fromkeys(("avif", "avis"), AVIF),
}
_VIDEO_BRANDS = {
    **dict.fromkeys((f"iso{n}" for n in "m23456789abc"), MP4),
    **dict.fromkeys(("mp41", "mp42", "avc1", "dash", "M4V ", "M4VH", "M4VP", "cmfc", "hvc1", "av01"), MP4),
    "qt  ": MOV,
}
# ISO-BMFF too, and often with "isom" among their compatible brands, but sound, raw photos or JPEG 2000.
_REFUSED_MAJORS = frozenset(("M4A ", "M4B ", "M4P ", "F4A ", "F4B ", "crx ", "jp2 ", "jpx ", "jpm ", "mjp2", "mj2s"))


def sniff(head: bytes) -> Format | None:
    """The format these first bytes belong to, or None for everything that is not taken in.

    Args:
        head: The first SNIFF_BYTES of the file, or all of a shorter one.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"):
        return PNG
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return GIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head.startswith(b"\x1a\x45\xdf\xa3") and _doc_type(head) == b"webm":
        return WEBM
    return None


def _by_brand(head: bytes) -> Format | None:
    """The major brand decides; an unknown one (cameras have their own) is known by the company it keeps."""
    size = int.from_bytes(head[:4], "big")
    if not 16 <= size <= min(len(head), SNIFF_BYTES) or size % 4:
        return None
    major, *compatible = (head[at : at + 4].decode("latin-1") for at in (8, *range(16, size, 4)))
    if major in _REFUSED_MAJORS:
        return None
    if major in _IMAGE_BRANDS:
        # "mif1" only says "some HEIF"; the codec's own brand stands among the compatible ones.
        named = _IMAGE_BRANDS[major]
        inner = (_IMAGE_BRANDS[brand] for brand in compatible if brand in _IMAGE_BRANDS)
        return next((row for row in inner if row is not HEIF), named) if named is HEIF else named
    if any(brand in _IMAGE_BRANDS for brand in compatible):
        return None  # says it is a picture and a film: whoever reads it next would choose for us
    if major in _VIDEO_BRANDS:
        return _VIDEO_BRANDS[major]
    return next((_VIDEO_BRANDS[brand] for brand in compatible if brand in _VIDEO_BRANDS), None)


def _doc_type(head: bytes) -> bytes | None:
    """DocType (element 0x4282) of an EBML header, RFC 8794; None when it is not whole within `head`."""
    size, at = _vint(head, 4)
    end = at + size
    while at < min(end, len(head) - 2):
        id_width = 9 - head[at].bit_length()
        element = head[at : at + id_width]
        size, at = _vint(head, at + id_width)
        if element == b"\x42\x82":
            return head[at : at + size].rstrip(b"\x00") if at + size <= min(end, len(head)) else None
        at += size
    return None


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """An EBML variable-length size and the offset after it; past the end it is endless, which ends any search."""
    if at >= len(data) or not data[at]:
        return len(data), len(data)
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return value, at + width

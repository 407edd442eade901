"""Header fields of the upload dialects, parsed; pure."""

import base64
import binascii
import re
from dataclasses import dataclass

from mediaapi.v1 import ingest_service_pb2 as pb

from services.common.errors import Code, MediaError, Violation

MAX_METADATA_BYTES = 4096
_INTEGER = re.compile(r"0|[1-9]\d{0,17}")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.IGNORECASE)
_DIGEST = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):")
_FILENAME = re.compile(r";[ \t]*filename=(\"(?:[^\"\\]|\\.)*\"|[^\s;\"]+)", re.IGNORECASE)
_UPLOAD_URL = re.compile(r"(?:https?://[^/ ]+)?/v1/uploads/([A-Za-z0-9_]+)")
_TUS_DIGESTS = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
_HTTP_DIGESTS = {"sha-256": ("sha256", 32), "sha-512": ("sha512", 64)}
TUS_ALGORITHMS = ",".join(("sha1", "md5", "sha256", "sha512"))


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Of a PUT. first None: none of it is sent, the state is asked for. last is inclusive; total None: not said."""

    first: int | None
    last: int | None
    total: int | None

    @property
    def length(self) -> int:
        """How many bytes it speaks of."""
        return 0 if self.first is None or self.last is None else self.last - self.first + 1


def content_range(text: str) -> ContentRange:
    """Raises: MediaError INVALID_REQUEST."""
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None:
        raise invalid("Content-Range", "Either `bytes first-last/total` or `bytes */total`.")
    first, last, total = (int(part) if part and part != "*" else None for part in match.groups())
    if first is not None and last is not None and (last < first or (total is not None and last >= total)):
        raise invalid("Content-Range", "First, last and total do not go together.")
    return ContentRange(first, last, total)


def integer(name: str, text: str | None) -> int:
    """A byte count that must be there. Raises: MediaError INVALID_REQUEST."""
    found = optional_integer(name, text)
    if found is None:
        raise invalid(name, "Is required.")
    return found


def optional_integer(name: str, text: str | None) -> int | None:
    """A byte count. Raises: MediaError INVALID_REQUEST."""
    if text is None:
        return None
    if not _INTEGER.fullmatch(text.strip()):
        raise invalid(name, "Must be an integer, not negative.")
    return int(text)


def boolean(name: str, text: str | None) -> bool:
    """A structured boolean that must be there. Raises: MediaError INVALID_REQUEST."""
    if text is None or text.strip() not in ("?0", "?1"):
        raise invalid(name, "Must be ?0 or ?1.")
    return text.strip() == "?1"


def content_digest(name: str, text: str | None) -> pb.PieceDigest | None:
    """Content-Digest or Repr-Digest (RFC 9530): the strongest algorithm known here; None where there is none.

    Raises:
        MediaError: INVALID_REQUEST, it is no dictionary of byte sequences, or one is not of its algorithm's length.
    """
    if text is None:
        return None
    found: dict[str, bytes] = {}
    for member in text.split(","):
        match = _DIGEST.fullmatch(member.strip())
        value = _base64(match[2]) if match else None
        if match is None or value is None:
            raise invalid(name, "Must be like sha-256=:<base64>:.")
        if match[1] in _HTTP_DIGESTS and len(value) != _HTTP_DIGESTS[match[1]][1]:
            raise invalid(name, f"{match[1]} has {_HTTP_DIGESTS[match[1]][1]} bytes.")
        found[match[1]] = value
    known = [algorithm for algorithm in ("sha-512", "sha-256") if algorithm in found]
    if not known:
        return None
    return pb.PieceDigest(algorithm=_HTTP_DIGESTS[known[0]][0], value=found[known[0]])


def tus_checksum(text: str | None) -> pb.PieceDigest | None:
    """Upload-Checksum. Raises: MediaError INVALID_REQUEST, an algorithm we do not have, or no checksum of it."""
    if text is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    value = _base64(encoded.strip())
    if _TUS_DIGESTS.get(algorithm) is None or value is None or len(value) != _TUS_DIGESTS[algorithm]:
        raise invalid("Upload-Checksum", f"One of {TUS_ALGORITHMS}, a space, and base64.")
    return pb.PieceDigest(algorithm=algorithm, value=value)


def tus_metadata(text: str | None) -> dict[str, str]:
    """Upload-Metadata: names and texts. Raises: MediaError METADATA_INVALID."""
    if text is None or not text.strip():
        return {}
    if len(text) > MAX_METADATA_BYTES:
        raise _metadata(f"more than {MAX_METADATA_BYTES} bytes")
    found: dict[str, str] = {}
    for pair in text.split(","):
        name, _, encoded = pair.strip().partition(" ")
        value = _base64(encoded.strip())
        if not name or not name.isascii() or name in found:
            raise _metadata("a name is missing, repeated or not ASCII")
        if value is None:
            raise _metadata("a value is not base64")
        try:
            found[name] = value.decode()
        except UnicodeDecodeError as exc:
            raise _metadata("a value is not UTF-8") from exc
        if "\0" in found[name]:
            raise _metadata("a value holds U+0000")
    return found


def tus_concat(text: str | None) -> tuple[str, ...] | None:
    """Upload-Concat: () for a partial upload, for a final one the ids of its parts in order; None: neither.

    Raises:
        MediaError: INVALID_REQUEST.
    """
    if text is None:
        return None
    if text.strip() == "partial":
        return ()
    word, _, urls = text.strip().partition(";")
    matches = [_UPLOAD_URL.fullmatch(url) for url in urls.split()]
    ids = tuple(match[1] for match in matches if match)
    if word != "final" or not ids or len(ids) != len(matches):
        raise invalid("Upload-Concat", "Either `partial`, or `final;` and URLs of uploads.")
    return ids


def filename(disposition: str | None) -> str:
    """The `filename` of a Content-Disposition; "" where there is none."""
    match = _FILENAME.search(disposition) if disposition is not None else None
    if match is None:
        return ""
    text = match[1]
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def invalid(name: str, sentence: str) -> MediaError:
    """What is wrong with one header field."""
    return MediaError(Code.INVALID_REQUEST, violations=[Violation(name, sentence)], field=name)


def _metadata(reason: str) -> MediaError:
    return MediaError(Code.METADATA_INVALID, reason=reason)


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None

"""One file on its way in, in pieces: how far it is, who writes, and what may come next. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.common.errors import Code, MediaError, Violation
from services.ingest.domain.formats import GIF_LIMIT_BYTES, VIDEO_LIMIT_BYTES, Format, Kind

LIFETIME = timedelta(hours=24)
CHUNK_ALIGNMENT = 262_144  # Pieces of other sizes work too. Source: Google's resumable clients cut this way.
LEAST_PART_BYTES = 5 << 20  # Source: Amazon S3, "Multipart upload limits"; so is the next.
MOST_PARTS = 10_000
MOST_STRETCHES = 100


class Phase(StrEnum):
    """Where a session is in its life."""

    RECEIVING = "receiving"
    COMPLETE = "complete"
    REJECTED = "rejected"
    DELETED = "deleted"
    EXPIRED = "expired"


ENDED = frozenset((Phase.REJECTED, Phase.DELETED, Phase.EXPIRED))


@dataclass(frozen=True, slots=True)
class Part:
    """One stored part of the multipart upload."""

    number: int
    etag: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the bytes are not taken, for every later request too."""

    code: str
    details: dict[str, Any] = field(default_factory=dict)

    def to_error(self) -> MediaError:
        """The same as the error of whoever sent them."""
        return MediaError(Code(self.code), **self.details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One session. Its bytes are its parts, then its tail: a small object of what does not fill a part yet."""

    workspace_id: str
    upload_id: str
    media_id: str  # of the item it will become
    phase: Phase = Phase.RECEIVING
    size_bytes: int
    filename: str = ""
    alt_text: str | None = None
    kind: Kind | None = None
    sha256: str = ""  # as declared; "" where nothing was
    partial: bool = False  # of no type, and never an item by itself
    plan: str = ""
    request_id: str = ""
    content_type: str = ""  # once the first bytes told it
    quarantine_key: str
    multipart_id: str = ""
    parts: tuple[Part, ...] = ()
    next_part: int = 1  # never given out twice, so that a late writer cannot overwrite what a newer one stored
    tail_key: str = ""
    tail_bytes: int = 0
    finishing: bool = False  # all bytes are here and the client is done: only sealing is left
    refusal: Refusal | None = None
    in_store: bool = True  # bytes of it may still be stored, and are of no use to anything else
    due_at: datetime | None = None  # when a sweeper looks at it
    created_at: datetime
    expires_at: datetime
    epoch: int = 0  # grows with every writer
    lease_until: datetime | None = None  # of the writer; None: there is none, and the last one left in order
    stop_epoch: int = -1  # the writer of this epoch is asked to store what it has and to leave

    @property
    def offset(self) -> int:
        """Bytes that outlive any crash."""
        if self.phase is Phase.COMPLETE:
            return self.size_bytes
        return sum(part.size_bytes for part in self.parts) + self.tail_bytes

    @property
    def whole(self) -> bool:
        """Every byte is here."""
        return self.offset == self.size_bytes

    def held(self, now: datetime) -> bool:
        """Somebody writes."""
        return self.lease_until is not None and self.lease_until > now

    def claimed(self, now: datetime, lease_s: float) -> "Upload":
        """With a new writer; any older one can store nothing from here on."""
        return replace(self, epoch=self.epoch + 1, lease_until=now + timedelta(seconds=lease_s), stop_epoch=-1)

    def released(self) -> "Upload":
        """Without a writer."""
        return replace(self, lease_until=None, stop_epoch=-1)

    def end(self, phase: Phase, now: datetime) -> "Upload":
        """No byte more. What a person wrote goes at once; the bytes follow."""
        return replace(self, phase=phase, epoch=self.epoch + 1, filename="", alt_text=None, due_at=now, finishing=False)

    def reject(self, refusal: Refusal, now: datetime) -> "Upload":
        """The bytes are at fault."""
        return replace(self.end(Phase.REJECTED, now).released(), refusal=refusal, filename=self.filename)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a client says the bytes of one piece come to. algorithm as hashlib names it."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a request says of itself before its bytes.

    Attributes:
        offset: Where it begins; None: no bytes follow, the state alone is asked for.
        size_bytes: Of the whole file; None: it does not say.   length_bytes: of the piece; None: it does not say.
        open: The client will say by another request that it is done.
    """

    offset: int | None = None
    size_bytes: int | None = None
    length_bytes: int | None = None
    open: bool = False
    digest: Digest | None = None


def check_declared(size_bytes: int, kind: Kind | None, sha256: str) -> None:
    """What a session may be begun with.

    Raises:
        MediaError: MEDIA_TOO_LARGE, whatever type the bytes are; MEDIA_EMPTY; INVALID_REQUEST.
    """
    limit = GIF_LIMIT_BYTES if kind is Kind.IMAGE else VIDEO_LIMIT_BYTES
    if size_bytes > limit:
        raise MediaError(Code.MEDIA_TOO_LARGE, kind=str(kind or Kind.VIDEO), size=size_bytes, limit=limit)
    if size_bytes < 0:
        raise _invalid("sizeBytes", "Must not be negative.")
    if size_bytes == 0:
        raise MediaError(Code.MEDIA_EMPTY)
    if sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
        raise _invalid("sha256", "64 hexadecimal digits in lower case.")


def check_alive(upload: Upload, now: datetime) -> None:
    """Raises MediaError: UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, or what its bytes were refused for."""
    if upload.phase is Phase.DELETED:
        raise unknown(upload.upload_id)
    overdue = upload.phase is Phase.RECEIVING and not upload.finishing and upload.expires_at <= now
    if upload.phase is Phase.EXPIRED or overdue:
        raise MediaError(Code.UPLOAD_EXPIRED, upload_id=upload.upload_id)
    if upload.refusal is not None:
        raise upload.refusal.to_error()


def check_fits(upload: Upload, piece: Piece) -> None:
    """Whether the piece agrees with the session it names, its offset left aside.

    Raises:
        MediaError: UPLOAD_COMPLETE, LENGTH_MISMATCH; MEDIA_TOO_LARGE, it reaches past the end.
    """
    if piece.size_bytes is not None and piece.size_bytes != upload.size_bytes:
        raise MediaError(Code.LENGTH_MISMATCH, size_bytes=upload.size_bytes, upload_id=upload.upload_id)
    if piece.offset is None:
        return
    if upload.phase is Phase.COMPLETE:
        raise MediaError(Code.UPLOAD_COMPLETE, upload_id=upload.upload_id, media_id=upload.media_id)
    if piece.offset + (piece.length_bytes or 0) > upload.size_bytes:
        raise past_end(upload)


def check_format(upload: Upload, format_: Format) -> None:
    """Whether what the bytes are is what was declared.

    Raises:
        MediaError: MEDIA_TYPE_MISMATCH; MEDIA_TOO_LARGE, for this type.
    """
    if upload.kind is not None and upload.kind is not format_.kind:
        raise MediaError(Code.MEDIA_TYPE_MISMATCH, kind=str(upload.kind), found=format_.content_type)
    if upload.size_bytes > format_.max_bytes:
        kind = "gif" if format_.name == "gif" else str(format_.kind)
        raise MediaError(Code.MEDIA_TOO_LARGE, kind=kind, size=upload.size_bytes, limit=format_.max_bytes)


def check_stretches(uploads: Sequence[Upload]) -> int:
    """Whether these can be put together. Returns how many bytes they are.

    Raises:
        MediaError: INVALID_REQUEST.
    """
    if not 1 <= len(uploads) <= MOST_STRETCHES:
        raise _invalid("Upload-Concat", f"Names 1 to {MOST_STRETCHES} uploads.")
    for upload in uploads:
        if not upload.partial or not upload.whole:
            raise _invalid("Upload-Concat", f"{upload.upload_id} is not a partial upload that is all there.")
    return sum(upload.size_bytes for upload in uploads)


def conflict(upload: Upload) -> MediaError:
    """Tells where it goes on."""
    return MediaError(Code.UPLOAD_OFFSET_CONFLICT, upload_id=upload.upload_id, offset=upload.offset)


def locked(upload: Upload) -> MediaError:
    """Somebody else writes."""
    return MediaError(Code.UPLOAD_LOCKED, upload_id=upload.upload_id, retry_after_s=1)


def past_end(upload: Upload) -> MediaError:
    """More bytes than were declared."""
    return MediaError(Code.MEDIA_TOO_LARGE, kind="upload", limit=upload.size_bytes)


def unknown(upload_id: str) -> MediaError:
    """The one answer for unknown, deleted and somebody else's."""
    return MediaError(Code.UPLOAD_NOT_FOUND, upload_id=upload_id)


def _invalid(name: str, sentence: str) -> MediaError:
    return MediaError(Code.INVALID_REQUEST, violations=(Violation(name, sentence),))

"""One media item: its states, and what may follow what. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.common.errors import TABLE, Code, MediaError, Violation
from services.ingest.domain.formats import Kind


class State(StrEnum):
    """Where an item is in its life. The last two are tombstones: callers get media_not_found."""

    RECEIVING = "receiving"
    SCANNING = "scanning"
    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"
    FAILED = "failed"
    DELETED = "deleted"
    EXPIRED = "expired"


GONE = frozenset((State.DELETED, State.EXPIRED))
SETTLED = frozenset((State.READY, State.REJECTED, State.FAILED))

COVERED = frozenset((State.PROCESSING, State.READY))  # the transcoder may make covers

NEXT: dict[State, frozenset[State]] = {
    State.RECEIVING: frozenset((State.SCANNING, State.DELETED, State.EXPIRED)),
    State.SCANNING: frozenset((State.PROCESSING, State.REJECTED, State.FAILED)) | GONE,
    State.PROCESSING: SETTLED | GONE,
    State.READY: GONE,
    State.REJECTED: GONE,
    State.FAILED: GONE,
    State.DELETED: frozenset(),
    State.EXPIRED: frozenset(),
}

RETENTION = {"free": timedelta(days=30), "pro": timedelta(days=90), "business": timedelta(days=365)}

MOST_THUMBNAIL_TIME_S = 10_800.0  # no film is longer

EXPIRING_BEFORE = timedelta(days=7)  # so long its owner is told ahead


def expiry(created_at: datetime, plan: str) -> datetime:
    """When an item made now under this plan ends. An unknown plan is kept as long as the shortest.

    Source: api.md, "Retention".
    """
    return created_at + RETENTION.get(plan, min(RETENTION.values()))


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an item is rejected or failed. threat and reason are set when the scanner said so."""

    code: str
    message: str = ""  # the public sentence
    threat: str | None = None
    reason: str | None = None  # "infected" or "unscannable"

    def to_error(self) -> MediaError:
        """The same as the error the caller of an upload gets."""
        code = Code(self.code)
        if self.threat is not None:
            return MediaError(code, threat=self.threat, reason=self.reason or "")
        return MediaError(code, why=self.message)


def unsafe(threat: str, reason: str) -> Fault:
    """The scanner refused the bytes. reason is "infected" or "unscannable"."""
    code = Code.MEDIA_REJECTED_SECURITY
    return Fault(code, MediaError(code, threat=threat, reason=reason).message, threat, reason)


def malformed(code: Code) -> Fault:
    """The scanner walked over the bytes and refused their structure."""
    return Fault(code, MediaError(code).message)


def tampered() -> Fault:
    """The stored bytes are no longer the ones that were sealed: nobody's fault but ours."""
    return Fault(Code.OBJECT_CHANGED, MediaError(Code.OBJECT_CHANGED).message)


@dataclass(frozen=True, slots=True)
class Sealed:
    """The stored object a verdict is about: these bytes and no others. sha256 is lower-case hex."""

    key: str
    etag: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One upload. `version` grows with every change; size, sha256 and etags are empty until sealed; times are UTC."""

    workspace_id: str
    media_id: str
    state: State
    version: int = 1
    kind: Kind
    content_type: str
    filename: str = ""
    alt_text: str | None = None
    size_bytes: int = 0
    sha256: str = ""
    quarantine_key: str
    quarantine_etag: str = ""
    multipart_id: str = ""
    active_key: str
    active_etag: str = ""
    fault: Fault | None = None
    thumbnail_time: float | None = None  # seconds from a film's start, whose frame its covers show
    cover_due_at: datetime | None = None  # when the transcoder is told of that again; None: it heard
    view: str | None = None  # the transcoder's latest word, as its own JSON; opaque here
    created_at: datetime
    expires_at: datetime
    request_id: str = ""
    idempotency_key: str | None = None  # of the request that brought it in
    epoch: int = 0  # of the claim this was read under
    tries: int = 0  # failed since the last step forward

    def to(self, state: State) -> "Media":
        """The item one step on.

        Raises:
            MediaError: INTERNAL, when `state` may not follow this one.
        """
        if state not in NEXT[self.state]:
            raise MediaError(Code.INTERNAL, why=f"{self.media_id}: {self.state} may not become {state}")
        return replace(self, state=state, version=self.version + 1, tries=0)

    def seal(self, sealed: Sealed, alt_text: str | None) -> "Media":
        """All bytes are in: from here they may only be looked at."""
        return replace(
            self.to(State.SCANNING),
            alt_text=alt_text,
            size_bytes=sealed.size_bytes,
            sha256=sealed.sha256,
            quarantine_key=sealed.key,
            quarantine_etag=sealed.etag,
            multipart_id="",
        )

    @property
    def sealed(self) -> Sealed:
        """What the verdict must be about."""
        return Sealed(self.quarantine_key, self.quarantine_etag, self.size_bytes, self.sha256)

    def promote(self, etag: str) -> "Media":
        """Clean, and copied: the transcoder's turn."""
        return replace(self.to(State.PROCESSING), active_etag=etag)

    def fail(self, fault: Fault) -> "Media":
        """Rejected when the bytes are at fault, failed when we are."""
        return replace(self.to(state_for(fault.code)), fault=fault)

    def tried(self, tries: int) -> "Media":
        """No step forward, but the count of tries that failed since the last one."""
        return replace(self, tries=tries)

    def described(self, alt_text: str | None) -> "Media":
        """With another text for those who cannot see it."""
        return replace(self, alt_text=alt_text, version=self.version + 1)

    def covered(self, at_s: float, *, tell_again_at: datetime) -> "Media":
        """With covers that show another moment.

        Raises:
            MediaError: INVALID_REQUEST, it is no film, or none is that long.
        """
        if self.kind is not Kind.VIDEO:
            raise _no_moment("Only a video has one.")
        if not 0 <= at_s <= MOST_THUMBNAIL_TIME_S:
            raise _no_moment(f"From 0 to {MOST_THUMBNAIL_TIME_S:.0f} seconds.")
        if at_s == self.thumbnail_time:
            return self
        due_at = tell_again_at if self.state in COVERED else None
        return replace(self, thumbnail_time=at_s, cover_due_at=due_at, version=self.version + 1)

    def cover_owed(self, now: datetime) -> bool:
        """Whether the transcoder should have said by now that it heard."""
        return self.cover_due_at is not None and self.cover_due_at <= now

    def reminded(self, tell_again_at: datetime) -> "Media":
        """As the transcoder is told of it once more."""
        return replace(self, cover_due_at=tell_again_at, version=self.version + 1)

    def visible(self, now: datetime) -> bool:
        """Whether a caller may know of it."""
        return self.state not in GONE and self.expires_at > now

    def ends_soon(self, now: datetime) -> bool:
        """Whether it is time to tell its owner."""
        return self.visible(now) and self.expires_at <= now + EXPIRING_BEFORE

    def tombstone(self, state: State) -> "Media":
        """Gone for everyone. What a person wrote goes at once; the bytes follow."""
        return replace(self.to(state), filename="", alt_text=None, view=None, cover_due_at=None)


def state_for(code: str) -> State:
    """REJECTED when the bytes are at fault, FAILED when we are (codes answered with 5xx, and any unknown)."""
    known = code in Code.__members__.values()
    return State.REJECTED if known and TABLE[Code(code)].http < 500 and code not in _OURS else State.FAILED


_OURS = (Code.OBJECT_CHANGED, Code.PRECONDITION_FAILED)


def _no_moment(why: str) -> MediaError:
    return MediaError(Code.INVALID_REQUEST, violations=(Violation("thumbnailTime", why),))


def settle(
    media: Media, *, view: str, settled: bool, fault: Fault | None, thumbnail_time: float | None = None
) -> Media:
    """The item after the transcoder's newer word about it. An item already settled only takes the new view.

    thumbnail_time: That the transcoder knows of.
    """
    heard = thumbnail_time == media.thumbnail_time
    seen = replace(media, view=view, cover_due_at=None if heard else media.cover_due_at)
    if media.state is not State.PROCESSING or not settled:
        return replace(seen, version=media.version + 1)
    if fault is not None:
        return seen.fail(fault)
    return seen.to(State.READY)


def backoff_s(tries: int, *, first_s: float = 1.0, most_s: float = 15.0) -> float:
    """Seconds until the next try, after `tries` failed ones (at least 1)."""
    return min(most_s, first_s * 2.0 ** min(tries - 1, 16))


def read_range(size_bytes: int, first: int | None, last: int | None) -> tuple[int, int]:
    """First and last byte to send, both inclusive. A negative `first` counts from the end.

    Raises:
        MediaError: RANGE_NOT_SATISFIABLE, nothing of the file lies in the range.
    """
    if first is None:
        start = 0
    elif first < 0:
        start = max(0, size_bytes + first)
    else:
        start = first
    end = size_bytes - 1 if last is None or (first is not None and first < 0) else min(last, size_bytes - 1)
    if start > end:
        raise MediaError(Code.RANGE_NOT_SATISFIABLE, size=size_bytes)
    return start, end

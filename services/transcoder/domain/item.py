"""One media item as the transcoder keeps it: its source, what was found in it, and what every preset became. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from services.common.errors import TABLE, Code
from services.platforms import catalog
from services.platforms.catalog import Kind, Preset
from services.transcoder.domain.work import Fit, How, Status, WorkRequest

SOURCES, SERVED = "sources", "cdn"
DISPLAY, COVER = "display", "cover"

# A store that is away for a while must not fail an item, a file that kills its worker must not do so for ever.
MOST_TRIES = 12
MOST_TRIES_OF_ONE_TOO_SLOW = 2

# Smaller videos, five seconds of a phone's, are through before anybody would care for a first word; to look at them
# twice would take a quarter of a second.
EARLY_WORD_FROM_BYTES = 10_000_000

EXTENSIONS = MappingProxyType(
    {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp", "video/mp4": "mp4"}
)


@dataclass(frozen=True, slots=True)
class Source:
    """The stored object everything is made from: these bytes and no others. sha256 is lower-case hex."""

    key: str
    etag: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What decoding told about the source. Sizes in pixels as displayed; catalog: of the presets `fit` is about."""

    width: int
    height: int
    duration_s: float
    has_audio: bool
    thumbhash: str
    fit: Mapping[str, Fit]
    catalog: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What one preset became. `status` is None until that is known, `key` until it is ready.

    Attributes:
        preset_digest: Of the preset it was asked for under.   digest: names the bytes, see Rendition.
        key: Of the object; presets with equal bytes share one.
    """

    preset: str
    preset_digest: str
    eager: bool
    status: Status | None = None
    how: How | None = None
    digest: str = ""
    key: str | None = None
    content_type: str = ""
    size_bytes: int = 0
    width: int = 0
    height: int = 0
    duration_s: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One media item. `version` grows with every word about it.

    Attributes:
        token: Unguessable part of its URLs; empty in a tombstone of something never heard of.
        cover_at_s: Seconds from the start of a film, whose frame its covers show; None: we choose.
        source_version: Of ingest's latest word about it.
        fault: Code of why nothing can come of it.
        gone: A tombstone: nothing may be made or served any more.
        epoch: Of the claim this was read under.   tries: claims since the last step forward.   held: somebody works.
    """

    workspace_id: str
    media_id: str
    kind: Kind
    content_type: str
    source: Source
    token: str
    request_id: str = ""
    traceparent: str = ""
    version: int = 0
    variants: Mapping[str, Variant] = field(default_factory=dict)
    finding: Finding | None = None
    cover_at_s: float | None = None
    source_version: int = 0
    fault: str | None = None
    gone: bool = False
    epoch: int = 0
    tries: int = 0
    held: bool = False

    @property
    def pending(self) -> tuple[str, ...]:
        """Presets still to be made, in the catalog's order."""
        return tuple(one.preset for one in self.in_order() if one.status is None)

    @property
    def settled(self) -> bool:
        """Every eager preset has become something, or nothing ever can."""
        return self.fault is not None or all(one.status for one in self.variants.values() if one.eager)

    def in_order(self) -> list[Variant]:
        """Variants as the catalog lists their presets; those it no longer knows last."""
        known = list(catalog.presets(self.kind))
        return sorted(
            self.variants.values(),
            key=lambda one: (known.index(one.preset) if one.preset in known else len(known), one.preset),
        )

    def told(self) -> "Item":
        """The same, about to be told."""
        return replace(self, version=self.version + 1)

    def want(self, preset: Preset) -> "Item":
        """The item with that preset to be made."""
        known = self.variants.get(preset.id)
        return self._with([Variant(preset=preset.id, preset_digest=preset.digest, eager=bool(known and known.eager))])

    def covered(self, at_s: float | None, source_version: int) -> "Item":
        """The item with covers of that moment to be made, unless a later word named another."""
        if source_version <= self.source_version:
            return self
        heard = replace(self, cover_at_s=at_s, source_version=source_version)
        if at_s == self.cover_at_s or self.fault is not None:
            return heard
        covers = (one for one in self.variants.values() if is_cover(self.kind, one.preset))
        return heard._with(
            Variant(preset=one.preset, preset_digest=one.preset_digest, eager=one.eager) for one in covers
        )

    def made(self, finding: Finding, variants: Iterable[Variant]) -> "Item":
        """A step forward: these presets became something, and this was found out."""
        return replace(self._with(variants), finding=finding, tries=0)

    def refused(self, code: str) -> "Item":
        """It is no use trying again: the source cannot be used, or whoever tries breaks on it."""
        return self._ended(Status.REJECTED if blames_file(code) else Status.FAILED, code)

    def failed(self, code: str) -> "Item":
        """We could not do it; the file is not to blame."""
        return self._ended(Status.FAILED, code)

    def claimed(self) -> "Item":
        """Under a new claim."""
        return replace(self, epoch=self.epoch + 1, tries=self.tries + 1, held=True)

    def untried(self) -> "Item":
        """The claim ended without a word on whether it would have worked."""
        return replace(self, tries=max(0, self.tries - 1))

    def tombstone(self) -> "Item":
        """Gone for ever, and all that was known of it."""
        return replace(self, gone=True, variants={}, finding=None, cover_at_s=None, fault=None)

    @property
    def prefix(self) -> str:
        """Where everything of it that is served lies. Only who has the token can name it."""
        return f"{SERVED}/{self.media_id}/{self.token}/"

    @property
    def segments_prefix(self) -> str:
        """Where segments of its films wait to be joined. Nothing there is served: the edge knows no such paths."""
        return f"{self.prefix}segments/"

    def key_for(self, preset: str, digest: str, content_type: str) -> str:
        """The object of those bytes; where a variant has the very same ones already, that variant's."""
        for one in self.variants.values():
            if one.key and (one.digest, one.content_type) == (digest, content_type):
                return one.key
        return f"{self.prefix}{preset}@{digest}.{EXTENSIONS[content_type]}"

    def key_like(self, key: str) -> str:
        """Where the same bytes as another item's object lie here."""
        return f"{self.prefix}{key.rpartition('/')[2]}"

    def _ended(self, status: Status, code: str) -> "Item":
        """Nothing pending will be made. What was made before stays; without any of it the whole item is at fault."""
        ended = self._with(replace(self.variants[preset], status=status, reason=code) for preset in self.pending)
        usable = any(one.eager and one.status is Status.READY for one in ended.variants.values())
        return replace(ended, tries=0, fault=None if usable else code)

    def _with(self, variants: Iterable[Variant]) -> "Item":
        return replace(self, variants={**self.variants, **{one.preset: one for one in variants}})


def promoted(
    *,
    workspace_id: str,
    media_id: str,
    kind: Kind,
    content_type: str,
    source: Source,
    token: str,
    request_id: str,
    cover_at_s: float | None = None,
    source_version: int = 0,
) -> Item:
    """A new item with everything pending that is made before anybody asks."""
    eager = (preset for preset in catalog.presets(kind).values() if preset.eager)
    return Item(
        workspace_id=workspace_id,
        media_id=media_id,
        kind=kind,
        content_type=content_type,
        source=source,
        token=token,
        request_id=request_id,
        cover_at_s=cover_at_s,
        source_version=source_version,
        variants={one.id: Variant(preset=one.id, preset_digest=one.digest, eager=True) for one in eager},
    )


def catalog_digest(kind: Kind) -> str:
    """Names the presets of that kind as they are now: what `fit` was computed from."""
    return catalog.digest_of({preset.id: preset.digest for preset in catalog.presets(kind).values()})


def is_cover(kind: Kind, preset_id: str) -> bool:
    """Whether it is a frame of a film."""
    preset = catalog.presets(kind).get(preset_id)
    return preset is not None and preset.recipe == "cover_frame"


def blames_file(code: str) -> bool:
    """Whether this code says that the bytes are at fault, not we. A code nobody knows does not."""
    return code in Code.__members__.values() and TABLE[Code(code)].http < 500


def current(variant: Variant | None, preset: Preset) -> bool:
    """Whether the variant answers a wish for the preset as it is now."""
    return variant is not None and variant.status is not None and variant.preset_digest == preset.digest


def most_tries(code: Code) -> int:
    """How often work that ended with this error is begun, in all."""
    return MOST_TRIES_OF_ONE_TOO_SLOW if code is Code.DEADLINE_EXCEEDED else MOST_TRIES


def backoff_s(tries: int) -> float:
    """Seconds until the next try, after `tries` failed ones: all of them take about half an hour."""
    return min(600.0, 2.0 ** (tries - 1))


def deadline_s(kind: Kind, size_bytes: int) -> float:
    """Seconds for one run of the engine; far above what honest work takes, since what must end it is the child's own
    limits. Source: our choice; the slowest honest video is long and small, hence the large constant."""
    return 60.0 + size_bytes / 200_000 if kind == "image" else 900.0 + size_bytes / 50_000


def request(item: Item, source: Path, presets: Sequence[str]) -> WorkRequest:
    """To make these presets of its bytes, which lie there."""
    return WorkRequest(
        source=str(source),
        content_type=item.content_type,
        kind=item.kind,
        presets=tuple(presets),
        cover_at_s=item.cover_at_s,
    )


def passes(item: Item) -> tuple[tuple[str, ...], ...]:
    """The pending presets in the order of runs. A large video's pictures come first, which take a moment and bring its
    first word, then everything else in one run that decodes it once."""
    if item.kind == "image" or item.finding is not None or item.source.size_bytes < EARLY_WORD_FROM_BYTES:
        return (item.pending,)
    presets = catalog.presets(item.kind)
    quick = tuple(one for one in item.pending if one in presets and presets[one].makes == "image")
    rest = tuple(one for one in item.pending if one not in quick)
    return tuple(group for group in (quick, rest) if group)

"""What goes into the decoding process and what comes back. All of it survives JSON: from_dict(to_dict()) is equal.

Nothing here loads a decoder, so the process that serves RPCs may import it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from types import MappingProxyType, UnionType
from typing import TypeAlias, TypeVar, get_type_hints

from services.transcoder.domain.probe import Probe
from services.transcoder.domain.segments import Encoded, Segment

T = TypeVar("T")

# Percent by preset, 0..99, of those that are being made.
Progress: TypeAlias = Callable[[Mapping[str, int]], None]


def untold(percent: Mapping[str, int]) -> None:
    """Progress nobody asks about."""


class Status(StrEnum):
    """What became of a preset."""

    READY = "ready"
    REJECTED = "rejected"  # the source cannot become this; `reason` says why
    FAILED = "failed"  # we could not make it, although it should be possible


class How(StrEnum):
    """How a preset was satisfied, cheapest first."""

    AS_IS = "as_is"
    STRIP = "strip"
    REMUX = "remux"
    ENCODE = "encode"


class InputFault(Exception):  # noqa: N818  it is the file's fault, and a verdict rather than an error of ours
    """The source itself cannot be used.

    Args:
        code: One of the error table's media_… codes, e.g. "media_corrupt".
        detail: For logs; may hold a decoder's words.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def to_dict(self) -> dict[str, object]:
        """As JSON takes it."""
        return {"code": self.code, "detail": self.detail}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "InputFault":
        """What to_dict() gave."""
        return cls(str(values["code"]), str(values["detail"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRequest:
    """One source and what to make of it.

    Attributes:
        source: Path of the file; only read.   content_type: by its magic bytes.   kind: "image" or "video".
        presets: Ids; unknown ones, and those of the other kind, are rejected as kind_unsupported.
        cover_at_s: Of a video: the moment its covers show; None: we choose.
        thumbhash: Whether one is wanted. Of a film it takes a search for its cover.
        segment: Of a video: only this of each film that is encoded for the presets, and nothing else.
        encoded: Of a video: its segments, for whatever of the presets they are.
    """

    source: str
    content_type: str
    kind: str
    presets: tuple[str, ...]
    cover_at_s: float | None = None
    thumbhash: bool = True
    segment: Segment | None = None
    encoded: Encoded | None = None

    @property
    def read(self) -> tuple[str, ...]:
        """Paths of what the work needs to see."""
        return (self.source,) if self.encoded is None else (self.source, self.encoded.folder)

    def to_dict(self) -> dict[str, object]:
        """As JSON takes it."""
        return {**asdict(self), "presets": list(self.presets)}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "WorkRequest":
        """What to_dict() gave. Raises KeyError, TypeError."""
        presets = values["presets"]
        if not isinstance(presets, list | tuple):
            raise TypeError("presets must be a list")
        read = {
            "presets": tuple(str(one) for one in presets),
            "segment": _maybe(Segment, values["segment"]),
            "encoded": _maybe(Encoded, values["encoded"]),
        }
        return _read(cls, {**values, **read})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a platform takes this source, and by which preset; reason is a stable code, detail a sentence."""

    ok: bool
    preset: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """What one preset became.

    Attributes:
        file: Path below the scratch folder, None unless ready. Presets whose bytes are equal share one.
        digest: 8 hex digits; of the effective recipe when ready (equal digest: equal bytes), else of the preset.
        reason: Stable code, None when ready.
    """

    preset: str
    status: Status
    digest: str
    how: How | None = None
    file: str | None = None
    content_type: str = ""
    size_bytes: int = 0
    width: int = 0
    height: int = 0
    duration_s: float = 0.0
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkResult:
    """Everything found out and made.

    Attributes:
        fit: By platform id.   thumbhash: raw bytes in base64, "" where none was wanted.
        renditions: In order of the request.
        segments: Where one was asked for, instead of them: the digest of every film encoded; `file` of it names it
            below the scratch folder.
        unjoinable: Why the segments that were given were of no use, so that films were encoded as a whole.
    """

    probe: Probe
    fit: Mapping[str, Fit]
    thumbhash: str
    renditions: tuple[Rendition, ...]
    segments: tuple[str, ...] = ()
    unjoinable: str = ""

    def to_dict(self) -> dict[str, object]:
        """As JSON takes it."""
        return {
            "probe": asdict(self.probe),
            "fit": {platform: asdict(fit) for platform, fit in self.fit.items()},
            "thumbhash": self.thumbhash,
            "renditions": [asdict(rendition) for rendition in self.renditions],
            "segments": list(self.segments),
            "unjoinable": self.unjoinable,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "WorkResult":
        """What to_dict() gave. Raises KeyError, TypeError, ValueError."""
        fit, renditions, segments = values["fit"], values["renditions"], values["segments"]
        if not isinstance(fit, Mapping) or not isinstance(renditions, list) or not isinstance(segments, list):
            raise TypeError("fit must be a mapping, renditions and segments lists")
        return cls(
            probe=_read(Probe, values["probe"]),
            fit=MappingProxyType({str(name): _read(Fit, one) for name, one in fit.items()}),
            thumbhash=str(values["thumbhash"]),
            renditions=tuple(_read(Rendition, one) for one in renditions),
            segments=tuple(str(one) for one in segments),
            unjoinable=str(values["unjoinable"]),
        )


def _maybe(of: type[T], values: object) -> T | None:
    return None if values is None else _read(of, values)


def _read(of: type[T], values: object) -> T:
    """A flat dataclass from a mapping; enumerations come back as themselves, and what has another type is refused."""
    if not isinstance(values, Mapping):
        raise TypeError(f"no mapping for {of.__name__}")
    hints = get_type_hints(of)
    found: dict[str, object] = {}
    for field in fields(of):  # type: ignore[arg-type]  # every caller gives a dataclass
        value, hint = values[field.name], hints[field.name]
        options = hint.__args__ if isinstance(hint, UnionType) else (hint,)
        enum = next((one for one in options if isinstance(one, type) and issubclass(one, StrEnum)), None)
        if enum and value is not None:
            value = enum(value)
        elif float in options and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        plain = tuple(getattr(one, "__origin__", one) for one in options)
        if not isinstance(value, plain) or (isinstance(value, bool) and bool not in plain):
            raise TypeError(f"{of.__name__}.{field.name} cannot be {value!r}")
        found[field.name] = value
    return of(**found)

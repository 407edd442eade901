"""What goes into the decoding process and what comes back. All of it survives JSON: from_dict(to_dict()) is equal.

Nothing here loads a decoder, so the process that serves RPCs may import it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from types import MappingProxyType, UnionType
from typing import TypeAlias, TypeVar, get_type_hints

from services.transcoder.domain.probe import Probe

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
    """

    source: str
    content_type: str
    kind: str
    presets: tuple[str, ...]
    cover_at_s: float | None = None
    thumbhash: bool = True

    def to_dict(self) -> dict[str, object]:
        """As JSON takes it."""
        return {**asdict(self), "presets": list(self.presets)}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "WorkRequest":
        """What to_dict() gave. Raises KeyError, TypeError."""
        presets = values["presets"]
        if not isinstance(presets, list | tuple):
            raise TypeError("presets must be a list")
        return _read(cls, {**values, "presets": tuple(str(one) for one in presets)})


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
    """Everything found out and made. fit: by platform id; thumbhash: raw bytes in base64, "" where none
    was wanted; renditions in order of the request."""

    probe: Probe
    fit: Mapping[str, Fit]
    thumbhash: str
    renditions: tuple[Rendition, ...]

    def to_dict(self) -> dict[str, object]:
        """As JSON takes it."""
        return {
            "probe": asdict(self.probe),
            "fit": {platform: asdict(fit) for platform, fit in self.fit.items()},
            "thumbhash": self.thumbhash,
            "renditions": [asdict(rendition) for rendition in self.renditions],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "WorkResult":
        """What to_dict() gave. Raises KeyError, TypeError, ValueError."""
        fit, renditions = values["fit"], values["renditions"]
        if not isinstance(fit, Mapping) or not isinstance(renditions, list | tuple):
            raise TypeError("fit must be a mapping, renditions a list")
        return cls(
            probe=_read(Probe, values["probe"]),
            fit=MappingProxyType({str(name): _read(Fit, one) for name, one in fit.items()}),
            thumbhash=str(values["thumbhash"]),
            renditions=tuple(_read(Rendition, one) for one in renditions),
        )


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

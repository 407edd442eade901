"""What platforms take, as data: `<id>/spec.toml` per platform, `common.toml` for what belongs to none.

Everything is read once and strictly: an unknown or missing key, a wrong type, a preset without a byte cap or a limit
without its source stops the start with a CatalogError that names file and key.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, TypeGuard

HERE = Path(__file__).parent

Kind: TypeAlias = Literal["image", "video"]
Param: TypeAlias = "int | float | tuple[int, ...]"


# What a text is counted in: graphemes (as people count), characters (code points), utf16 (code units), or weighted
# (the platform's own sum).
UNITS = ("graphemes", "characters", "utf16", "weighted")


class CatalogError(Exception):
    """A spec file does not say what it must; the message names file and key."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to make bytes. A change of what it makes raises `version`, so that its outputs get new names.

    Attributes:
        of: What it takes.   makes: what comes out.
        params: Names and types of what a preset must say.
    """

    of: Kind
    makes: Kind
    version: int
    params: Mapping[str, type]


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # quality: (best, worst) on Pillow's scale. max_width_px and max_height_px: never enlarged to. pad: a shape the
        # limits do not take is given white bars.
        "jpeg_under_bytes": Recipe(
            "image",
            "image",
            1,
            {"max_width_px": int, "max_height_px": int, "quality": tuple, "keep_compliant": bool, "pad": bool},
        ),
        # Motion kept: the GIF's own frames, everything else dropped.
        "gif_strip": Recipe("image", "image", 1, {}),
        # Motion as a silent film, repeated as a whole until it is as long as the limits want. As h264_mp4.
        "loop_mp4": Recipe("image", "video", 1, {"long_px": int, "short_px": int, "crf": int, "max_kbps": int}),
        # long_px, short_px: the box, turned to suit the picture. kbps are kilobits (1000 bits) a second, at most.
        "h264_mp4": Recipe(
            "video",
            "video",
            2,
            {"long_px": int, "short_px": int, "crf": int, "max_kbps": int, "audio_kbps": int, "keep_compliant": bool},
        ),
        "cover_frame": Recipe("video", "image", 1, {"max_width_px": int, "max_height_px": int, "quality": tuple}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the bytes must obey; None: no limit of that sort is known.

    Attributes:
        max_bytes: Bytes, not KB.   min_bytes: the same of films, which are filled up to it.   accept: content types.
        min_edge_px: The shorter side.   max_edge_px: the longer one.   max_width_px: of the upright picture.
        min_aspect, max_aspect: Width over height, inclusive.
        min_duration_s, max_duration_s: Inclusive.   min_fps, max_fps: frames a second.
        max_frames: Of an animation.   max_total_px: width × height × frames of an animation.
    """

    max_bytes: int
    accept: tuple[str, ...]
    min_edge_px: int | None = None
    max_edge_px: int | None = None
    max_width_px: int | None = None
    min_aspect: float | None = None
    max_aspect: float | None = None
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    min_fps: float | None = None
    max_fps: float | None = None
    max_frames: int | None = None
    max_total_px: int | None = None
    min_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where numbers come from, and when they were last read there."""

    source: str
    checked: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """How long a post's text may be. unit: one of UNITS; max_bytes: UTF-8, where that counts too."""

    max_length: int
    unit: str
    max_bytes: int | None
    cited: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentLimits:
    """What a platform takes of images, or of videos. max_count: in one post; alt_text_max: characters, 0: none."""

    max_count: int
    alt_text_max: int
    limits: Limits
    cited: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipart:
    """Videos that are uploaded in parts. min_bytes: from which size on; part_bytes: of all parts but the last."""

    min_bytes: int
    part_bytes: int
    cited: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One rendition a source can be made into.

    Attributes:
        id: "<platform>.<name>", or the bare name of a preset of no platform. Unique among those `of` one kind.
        of: What it is made from.   makes: what it is; a cover is an image made of a video.
        limits: What the result must obey, all of it.
        default: A post uses it unless told otherwise; the first default that fits wins.
        animated: Only for animations.   eager: made before anybody asks.
        digest: First 8 hex digits of a SHA-256 over recipe, its version, params and limits.
    """

    id: str
    platform: str | None
    of: Kind
    makes: Kind
    recipe: str
    params: Mapping[str, Param]
    limits: Limits
    default: bool
    animated: bool
    eager: bool
    digest: str
    cited: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One platform's limits and presets, in the order of its file."""

    id: str
    name: str
    aliases: tuple[str, ...]
    text: TextLimits
    image: AttachmentLimits | None
    video: AttachmentLimits | None
    presets: tuple[Preset, ...]
    sources: tuple[str, ...]
    multipart: Multipart | None = None

    @property
    def cover(self) -> Preset | None:
        """The preset of the picture shown before a video plays, where the platform takes one."""
        return next((preset for preset in self.presets if preset.of == "video" and preset.makes == "image"), None)


@cache
def load() -> Mapping[str, Platform]:
    """Every platform by id, sorted. Raises CatalogError."""
    return MappingProxyType({path.parent.name: read_platform(path) for path in sorted(HERE.glob("*/spec.toml"))})


@cache
def presets(kind: Kind | None = None) -> Mapping[str, Preset]:
    """Presets by id: those of no platform first. Raises CatalogError.

    Args:
        kind: Only those made from this. None: every id there is; where images and videos share one (a story, the
            display rendition), it stands for the first in its file.
    """
    found: dict[str, Preset] = {}
    for preset in (*_common(), *(preset for platform in load().values() for preset in platform.presets)):
        if kind in (None, preset.of):
            found.setdefault(preset.id, preset)
    return MappingProxyType(found)


@cache
def _common() -> tuple[Preset, ...]:
    path = HERE / "common.toml"
    table = _Table(_parse(path), str(path))
    found = tuple(_preset(row, None, {}) for row in table.tables("preset"))
    table.done()
    return found


def read_platform(path: Path) -> Platform:
    """One spec.toml, whose folder is its id. Raises CatalogError."""
    table = _Table(_parse(path), str(path))
    name = table.text("id")
    if name != path.parent.name:
        raise CatalogError(f"{path}: id is {name!r}, not the folder's name")
    title, aliases, text = table.text("name"), table.texts("aliases"), _text(table.table("text"))
    bases: dict[Kind, Mapping[str, object]] = {}
    image, video = _attachments(table, "image", bases), _attachments(table, "video", bases)
    multipart = _multipart(table)
    found = tuple(_preset(row, name, bases) for row in table.tables("preset"))
    table.done()
    if len({(preset.id, preset.of) for preset in found}) != len(found):
        raise CatalogError(f"{path}: a preset's name is used twice for one kind")
    cited = [
        text.cited,
        *(part.cited for part in (image, video, multipart) if part),
        *(preset.cited for preset in found),
    ]
    return Platform(
        id=name,
        name=title,
        aliases=aliases,
        text=text,
        image=image,
        video=video,
        presets=found,
        sources=tuple(dict.fromkeys(one.source for one in cited)),
        multipart=multipart,
    )


def digest_of(*parts: object) -> str:
    """First 8 hex digits of a SHA-256 over these JSON-like parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_plain).encode()).hexdigest()[:8]


def _plain(value: object) -> object:
    """Limits there are, so that what another platform is limited by changes nobody's digest."""
    if isinstance(value, Limits):
        found = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: limit for name, limit in found.items() if limit is not None}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no digest of a {type(value).__name__}")


def _text(table: "_Table") -> TextLimits:
    limits = TextLimits(
        max_length=table.whole("max_length"),
        unit=table.text("unit"),
        max_bytes=table.whole_or_none("max_bytes"),
        cited=table.citation(),
    )
    if limits.unit not in UNITS:
        raise CatalogError(f"{table.where}: unit must be one of {', '.join(UNITS)}")
    table.done()
    return limits


def _attachments(table: "_Table", kind: Kind, bases: dict[Kind, Mapping[str, object]]) -> AttachmentLimits | None:
    """The section of one kind, if there is one; its limits go into `bases` for the presets of that kind."""
    section = table.table_or_none(kind)
    if section is None:
        return None
    bases[kind] = section.limits()
    found = AttachmentLimits(
        max_count=section.whole("max_count"),
        alt_text_max=section.whole("alt_text_max"),
        limits=_limits(bases[kind], section.where),
        cited=section.citation(),
    )
    section.done()
    return found


def _multipart(table: "_Table") -> Multipart | None:
    section = table.table_or_none("multipart")
    if section is None:
        return None
    found = Multipart(
        min_bytes=section.whole("min_bytes"), part_bytes=section.whole("part_bytes"), cited=section.citation()
    )
    section.done()
    return found


def _preset(table: "_Table", platform: str | None, bases: Mapping[Kind, Mapping[str, object]]) -> Preset:
    name, recipe_name = table.text("name"), table.text("recipe")
    recipe = RECIPES.get(recipe_name)
    if recipe is None:
        raise CatalogError(f"{table.where}: no recipe {recipe_name!r}")
    params = table.params(recipe.params)
    # A cover is no post of its own, so the limits of posted images do not bind it.
    base = {} if (recipe.of, recipe.makes) == ("video", "image") else bases.get(recipe.makes, {})
    limits = _limits({**base, **table.table("limits").limits(rest=True)}, table.where)
    preset = Preset(
        id=f"{platform}.{name}" if platform else name,
        platform=platform,
        of=recipe.of,
        makes=recipe.makes,
        recipe=recipe_name,
        params=MappingProxyType(params),
        limits=limits,
        default=table.flag("default"),
        animated=table.flag("animated"),
        eager=table.flag("eager"),
        digest=digest_of(recipe_name, recipe.version, params, limits),
        cited=table.citation(),
    )
    table.done()
    return preset


_LIMIT_TYPES: Mapping[str, type] = MappingProxyType(
    {
        "max_bytes": int,
        "accept": tuple,
        **dict.fromkeys(("min_bytes", "min_edge_px", "max_edge_px", "max_width_px", "max_frames", "max_total_px"), int),
        **dict.fromkeys(("min_aspect", "max_aspect", "min_duration_s", "max_duration_s", "min_fps", "max_fps"), float),
    }
)


def _limits(values: Mapping[str, object], where: str) -> Limits:
    def number(name: str) -> float | None:
        value = values.get(name)
        return float(value) if isinstance(value, int | float) else None

    def whole(name: str) -> int | None:
        value = values.get(name)
        return value if isinstance(value, int) else None

    accept, max_bytes = values.get("accept"), whole("max_bytes")
    if max_bytes is None or not isinstance(accept, tuple) or not accept:
        raise CatalogError(f"{where}: max_bytes and accept must be said")
    return Limits(
        max_bytes=max_bytes,
        accept=accept,
        min_edge_px=whole("min_edge_px"),
        max_edge_px=whole("max_edge_px"),
        max_width_px=whole("max_width_px"),
        min_aspect=number("min_aspect"),
        max_aspect=number("max_aspect"),
        min_duration_s=number("min_duration_s"),
        max_duration_s=number("max_duration_s"),
        min_fps=number("min_fps"),
        max_fps=number("max_fps"),
        max_frames=whole("max_frames"),
        max_total_px=whole("max_total_px"),
        min_bytes=whole("min_bytes"),
    )


def _parse(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise CatalogError(f"{path}: {exc}") from exc


def _is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


class _Table:
    """A TOML table that knows which of its keys were read; done() refuses the others."""

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        self.where = where
        self._left = dict(values)

    def done(self) -> None:
        if self._left:
            raise CatalogError(f"{self.where}: unknown {', '.join(sorted(self._left))}")

    def text(self, key: str) -> str:
        value = self._take(key)
        if not isinstance(value, str) or not value:
            raise CatalogError(f"{self.where}: {key} must be text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise CatalogError(f"{self.where}: {key} must be a list of texts")
        return tuple(str(one) for one in value)

    def whole(self, key: str) -> int:
        value = self._take(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise CatalogError(f"{self.where}: {key} must be a whole number")
        return value

    def whole_or_none(self, key: str) -> int | None:
        return self.whole(key) if key in self._left else None

    def flag(self, key: str) -> bool:
        value = self._left.pop(key, False)
        if not isinstance(value, bool):
            raise CatalogError(f"{self.where}: {key} must be true or false")
        return value

    def citation(self) -> Citation:
        source, checked = self.text("source"), self._take("checked")
        if not isinstance(checked, date):
            raise CatalogError(f"{self.where}: checked must be a date")
        return Citation(source=source, checked=checked)

    def table(self, key: str) -> "_Table":
        value = self._take(key)
        if not _is_table(value):
            raise CatalogError(f"{self.where}: {key} must be a table")
        return _Table(value, f"{self.where} [{key}]")

    def table_or_none(self, key: str) -> "_Table | None":
        return self.table(key) if key in self._left else None

    def tables(self, key: str) -> list["_Table"]:
        value = self._take(key)
        if not isinstance(value, list) or not all(_is_table(one) for one in value):
            raise CatalogError(f"{self.where}: {key} must be tables")
        return [_Table(one, f"{self.where} [[{key}]] {one.get('name', n)}") for n, one in enumerate(value)]

    def limits(self, *, rest: bool = False) -> dict[str, object]:
        """The keys that are limits, checked; `rest`: nothing else may stand here."""
        found = {key: self._typed(key, _LIMIT_TYPES[key]) for key in list(self._left) if key in _LIMIT_TYPES}
        if rest:
            self.done()
        return found

    def params(self, types: Mapping[str, type]) -> dict[str, Param]:
        inner = self.table("params")
        found: dict[str, Param] = {}
        for key, kind in types.items():
            value = inner._typed(key, kind)
            if isinstance(value, tuple):
                found[key] = _whole_numbers(value, f"{inner.where} {key}")
            elif isinstance(value, int | float):
                found[key] = value
        inner.done()
        return found

    def _typed(self, key: str, kind: type) -> object:
        value = self._take(key)
        if kind is tuple and isinstance(value, list):
            return tuple(value)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise CatalogError(f"{self.where}: {key} must be a {kind.__name__}")
        return value

    def _take(self, key: str) -> object:
        try:
            return self._left.pop(key)
        except KeyError:
            raise CatalogError(f"{self.where}: {key} is missing") from None


def _whole_numbers(values: Sequence[object], where: str) -> tuple[int, ...]:
    if not all(isinstance(one, int) for one in values):
        raise CatalogError(f"{where} must be whole numbers")
    return tuple(one for one in values if isinstance(one, int))

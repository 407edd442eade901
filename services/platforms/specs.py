"""Reads spec.toml and common.toml into the catalog's shapes.

Strictly: an unknown or missing key, a wrong type, a preset without a byte cap or a limit without its source stops the
start with a CatalogError that names file and key.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard

from services.platforms.shapes import (
    FIELD_UNITS,
    RECIPES,
    UNITS,
    AttachmentLimits,
    Citation,
    FieldLimit,
    Kind,
    Limits,
    Multipart,
    Param,
    Platform,
    Preset,
    TextLimits,
)  # fmt: skip


class CatalogError(Exception):
    """A spec file does not say what it must; the message names file and key."""


def read_common(path: Path) -> tuple[Preset, ...]:
    """The presets of common.toml, which are of no platform. Raises CatalogError."""
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
    limited = tuple(_field(row) for row in table.tables_or_none("field"))
    found = tuple(_preset(row, name, bases) for row in table.tables("preset"))
    table.done()
    if len({(preset.id, preset.of) for preset in found}) != len(found):
        raise CatalogError(f"{path}: a preset's name is used twice for one kind")
    if len({(one.field, one.unit) for one in limited}) != len(limited):
        raise CatalogError(f"{path}: a field has two limits in one unit")
    cited = [
        text.cited,
        *(one.cited for one in limited),
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
        fields=limited,
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


def _field(table: "_Table") -> FieldLimit:
    found = FieldLimit(
        field=table.text("name"),
        max=table.whole("max"),
        unit=table.text("unit"),
        of=table.kind_or_none("of"),
        cited=table.citation(),
    )
    if found.unit not in FIELD_UNITS:
        raise CatalogError(f"{table.where}: unit must be one of {', '.join(FIELD_UNITS)}")
    table.done()
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

    def kind_or_none(self, key: str) -> Kind | None:
        match self._left.pop(key, None):
            case None:
                return None
            case "image":
                return "image"
            case "video":
                return "video"
            case _:
                raise CatalogError(f"{self.where}: {key} must be image or video")

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

    def tables_or_none(self, key: str) -> "list[_Table]":
        return self.tables(key) if key in self._left else []

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

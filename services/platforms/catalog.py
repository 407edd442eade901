"""What platforms take, as data: `<id>/spec.toml` per platform, `common.toml` for what belongs to none. Read once.

The shapes are shapes.py's, and importers find them here; specs.py reads the files.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from services.platforms.shapes import (
    RECIPES,
    AttachmentLimits,
    Citation,
    FieldLimit,
    Kind,
    Limits,
    Platform,
    Preset,
)  # fmt: skip
from services.platforms.specs import CatalogError, digest_of, read_common, read_platform

__all__ = [
    "RECIPES",
    "AttachmentLimits",
    "CatalogError",
    "Citation",
    "FieldLimit",
    "Kind",
    "Limits",
    "Platform",
    "Preset",
    "digest_of",
    "load",
    "presets",
]

HERE = Path(__file__).parent


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
    return read_common(HERE / "common.toml")

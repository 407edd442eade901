"""What five platforms want of one photograph, from the catalogue."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from services.platforms import catalog

PLATFORMS = ("bluesky", "x", "pinterest", "instagram", "threads")


@dataclass(frozen=True, slots=True)
class Target:
    """At most width × height pixels and limit_bytes; quality: the best and the worst tried. name: the preset's."""

    name: str
    width: int
    height: int
    limit_bytes: int
    quality: tuple[int, int]


def five_platforms() -> list[Target]:
    """Their default presets for a picture."""
    return [
        Target(
            preset.id,
            int(str(preset.params["max_width_px"])),
            int(str(preset.params["max_height_px"])),
            preset.limits.max_bytes,
            preset.params["quality"],  # type: ignore[arg-type]
        )
        for platform in PLATFORMS
        for preset in catalog.load()[platform].presets
        if preset.recipe == "jpeg_under_bytes" and preset.default
    ]


def told(targets: Sequence[Target]) -> str:
    """As one argument of a program."""
    return json.dumps([asdict(target) for target in targets])


def heard(targets: str) -> list[Target]:
    """What told() gave."""
    return [Target(**one) for one in json.loads(targets)]

"""How each preset is satisfied, the cheapest way that holds, and which of them are the same work.

A plan's `recipe` is what is really done, after everything was clamped to this source: presets of equal recipes share
one rendition, whatever platform they belong to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import TypeAlias

from services.platforms.catalog import Preset
from services.platforms.misfits import Misfit
from services.transcoder.domain.films import Copied, Mp4, complies, encoded
from services.transcoder.domain.fitting import misfit
from services.transcoder.domain.loops import as_film, frame_rate, turns
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.sizes import box
from services.transcoder.domain.work import How


@dataclass(frozen=True, slots=True)
class Untouched:
    """The source's own bytes."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """The source's bytes without anything a decoder does not need."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A still, `width` × `height`. quality: (best, worst), Pillow's scale.

    canvas: the size with bars around it; None: no bars.
    """

    width: int
    height: int
    quality: tuple[int, int]
    canvas: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Pixels of the file."""
        return self.canvas or (self.width, self.height)

    def smaller(self, scale: float) -> "Jpeg":
        """The same at `scale` < 1 of its sides."""
        width, height = box(self.width, self.height, max(1, int(self.width * scale)), max(1, int(self.height * scale)))
        canvas = self.canvas and _canvas(width, height, self.canvas[0] / self.canvas[1])
        return Jpeg(width, height, self.quality, canvas)


@dataclass(frozen=True, slots=True)
class Loop:
    """An animation as a film, `turns` in a row."""

    film: Mp4
    turns: int


@dataclass(frozen=True, slots=True)
class Cover:
    """One frame of a film, as a Jpeg."""

    jpeg: Jpeg


Recipe: TypeAlias = Untouched | Stripped | Jpeg | Copied | Mp4 | Cover | Loop


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one preset: work to do, or why not."""

    preset: Preset
    how: How | None = None
    recipe: Recipe | None = None
    misfit: Misfit | None = None


def plan(presets: Iterable[Preset], probe: Probe) -> list[Plan]:
    """One plan per preset, in their order."""
    return [_plan(preset, probe) for preset in presets]


def without_copies(plans: Iterable[Plan], probe: Probe) -> list[Plan]:
    """The same plans for a film whose copy came out wrong: it is encoded instead."""
    return [
        Plan(one.preset, How.ENCODE, encoded(one.preset, probe)) if isinstance(one.recipe, Copied) else one
        for one in plans
    ]


def with_stripped(plans: Iterable[Plan], probe: Probe, size_bytes: int | None) -> list[Plan]:
    """The same plans, once it is known how large the stripped file is; None: it could not be made. Stills it is too
    large for are encoded instead."""
    return [
        Plan(one.preset, How.ENCODE, _jpeg(one.preset, probe))
        if isinstance(one.recipe, Stripped)
        and one.preset.recipe == "jpeg_under_bytes"
        and (size_bytes is None or size_bytes > one.preset.limits.max_bytes)
        else one
        for one in plans
    ]


def _plan(preset: Preset, probe: Probe) -> Plan:
    if found := misfit(preset, probe):
        return Plan(preset, misfit=found)
    if preset.recipe == "loop_mp4":
        return Plan(preset, How.ENCODE, _loop(preset, probe))
    if preset.recipe == "gif_strip":
        return Plan(preset, How.STRIP, Stripped()) if probe.has_extras else Plan(preset, How.AS_IS, Untouched())
    if preset.recipe == "jpeg_under_bytes":
        recipe = _jpeg(preset, probe)
        if recipe.canvas is None and _still_complies(preset, probe):
            return Plan(preset, How.STRIP, Stripped()) if probe.has_extras else Plan(preset, How.AS_IS, Untouched())
        return Plan(preset, How.ENCODE, recipe)
    if preset.recipe == "cover_frame":
        return Plan(preset, How.ENCODE, Cover(_jpeg(preset, probe)))
    if complies(preset, probe):
        return Plan(preset, How.REMUX, Copied())
    return Plan(preset, How.ENCODE, encoded(preset, probe))


def _jpeg(preset: Preset, probe: Probe) -> Jpeg:
    quality = preset.params["quality"]
    assert isinstance(quality, tuple)
    most_width, most_height = _whole(preset, "max_width_px"), _whole(preset, "max_height_px")
    wanted = probe.aspect
    if preset.params.get("pad"):
        wanted = min(max(wanted, preset.limits.min_aspect or 0.0), preset.limits.max_aspect or wanted)
    if wanted == probe.aspect:
        return Jpeg(*box(probe.width, probe.height, most_width, most_height), (quality[0], quality[1]))
    # With its bars it must fit the box too.
    inner = (min(most_width, int(most_height * wanted)), min(most_height, int(most_width / wanted)))
    width, height = box(probe.width, probe.height, *inner)
    return Jpeg(width, height, (quality[0], quality[1]), _canvas(width, height, wanted))


def _loop(preset: Preset, probe: Probe) -> Loop:
    film = encoded(preset, as_film(preset.limits, probe))
    return Loop(replace(film, fps=frame_rate(probe)), turns(preset.limits, probe))


def _canvas(width: int, height: int, aspect: float) -> tuple[int, int]:
    """The smallest size of that shape around a picture."""
    return max(width, ceil(height * aspect)), max(height, ceil(width / aspect))


def _still_complies(preset: Preset, probe: Probe) -> bool:
    """Whether the source, at most stripped of metadata, is what the preset wants; its shape is."""
    width, height = _whole(preset, "max_width_px"), _whole(preset, "max_height_px")
    return (
        preset.params["keep_compliant"] is True
        and f"image/{probe.container}" in preset.limits.accept
        and probe.container in ("jpeg", "png")
        and not probe.animated
        and probe.orientation == 1
        and probe.standard_color
        and not probe.has_alpha
        and probe.width <= width
        and probe.height <= height
        and probe.size_bytes <= preset.limits.max_bytes
    )


def _whole(preset: Preset, name: str) -> int:
    value = preset.params[name]
    assert isinstance(value, int)
    return value

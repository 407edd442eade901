"""What platforms take, in shapes: limits, recipes, presets. Pure; catalog.py has them, read from the spec files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["image", "video"]
Param: TypeAlias = "int | float | tuple[int, ...]"

# What a text is counted in: graphemes (as people count), characters (code points), utf16 (code units), or weighted
# (the platform's own sum).
UNITS = ("graphemes", "characters", "utf16", "weighted")
FIELD_UNITS = (*UNITS, "hashtags", "mentions", "links", "entries")


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
        "loop_mp4": Recipe("image", "video", 2, {"long_px": int, "short_px": int, "crf": int, "max_kbps": int}),
        # long_px, short_px: the box, turned to suit the picture. kbps are kilobits (1000 bits) a second, at most.
        "h264_mp4": Recipe(
            "video",
            "video",
            4,
            {"long_px": int, "short_px": int, "crf": int, "max_kbps": int, "audio_kbps": int, "keep_compliant": bool},
        ),
        "cover_frame": Recipe("video", "image", 2, {"max_width_px": int, "max_height_px": int, "quality": tuple}),
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
class FieldLimit:
    """How much a field of a post may hold, beside what the sections on text and media say.

    Attributes:
        field: As problems name it; "[]" stands for each entry of a list.
        unit: One of FIELD_UNITS.
        of: Posts of these only; None: of all.
    """

    field: str
    max: int
    unit: str
    of: Kind | None
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
    fields: tuple[FieldLimit, ...] = ()

    def most(self, field: str, unit: str = "characters") -> int:
        """What `field` may hold, in `unit`. Raises KeyError if the spec file has no such limit."""
        for one in self.fields:
            if (one.field, one.unit) == (field, unit):
                return one.max
        raise KeyError(f"{self.id}: {field} in {unit}")

    @property
    def cover(self) -> Preset | None:
        """The preset of the picture shown before a video plays, where the platform takes one."""
        return next((preset for preset in self.presets if preset.of == "video" and preset.makes == "image"), None)

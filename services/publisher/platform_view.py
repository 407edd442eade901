"""The catalogue of platforms as the public API shows it."""

from collections.abc import Collection

from mediaapi.v1 import platform_pb2 as pb

from services.platforms import catalog


def platforms(publishing: Collection[str]) -> list[pb.Platform]:
    """Every platform, sorted by id. publishing: ids of those that posts can be sent to. Raises catalog.CatalogError."""
    return [_platform(platform, platform.id in publishing) for platform in catalog.load().values()]


def _platform(platform: catalog.Platform, publishes: bool) -> pb.Platform:
    return pb.Platform(
        id=platform.id,
        name=platform.name,
        aliases=platform.aliases,
        publishes=publishes,
        text=pb.TextLimits(
            max_length=platform.text.max_length,
            unit=platform.text.unit,
            max_bytes=platform.text.max_bytes,
            cited=_citation(platform.text.cited),
        ),
        image=_attachments(platform.image),
        video=_attachments(platform.video),
        presets=[_preset(preset) for preset in platform.presets],
        fields=[_field(one) for one in platform.fields],
    )


def _attachments(section: catalog.AttachmentLimits | None) -> pb.AttachmentLimits | None:
    if section is None:
        return None
    return pb.AttachmentLimits(
        max_count=section.max_count,
        alt_text_max=section.alt_text_max,
        limits=_limits(section.limits),
        cited=_citation(section.cited),
    )


def _field(one: catalog.FieldLimit) -> pb.FieldLimit:
    return pb.FieldLimit(field=one.field, max=one.max, unit=one.unit, of=one.of, cited=_citation(one.cited))


def _limits(limits: catalog.Limits) -> pb.MediaLimits:
    return pb.MediaLimits(
        max_bytes=limits.max_bytes,
        content_types=limits.accept,
        min_edge_px=limits.min_edge_px,
        max_edge_px=limits.max_edge_px,
        max_width_px=limits.max_width_px,
        min_aspect=limits.min_aspect,
        max_aspect=limits.max_aspect,
        min_duration_seconds=limits.min_duration_s,
        max_duration_seconds=limits.max_duration_s,
        min_fps=limits.min_fps,
        max_fps=limits.max_fps,
        max_frames=limits.max_frames,
        max_total_px=limits.max_total_px,
        min_bytes=limits.min_bytes,
    )


def _preset(preset: catalog.Preset) -> pb.Preset:
    return pb.Preset(
        id=preset.id,
        of=preset.of,
        makes=preset.makes,
        default=preset.default,
        eager=preset.eager,
        animated=preset.animated,
        limits=_limits(preset.limits),
        cited=_citation(preset.cited),
    )


def _citation(cited: catalog.Citation) -> pb.Citation:
    return pb.Citation(source=cited.source, checked=cited.checked.isoformat())

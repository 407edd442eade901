"""What one server takes. Pure. Source: docs.joinmastodon.org/entities/Instance/#configuration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.platforms import catalog
from services.platforms.calls import at, list_at, number_at
from services.platforms.mastodon.checks import PLATFORM, spoiler_of
from services.platforms.mastodon.text import URL_CHARS, length
from services.platforms.ports import JSON, Asset, Draft, Problem

IMAGE_MAX_PX = 33_177_600
VIDEO_MAX_PX = 8_294_400
VIDEO_MAX_FPS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A server's numbers.

    Attributes:
        max_characters, url_chars: of texts, and what a link counts.   max_media: in one post.
        accept: media types; empty if the server does not say.   description_max: characters of an alt text.
        image_max_bytes, video_max_bytes: of a file.   image_max_px, video_max_px: width times height.
    """

    max_characters: int
    url_chars: int
    max_media: int
    accept: tuple[str, ...]
    description_max: int
    image_max_bytes: int
    image_max_px: int
    video_max_bytes: int
    video_max_px: int


def defaults() -> Limits:
    """Those of a server nobody configured; spec.toml's, where it has them."""
    platform = catalog.load()[PLATFORM]
    assert platform.image is not None
    assert platform.video is not None
    image, video = platform.image, platform.video
    return Limits(
        max_characters=platform.text.max_length,
        url_chars=URL_CHARS,
        max_media=image.max_count,
        accept=(),
        description_max=image.alt_text_max,
        image_max_bytes=image.limits.max_bytes,
        image_max_px=IMAGE_MAX_PX,
        video_max_bytes=video.limits.max_bytes,
        video_max_px=VIDEO_MAX_PX,
    )


def read(instance: Mapping[str, JSON]) -> Limits:
    """From the answer of /api/v2/instance; what it leaves out is as by default."""
    usual = defaults()
    statuses, media = (at(instance, "configuration", part) for part in ("statuses", "media_attachments"))
    return Limits(
        max_characters=_whole(statuses, "max_characters", usual.max_characters),
        url_chars=_whole(statuses, "characters_reserved_per_url", usual.url_chars),
        max_media=_whole(statuses, "max_media_attachments", usual.max_media),
        accept=tuple(str(it) for it in list_at(media, "supported_mime_types")),
        description_max=_whole(media, "description_limit", usual.description_max),
        image_max_bytes=_whole(media, "image_size_limit", usual.image_max_bytes),
        image_max_px=_whole(media, "image_matrix_limit", usual.image_max_px),
        video_max_bytes=_whole(media, "video_size_limit", usual.video_max_bytes),
        video_max_px=_whole(media, "video_matrix_limit", usual.video_max_px),
    )


def problems(draft: Draft, limits: Limits) -> Iterator[Problem]:
    """What this server would refuse of a draft whose renditions exist."""
    counted = length(draft.text, spoiler_of(draft), limits.url_chars)
    yield from _above("text", "text_too_long", "The text counts", counted, limits.max_characters)
    yield from _above("media", "too_many_media", "The media of the post are", len(draft.assets), limits.max_media)
    for index, asset in enumerate(draft.assets):
        yield from _of_asset(f"media[{index}]", asset, limits)


def _of_asset(where: str, asset: Asset, limits: Limits) -> Iterator[Problem]:
    if limits.accept and asset.content_type not in limits.accept:
        yield Problem(where, "media_type_unsupported", f"{asset.content_type} is not taken by this server.")
    max_bytes = limits.video_max_bytes if asset.is_video else limits.image_max_bytes
    max_px = limits.video_max_px if asset.is_video else limits.image_max_px
    pixels, described = asset.width * asset.height, len(asset.alt_text or "")
    yield from _above(where, "media_too_large", "The file's bytes are", asset.size_bytes, max_bytes)
    yield from _above(where, "media_dimensions_exceeded", "Its pixels are", pixels, max_px)
    yield from _above(
        f"{where}.altText", "alt_text_too_long", "The alt text's characters are", described, limits.description_max
    )


def _above(field: str, rule: str, what: str, found: int, limit: int) -> Iterator[Problem]:
    if found > limit:
        yield Problem(field, rule, f"{what} {found}; this server takes {limit}.", limit, found)


def _whole(value: JSON, name: str, otherwise: int) -> int:
    found = number_at(value, name)
    return otherwise if found is None else int(found)

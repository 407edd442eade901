"""Rules that every platform has, each with its own numbers. Pure."""

from collections.abc import Iterator, Sequence

from services.platforms.catalog import Platform
from services.platforms.ports import Asset, Problem


def too_long(platform: Platform, length: int, how: str = "") -> Iterator[Problem]:
    """A text that counts `length` in the platform's own unit. how: a sentence on how it counts."""
    limit = platform.text.max_length
    if length > limit:
        message = f"The text counts {length}; {platform.name} takes {limit}. {how}".rstrip()
        yield Problem("text", "text_too_long", message, limit, length)


def too_many(platform: Platform, found: int, what: str, limit: int) -> Iterator[Problem]:
    """More than `limit` media of one sort; what: its lower-case plural."""
    if found > limit:
        message = f"The post has {found} {what}; {platform.name} takes {limit}."
        yield Problem("media", f"too_many_{what}", message, limit, found)


def images_or_video(platform: Platform, assets: Sequence[Asset]) -> Iterator[Problem]:
    """For platforms that show either, and animations as images."""
    videos = sum(asset.is_video for asset in assets)
    images = len(assets) - videos
    if videos and images:
        yield Problem("media", "media_mixed", f"A post on {platform.name} has images or a video, not both.")
    yield from too_many(platform, images, "images", platform.image.max_count if platform.image else 0)
    yield from too_many(platform, videos, "videos", platform.video.max_count if platform.video else 0)


def one_asset(platform: Platform, where: str, asset: Asset, *, also: Sequence[str] = ()) -> Iterator[Problem]:
    """Its type and its alt text. where: its field; also: types taken beside those of the presets."""
    limits = platform.video if asset.is_video else platform.image
    accept = (*limits.limits.accept, *also) if limits else ()
    if asset.content_type not in accept:
        message = f"{asset.content_type} is not taken by {platform.name}; {', '.join(accept)} are."
        yield Problem(where, "media_type_unsupported", message)
    # Where there is none it is left out, so that what is described can go everywhere.
    limit = limits.alt_text_max if limits else 0
    if 0 < limit < (length := len(asset.alt_text or "")):
        message = f"The alt text has {length} characters; {platform.name} takes {limit}."
        yield Problem(f"{where}.altText", "alt_text_too_long", message, limit, length)


def unknown_option(platform: Platform, name: str, options: Sequence[str]) -> Problem:
    """An option the platform does not have."""
    message = f"{platform.name} has no option {name}; it has {', '.join(options)}."
    return Problem(f"options.{name}", "option_unknown", message)

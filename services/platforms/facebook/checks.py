"""What Facebook would refuse of a draft, known without asking. Pure; the numbers are spec.toml's.

Source: developers.facebook.com/docs/pages-api/posts, …/docs/video-api/guides/reels-publishing, read 2026-11-24.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from services.platforms import catalog, rules
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
KINDS = ("feed", "reel")
OPTIONS = ("mediaType", "link")


def is_video(draft: Draft) -> bool:
    """Whether it is one of a video; a GIF arrives as one."""
    return any(asset.is_video for asset in draft.assets)


def is_reel(draft: Draft) -> bool:
    """As the draft says; without a word a video goes to the feed, whose shape and length are free."""
    return draft.options.get("mediaType") == "reel"


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    platform = catalog.load()[PLATFORM]
    yield from rules.too_long(platform, len(draft.text))
    if not (draft.assets or draft.text.strip() or "link" in draft.options):
        yield Problem("text", "post_empty", "A post on Facebook needs a text, media or a link.")
    yield from rules.images_or_video(platform, draft.assets)
    if is_reel(draft) and (len(draft.assets) != 1 or not draft.assets[0].is_video):
        yield Problem("media", "reel_not_video", "A reel is one video, and nothing else.")
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(platform, f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(draft, name, value)


def _option(draft: Draft, name: str, value: JSON) -> Iterator[Problem]:
    field = f"options.{name}"
    match name:
        case "mediaType":
            if value not in KINDS:
                yield Problem(field, "option_invalid", f"mediaType is one of {', '.join(KINDS)}.")
        case "link":
            if not isinstance(value, str) or not _is_link(value):
                yield Problem(field, "option_invalid", "link is a URL that begins with https:// or http://.")
            elif draft.assets:
                yield Problem(field, "option_conflict", "A post on Facebook shows media or a link, not both.")
        case _:
            yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)


def _is_link(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)

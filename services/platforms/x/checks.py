"""What X would refuse of a draft, known without asking. Pure; the numbers are spec.toml's."""

from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog, rules
from services.platforms.ports import JSON, Draft, Problem
from services.platforms.x.text import weighted_length

PLATFORM = Path(__file__).parent.name
GIF = "image/gif"
COUNTING = "Links count 23, emoji 2, characters of many other scripts 2."
MAX_ID_DIGITS = 19  # ids are 64 bits

IDS = ("replyToId", "quoteId")
FLAGS = ("madeWithAi", "paidPartnership")
OPTIONS = (*IDS, *FLAGS)


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    yield from _text(draft)
    yield from _counts(draft)
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(catalog.load()[PLATFORM], f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(name, value)
    if draft.assets and "quoteId" in draft.options:
        yield Problem("options.quoteId", "option_conflict", "A post on X quotes another one or has media, not both.")


def _text(draft: Draft) -> Iterator[Problem]:
    if not draft.text.strip() and not draft.assets:
        yield Problem("text", "post_empty", "A post on X needs text or media.")
    yield from rules.too_long(catalog.load()[PLATFORM], weighted_length(draft.text), COUNTING)


def _counts(draft: Draft) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    videos = sum(asset.is_video for asset in draft.assets)
    gifs = sum(asset.content_type == GIF for asset in draft.assets)
    images = len(draft.assets) - videos - gifs
    if sum(found > 0 for found in (videos, gifs, images)) > 1:
        yield Problem("media", "media_mixed", "A post on X has images, or one GIF, or one video; they do not mix.")
    yield from rules.too_many(platform, images, "images", platform.image.max_count if platform.image else 0)
    yield from rules.too_many(platform, gifs, "gifs", 1)
    yield from rules.too_many(platform, videos, "videos", platform.video.max_count if platform.video else 0)


def _option(name: str, value: JSON) -> Iterator[Problem]:
    field = f"options.{name}"
    if name not in OPTIONS:
        yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)
    elif name in IDS and not _is_id(value):
        yield Problem(field, "option_invalid", f"{name} is the id of a post: a string of digits.")
    elif name in FLAGS and not isinstance(value, bool):
        yield Problem(field, "option_invalid", f"{name} is true or false.")


def _is_id(value: JSON) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_ID_DIGITS

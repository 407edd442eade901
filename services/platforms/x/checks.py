"""What X would refuse of a draft, known without asking. Pure; the numbers are spec.toml's."""

from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog
from services.platforms.ports import JSON, Asset, Draft, Problem
from services.platforms.x.text import weighted_length

PLATFORM = Path(__file__).parent.name
GIF = "image/gif"
MAX_ID_DIGITS = 19  # ids are 64 bits

IDS = ("replyToId", "quoteId")
FLAGS = ("madeWithAi", "paidPartnership")
OPTIONS = (*IDS, *FLAGS)


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    yield from _text(draft)
    yield from _counts(draft)
    for index, asset in enumerate(draft.assets):
        yield from _asset(f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(name, value)
    if draft.assets and "quoteId" in draft.options:
        yield Problem("options.quoteId", "option_conflict", "A post on X quotes another one or has media, not both.")


def _text(draft: Draft) -> Iterator[Problem]:
    limit = catalog.load()[PLATFORM].text.max_length
    if not draft.text.strip() and not draft.assets:
        yield Problem("text", "post_empty", "A post on X needs text or media.")
    if (length := weighted_length(draft.text)) > limit:
        message = (
            f"The text counts {length}; X takes {limit}. Links count 23, emoji 2, characters of many other scripts 2."
        )
        yield Problem("text", "text_too_long", message, limit, length)


def _counts(draft: Draft) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    videos = sum(asset.is_video for asset in draft.assets)
    gifs = sum(asset.content_type == GIF for asset in draft.assets)
    images = len(draft.assets) - videos - gifs
    if sum(found > 0 for found in (videos, gifs, images)) > 1:
        yield Problem("media", "media_mixed", "A post on X has images, or one GIF, or one video; they do not mix.")
    max_images = platform.image.max_count if platform.image else 0
    max_videos = platform.video.max_count if platform.video else 0
    for found, what, limit in ((images, "images", max_images), (gifs, "gifs", 1), (videos, "videos", max_videos)):
        if found > limit:
            shown = what.upper().removesuffix("S") + "s" if what == "gifs" else what
            message = f"The post has {found} {shown}; X takes {limit}."
            yield Problem("media", f"too_many_{what}", message, limit, found)


def _asset(where: str, asset: Asset) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    limits = platform.video if asset.is_video else platform.image
    accept = limits.limits.accept if limits else ()
    if asset.content_type not in accept:
        message = f"{asset.content_type} is not taken by X; {', '.join(accept)} are."
        yield Problem(where, "media_type_unsupported", message)
    limit = limits.alt_text_max if limits else 0
    if (length := len(asset.alt_text or "")) > limit:
        message = f"The alt text has {length} characters; X takes {limit}."
        yield Problem(f"{where}.altText", "alt_text_too_long", message, limit, length)


def _option(name: str, value: JSON) -> Iterator[Problem]:
    field = f"options.{name}"
    if name not in OPTIONS:
        yield Problem(field, "option_unknown", f"X has no option {name}; it has {', '.join(OPTIONS)}.")
    elif name in IDS and not _is_id(value):
        yield Problem(field, "option_invalid", f"{name} is the id of a post: a string of digits.")
    elif name in FLAGS and not isinstance(value, bool):
        yield Problem(field, "option_invalid", f"{name} is true or false.")


def _is_id(value: JSON) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_ID_DIGITS

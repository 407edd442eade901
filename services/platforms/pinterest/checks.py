"""What Pinterest would refuse of a draft, known without asking. Pure; the numbers are spec.toml's and the API's schema.

Source: github.com/pinterest/api-description v5/openapi.json, PinCreate.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from services.platforms import catalog
from services.platforms.ports import JSON, Asset, Draft, Problem

PLATFORM = Path(__file__).parent.name
MAX_TITLE, MAX_LINK = 100, 2_048  # characters
MAX_ID_DIGITS = 24

IDS = ("boardId", "boardSectionId")
OPTIONS = (*IDS, "title", "link")


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    limit = catalog.load()[PLATFORM].text.max_length
    if len(draft.text) > limit:
        message = f"The text has {len(draft.text)} characters; a pin's description takes {limit}."
        yield Problem("text", "text_too_long", message, limit, len(draft.text))
    yield from _counts(draft)
    for index, asset in enumerate(draft.assets):
        yield from _asset(f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(name, value)
    if "boardSectionId" in draft.options and "boardId" not in draft.options:
        yield Problem("options.boardId", "option_missing", "boardSectionId names a section of the board boardId names.")


def _counts(draft: Draft) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    videos = sum(asset.is_video for asset in draft.assets)
    images = len(draft.assets) - videos
    if not draft.assets:
        yield Problem("media", "media_missing", "A pin needs an image or a video.")
    if videos and images:
        yield Problem("media", "media_mixed", "A pin has images or a video, not both.")
    for found, what, limits in ((images, "images", platform.image), (videos, "videos", platform.video)):
        limit = limits.max_count if limits else 0
        if found > limit:
            message = f"The post has {found} {what}; a pin takes {limit}."
            yield Problem("media", f"too_many_{what}", message, limit, found)


def _asset(where: str, asset: Asset) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    limits = platform.video if asset.is_video else platform.image
    accept = limits.limits.accept if limits else ()
    if asset.content_type not in accept:
        message = f"{asset.content_type} is not taken by Pinterest; {', '.join(accept)} are."
        yield Problem(where, "media_type_unsupported", message)
    limit = limits.alt_text_max if limits else 0
    if (length := len(asset.alt_text or "")) > limit:
        message = f"The alt text has {length} characters; Pinterest takes {limit}."
        yield Problem(f"{where}.altText", "alt_text_too_long", message, limit, length)


def _option(name: str, value: JSON) -> Iterator[Problem]:
    field = f"options.{name}"
    match name:
        case "boardId" | "boardSectionId":
            if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_ID_DIGITS):
                yield Problem(field, "option_invalid", f"{name} is an id: a string of digits.")
        case "title":
            yield from _text(field, value, MAX_TITLE)
        case "link":
            yield from _text(field, value, MAX_LINK)
            if isinstance(value, str) and not _is_link(value):
                yield Problem(field, "option_invalid", "link is an absolute http or https URL.")
        case _:
            message = f"Pinterest has no option {name}; it has {', '.join(OPTIONS)}."
            yield Problem(field, "option_unknown", message)


def _text(field: str, value: JSON, limit: int) -> Iterator[Problem]:
    name = field.removeprefix("options.")
    if not isinstance(value, str):
        yield Problem(field, "option_invalid", f"{name} is a string.")
    elif len(value) > limit:
        message = f"{name} has {len(value)} characters; Pinterest takes {limit}."
        yield Problem(field, f"{name}_too_long", message, limit, len(value))


def _is_link(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(char.isspace() for char in value)

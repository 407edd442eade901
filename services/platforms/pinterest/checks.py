"""What Pinterest would refuse of a draft, known without asking. Pure; the numbers are spec.toml's and the API's schema.

Source: github.com/pinterest/api-description v5/openapi.json, PinCreate.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from services.platforms import catalog, rules
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
MAX_TITLE, MAX_LINK = 100, 2_048  # characters
MAX_ID_DIGITS = 24

IDS = ("boardId", "boardSectionId")
OPTIONS = (*IDS, "title", "link")


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    platform = catalog.load()[PLATFORM]
    yield from rules.too_long(platform, len(draft.text))
    if not draft.assets:
        yield Problem("media", "media_missing", "A pin needs an image or a video.")
    yield from rules.images_or_video(platform, draft.assets)
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(platform, f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(name, value)
    if "boardSectionId" in draft.options and "boardId" not in draft.options:
        yield Problem("options.boardId", "option_missing", "boardSectionId names a section of the board boardId names.")


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
            yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)


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

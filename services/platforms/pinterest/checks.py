"""What Pinterest would refuse of a draft, known without asking. Pure; the numbers are spec.toml's and the API's schema.

Source: github.com/pinterest/api-description v5/openapi.json, PinCreate, PinMediaSourceImagesBase64.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from services.platforms import catalog, rules
from services.platforms.calls import list_at, text_at
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
MAX_ID_DIGITS = 24

IDS = ("boardId", "boardSectionId")
OPTIONS = (*IDS, "title", "link", "items")
ITEM_TEXTS = ("title", "description", "link")  # as the API and our option call them


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
        yield from _items(draft, value) if name == "items" else _option(name, value)
    if "boardSectionId" in draft.options and "boardId" not in draft.options:
        yield Problem("options.boardId", "option_missing", "boardSectionId names a section of the board boardId names.")


def item_limits() -> Mapping[str, int]:
    """Characters of what an item says."""
    platform = catalog.load()[PLATFORM]
    return {name: platform.most(f"options.items[].{name}") for name in ITEM_TEXTS}


def items_of(draft: Draft) -> list[dict[str, JSON]]:
    """What each image of a carousel says for itself, by the API's names; empty for one that says nothing."""
    given = list_at(draft.options, "items")
    return [
        {name: text for name in ITEM_TEXTS if (text := text_at(given, index, name))}
        for index in range(len(draft.assets))
    ]


def _items(draft: Draft, value: JSON) -> Iterator[Problem]:
    field, count = "options.items", len(draft.assets)
    if count < 2 or any(asset.is_video for asset in draft.assets):
        yield Problem(field, "option_conflict", "items are of a carousel, which has two images or more.")
        return
    if not isinstance(value, list) or len(value) != count:
        message = f"items is a list of {count} objects or nulls, as many as the post has images."
        yield Problem(field, "option_invalid", message)
        return
    for index, item in enumerate(value):
        if item is not None:
            yield from _item(f"{field}[{index}]", item)


def _item(field: str, item: JSON) -> Iterator[Problem]:
    if not isinstance(item, dict) or not item.keys() <= set(ITEM_TEXTS):
        yield Problem(field, "option_invalid", "An item may have a title, a description and a link, and nothing else.")
        return
    for name, limit in item_limits().items():
        if name in item:
            yield from _text(f"{field}.{name}", item[name], limit)
    if "link" in item:
        yield from _link(f"{field}.link", item["link"])


def _option(name: str, value: JSON) -> Iterator[Problem]:
    field = f"options.{name}"
    match name:
        case "boardId" | "boardSectionId":
            if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_ID_DIGITS):
                yield Problem(field, "option_invalid", f"{name} is an id: a string of digits.")
        case "title":
            yield from _text(field, value, catalog.load()[PLATFORM].most(field))
        case "link":
            yield from _text(field, value, catalog.load()[PLATFORM].most(field))
            yield from _link(field, value)
        case _:
            yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)


def _text(field: str, value: JSON, limit: int) -> Iterator[Problem]:
    name = field.rpartition(".")[2]
    if not isinstance(value, str):
        yield Problem(field, "option_invalid", f"{name} is a string.")
    elif len(value) > limit:
        message = f"{name} has {len(value)} characters; Pinterest takes {limit}."
        yield Problem(field, f"{name}_too_long", message, limit, len(value))


def _link(field: str, value: JSON) -> Iterator[Problem]:
    if isinstance(value, str) and not _is_link(value):
        yield Problem(field, "option_invalid", "link is an absolute http or https URL.")


def _is_link(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(char.isspace() for char in value)

"""What YouTube would refuse of a draft, known without asking. Pure; the numbers are spec.toml's and the API's.

Source: developers.google.com/youtube/v3/docs/videos, read 2026-10-08.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from services.platforms import catalog, rules
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
PRIVACIES = ("public", "unlisted", "private")
LICENSES = ("youtube", "creativeCommon")
FLAGS = ("madeForKids", "notifySubscribers", "embeddable", "madeWithAi")
OPTIONS = ("title", "tags", "categoryId", "privacy", "license", *FLAGS)


def title(draft: Draft) -> str:
    """The option's, else the text's first line."""
    given = draft.options.get("title")
    return given if isinstance(given, str) else draft.text.strip().partition("\n")[0].strip()


def tags_length(tags: Sequence[str]) -> int:
    """As YouTube counts them: with a comma between two, and quotation marks around one that holds a space."""
    return sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(len(tags) - 1, 0)


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    yield from _text(draft)
    yield from _title(draft)
    yield from _media(draft)
    for name, value in draft.options.items():
        yield from _option(name, value)


def _text(draft: Draft) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    limit = platform.text.max_bytes or platform.text.max_length
    yield from rules.too_long(platform, len(draft.text))
    if len(draft.text) <= platform.text.max_length and (size := len(draft.text.encode())) > limit:
        message = f"The text has {size} bytes in UTF-8; YouTube takes {limit}."
        yield Problem("text", "text_too_long", message, limit, size)
    if _has_brackets(draft.text):
        yield Problem("text", "text_invalid", "YouTube takes no < and no > in a description.")


def _title(draft: Draft) -> Iterator[Problem]:
    found = title(draft)
    if not found.strip():
        yield Problem("options.title", "option_missing", "A video on YouTube needs a title, or a text to take it from.")
    if len(found) > (limit := catalog.load()[PLATFORM].most("options.title")):
        message = f"The title has {len(found)} characters; YouTube takes {limit}. Give one by the option title."
        yield Problem("options.title", "title_too_long", message, limit, len(found))
    if "title" in draft.options and _has_brackets(found):
        yield Problem("options.title", "option_invalid", "YouTube takes no < and no > in a title.")


def _media(draft: Draft) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    if not draft.assets:
        yield Problem("media", "media_missing", "A post on YouTube needs a video.")
    yield from rules.images_or_video(platform, draft.assets)
    for index, asset in enumerate(draft.assets):
        if asset.is_video:
            yield from rules.one_asset(platform, f"media[{index}]", asset)


def _option(name: str, value: JSON) -> Iterator[Problem]:
    field = f"options.{name}"
    match name:
        case "title":
            if not isinstance(value, str):
                yield Problem(field, "option_invalid", "title is a string.")
        case "tags":
            yield from _tags(field, value)
        case "categoryId":
            if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3):
                yield Problem(field, "option_invalid", "categoryId is an id: a string of up to three digits.")
        case "privacy" | "license":
            allowed = PRIVACIES if name == "privacy" else LICENSES
            if value not in allowed:
                yield Problem(field, "option_invalid", f"{name} is one of {', '.join(allowed)}.")
        case _ if name in FLAGS:
            if not isinstance(value, bool):
                yield Problem(field, "option_invalid", f"{name} is true or false.")
        case _:
            yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)


def _tags(field: str, value: JSON) -> Iterator[Problem]:
    limit = catalog.load()[PLATFORM].most(field)
    tags = [tag for tag in value if isinstance(tag, str) and tag.strip()] if isinstance(value, list) else []
    if not isinstance(value, list) or len(tags) != len(value):
        yield Problem(field, "option_invalid", "tags is a list of strings.")
    elif any(_has_brackets(tag) for tag in tags):
        yield Problem(field, "option_invalid", "YouTube takes no < and no > in a tag.")
    elif (length := tags_length(tags)) > limit:
        message = f"The tags count {length} characters; YouTube takes {limit}."
        yield Problem(field, "tags_too_long", message, limit, length)


def _has_brackets(text: str) -> bool:
    return "<" in text or ">" in text

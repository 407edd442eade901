"""What a Mastodon server with the usual limits would refuse of a draft, known without asking. Pure."""

import re
from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog, rules
from services.platforms.calls import list_at, number_at, text_at
from services.platforms.mastodon.text import length
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
COUNTING = "Links count 23, mentions without their server; a content warning counts too."

VISIBILITIES = ("public", "unlisted", "private", "direct")
OPTIONS = ("visibility", "spoilerText", "sensitive", "language", "inReplyToId", "focus")
AXES = "xy"
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_ID = re.compile(r"[A-Za-z0-9]{1,64}")


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    platform = catalog.load()[PLATFORM]
    if not draft.text.strip() and not draft.assets:
        yield Problem("text", "post_empty", "A post on Mastodon needs text or media.")
    yield from rules.too_long(platform, length(draft.text, spoiler_of(draft)), COUNTING)
    yield from rules.images_or_video(platform, draft.assets)
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(platform, f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _focus(draft, value) if name == "focus" else _option(name, value)


def spoiler_of(draft: Draft) -> str:
    """The content warning, "" if there is none."""
    return text_at(draft.options, "spoilerText")


def focus_of(draft: Draft, index: int) -> tuple[float, float] | None:
    """What is to stay in view of this medium, whatever is cut off: x from left to right, y upwards, both -1 to 1."""
    points = list_at(draft.options, "focus")
    return _point(points[index]) if index < len(points) else None


def _focus(draft: Draft, value: JSON) -> Iterator[Problem]:
    count = len(draft.assets)
    if not isinstance(value, list) or len(value) != count:
        message = f"focus is a list of {count} points or nulls, as many as the post has media."
        yield Problem("options.focus", "option_invalid", message)
        return
    for index, point in enumerate(value):
        if point is not None and _point(point) is None:
            message = "A point has an x and a y, two numbers from -1 to 1, and nothing else."
            yield Problem(f"options.focus[{index}]", "option_invalid", message)


def _point(value: JSON) -> tuple[float, float] | None:
    x, y = (number_at(value, axis) for axis in AXES)
    if not isinstance(value, dict) or len(value) != len(AXES) or x is None or y is None:
        return None
    return (x, y) if -1 <= x <= 1 and -1 <= y <= 1 else None


def _option(name: str, value: JSON) -> Iterator[Problem]:
    if name not in OPTIONS:
        yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)
    elif (needed := _needed(name, value)) is not None:
        yield Problem(f"options.{name}", "option_invalid", f"{name} is {needed}.")


def _needed(name: str, value: JSON) -> str | None:
    """What the option has to be, None if it is that."""
    text = value if isinstance(value, str) else ""
    match name:
        case "visibility":
            return None if text in VISIBILITIES else f"one of {', '.join(VISIBILITIES)}"
        case "spoilerText":
            return None if text.strip() else "the text of a content warning"
        case "sensitive":
            return None if isinstance(value, bool) else "true or false"
        case "language":
            return None if _LANGUAGE.fullmatch(text) else 'a language tag, as "en" or "pt-BR"'
        case _:
            return None if _ID.fullmatch(text) else "the id of a post on the account's server"

"""What TikTok would refuse of a draft, known without asking. Pure; the numbers are spec.toml's and the API's.

Source: developers.tiktok.com/doc/content-posting-api-reference-{direct-post,photo-post}, read 2026-10-08.
"""

from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog, rules
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
UNIT = "utf16"
PRIVACIES = {
    "public": "PUBLIC_TO_EVERYONE",
    "followers": "FOLLOWER_OF_CREATOR",
    "friends": "MUTUAL_FOLLOW_FRIENDS",
    "private": "SELF_ONLY",
}
FLAGS = ("disableComments", "paidPartnership", "ownBrand")
VIDEO_FLAGS = ("disableDuet", "disableStitch", "madeWithAi")
OF_VIDEOS = frozenset([*VIDEO_FLAGS, "thumbOffset"])
OF_PHOTOS = frozenset(["title", "coverIndex", "autoAddMusic"])
OPTIONS = ("privacy", *FLAGS, *VIDEO_FLAGS, "thumbOffset", "title", "coverIndex", "autoAddMusic")


def utf16_length(text: str) -> int:
    """In TikTok's unit."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_video(draft: Draft) -> bool:
    """Whether it is one of a video, and not of photos."""
    return any(asset.is_video for asset in draft.assets)


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    platform = catalog.load()[PLATFORM]
    length = utf16_length(draft.text)
    if is_video(draft) or not draft.assets:
        yield from rules.too_long(platform, length, "It counts UTF-16 units, two for most emoji.")
    elif length > (limit := platform.most("text", UNIT)):
        message = f"The text counts {length}; TikTok takes {limit} with photos."
        yield Problem("text", "text_too_long", message, limit, length)
    if not draft.assets:
        yield Problem("media", "media_missing", "A post on TikTok needs a video or photos.")
    yield from rules.images_or_video(platform, draft.assets)
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(platform, f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(draft, name, value)


def _option(draft: Draft, name: str, value: JSON) -> Iterator[Problem]:
    field, platform = f"options.{name}", catalog.load()[PLATFORM]
    if name not in OPTIONS:
        yield rules.unknown_option(platform, name, OPTIONS)
    elif draft.assets and name in (OF_PHOTOS if is_video(draft) else OF_VIDEOS):
        yield Problem(field, "option_conflict", f"{name} is about {'photos' if is_video(draft) else 'videos'}.")
    elif wrong := _wrong(draft, name, value):
        yield Problem(field, "option_invalid", wrong)
    elif name == "title" and (length := utf16_length(str(value))) > (limit := platform.most(field, UNIT)):
        message = f"The title counts {length}; TikTok takes {limit}."
        yield Problem(field, "title_too_long", message, limit, length)
    elif name == "paidPartnership" and value is True and draft.options.get("privacy") == "private":
        yield Problem(field, "option_conflict", "TikTok takes no private post of a paid partnership.")


def _wrong(draft: Draft, name: str, value: JSON) -> str:
    """What the option must be, if it is not; else ""."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    match name:
        case "privacy":
            return "" if value in PRIVACIES else f"privacy is one of {', '.join(PRIVACIES)}."
        case "title":
            return "" if isinstance(value, str) else "title is a string."
        case "thumbOffset":
            return "" if is_number else "thumbOffset is a whole number of milliseconds, 0 or more."
        case "coverIndex":
            last = max(len(draft.assets) - 1, 0)
            is_index = is_number and isinstance(value, int) and value <= last
            return "" if is_index else f"coverIndex is the place of one of the photos, 0 to {last}."
        case _:
            return "" if isinstance(value, bool) else f"{name} is true or false."

"""What Instagram would refuse of a draft, known without asking. Pure; the numbers are spec.toml's.

Source: developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media, read 2026-10-10.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog, rules
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
KINDS = ("feed", "reel", "story")
OPTIONS = ("mediaType", "thumbOffset", "shareToFeed")

_HASHTAG = re.compile(r"(?<![\w&/#])#\w+")
_MENTION = re.compile(r"(?<![\w.@/])@[\w.]+")


def hashtags(text: str) -> list[str]:
    """Those of a caption, as often as they stand there."""
    return _HASHTAG.findall(text)


def mentions(text: str) -> list[str]:
    """The same for accounts."""
    return _MENTION.findall(text)


def kind(draft: Draft) -> str:
    """feed, reel or story: as the draft says, else a lone video is a reel, which is all Instagram makes of one."""
    lone_video = len(draft.assets) == 1 and draft.assets[0].is_video
    given = draft.options.get("mediaType")
    if given == "story":
        return "story"
    return "reel" if lone_video or given == "reel" else "feed"


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    yield from _text(draft)
    yield from _counts(draft)
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(catalog.load()[PLATFORM], f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(draft, name, value)


def _text(draft: Draft) -> Iterator[Problem]:
    if kind(draft) == "story" and draft.text.strip():
        yield Problem(
            "text", "text_unsupported", "A story on Instagram has no caption; give this target an empty text."
        )
        return
    platform = catalog.load()[PLATFORM]
    yield from rules.too_long(platform, len(draft.text))
    for tags, what in ((hashtags, "hashtags"), (mentions, "mentions")):
        found, limit = len(tags(draft.text)), platform.most("text", what)
        if found > limit:
            message = f"The text has {found} {what}; Instagram takes {limit}."
            yield Problem("text", f"too_many_{what}", message, limit, found)


def _counts(draft: Draft) -> Iterator[Problem]:
    if not draft.assets:
        yield Problem("media", "media_missing", "A post on Instagram needs an image or a video.")
    match kind(draft):
        case "story":
            yield from rules.too_many(catalog.load()[PLATFORM], len(draft.assets), "media", 1)
        case "reel":
            if draft.assets and (len(draft.assets) > 1 or not draft.assets[0].is_video):
                yield Problem("media", "reel_not_video", "A reel is one video, and nothing else.")
        case _:
            platform = catalog.load()[PLATFORM]
            limit = platform.image.max_count if platform.image else 0
            yield from rules.too_many(platform, len(draft.assets), "media", limit)


def _option(draft: Draft, name: str, value: JSON) -> Iterator[Problem]:
    field = f"options.{name}"
    match name:
        case "mediaType":
            if value not in KINDS:
                yield Problem(field, "option_invalid", f"mediaType is one of {', '.join(KINDS)}.")
        case "thumbOffset":
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                yield Problem(field, "option_invalid", "thumbOffset is a whole number of milliseconds, 0 or more.")
            elif kind(draft) != "reel":
                yield Problem(field, "option_conflict", "thumbOffset chooses the cover of a reel.")
        case "shareToFeed":
            if not isinstance(value, bool):
                yield Problem(field, "option_invalid", "shareToFeed is true or false.")
            elif kind(draft) != "reel":
                yield Problem(field, "option_conflict", "shareToFeed is about reels.")
        case _:
            yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)

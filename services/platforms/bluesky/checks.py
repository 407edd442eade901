"""What Bluesky would refuse of a draft, known without asking. Pure; the numbers are spec.toml's."""

from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog
from services.platforms.bluesky import formats, text
from services.platforms.calls import text_at
from services.platforms.ports import JSON, Asset, Draft, Problem

PLATFORM = Path(__file__).parent.name
MAX_LANGS = 3  # lexicons/app/bsky/feed/post.json
GIF = "image/gif"  # not a preset's type, yet taken: the lexicon says image/*, and shows its first frame
OPTIONS = ("langs", "reply")


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    yield from _text(draft)
    yield from _counts(draft)
    for index, asset in enumerate(draft.assets):
        yield from _asset(f"media[{index}]", asset)
    yield from _options(draft)


def _text(draft: Draft) -> Iterator[Problem]:
    limits = catalog.load()[PLATFORM].text
    if not draft.text.strip() and not draft.assets:
        yield Problem("text", "post_empty", "A post on Bluesky needs text or media.")
    if (length := text.graphemes(draft.text)) > limits.max_length:
        message = f"The text has {length} characters; Bluesky takes {limits.max_length}."
        yield Problem("text", "text_too_long", message, limits.max_length, length)
    size = len(draft.text.encode())
    if limits.max_bytes is not None and size > limits.max_bytes:
        message = f"The text has {size} bytes in UTF-8; Bluesky takes {limits.max_bytes}."
        yield Problem("text", "text_too_many_bytes", message, limits.max_bytes, size)


def _counts(draft: Draft) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    videos = sum(asset.is_video for asset in draft.assets)
    images = len(draft.assets) - videos
    if videos and images:
        yield Problem("media", "media_mixed", "A post on Bluesky has images or a video, not both.")
    for found, what, limits in ((images, "images", platform.image), (videos, "videos", platform.video)):
        limit = limits.max_count if limits else 0
        if found > limit:
            message = f"The post has {found} {what}; Bluesky takes {limit}."
            yield Problem("media", f"too_many_{what}", message, limit, found)


def _asset(where: str, asset: Asset) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    limits = platform.video if asset.is_video else platform.image
    accept = (*limits.limits.accept, *(() if asset.is_video else (GIF,))) if limits else ()
    if asset.content_type not in accept:
        message = f"{asset.content_type} is not taken by Bluesky; {', '.join(accept)} are."
        yield Problem(where, "media_type_unsupported", message)
    limit = limits.alt_text_max if limits else 0
    if (length := len(asset.alt_text or "")) > limit:
        message = f"The alt text has {length} characters; Bluesky takes {limit}."
        yield Problem(f"{where}.altText", "alt_text_too_long", message, limit, length)


def _options(draft: Draft) -> Iterator[Problem]:
    for name, value in draft.options.items():
        field = f"options.{name}"
        match name:
            case "langs":
                yield from _langs(field, value)
            case "reply":
                yield from _reply(field, value)
            case _:
                yield Problem(field, "option_unknown", f"Bluesky has no option {name}; it has {', '.join(OPTIONS)}.")


def _langs(field: str, value: JSON) -> Iterator[Problem]:
    if not isinstance(value, list) or not all(isinstance(it, str) and formats.is_language(it) for it in value):
        yield Problem(field, "option_invalid", 'langs is a list of language tags, as ["en", "pt-BR"].')
    elif len(value) > MAX_LANGS:
        message = f"langs has {len(value)} entries; Bluesky takes {MAX_LANGS}."
        yield Problem(field, "option_invalid", message, MAX_LANGS, len(value))


def _reply(field: str, value: JSON) -> Iterator[Problem]:
    for end in ("root", "parent"):
        if not (formats.is_at_uri(text_at(value, end, "uri")) and formats.is_cid(text_at(value, end, "cid"))):
            message = f"reply.{end} is {{uri, cid}} of a post, its uri beginning with at://."
            yield Problem(f"{field}.{end}", "option_invalid", message)

"""What Bluesky would refuse of a draft, known without asking. Pure; the numbers are spec.toml's."""

from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog, rules
from services.platforms.bluesky import formats, text
from services.platforms.calls import text_at
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
GIF = "image/gif"  # not a preset's type, yet taken: the lexicon says image/*, and shows its first frame
OPTIONS = ("langs", "reply")


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    yield from _text(draft)
    platform = catalog.load()[PLATFORM]
    yield from rules.images_or_video(platform, draft.assets)
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(platform, f"media[{index}]", asset, also=() if asset.is_video else (GIF,))
    yield from _options(draft)


def _text(draft: Draft) -> Iterator[Problem]:
    platform = catalog.load()[PLATFORM]
    limits = platform.text
    if not draft.text.strip() and not draft.assets:
        yield Problem("text", "post_empty", "A post on Bluesky needs text or media.")
    yield from rules.too_long(platform, text.graphemes(draft.text))
    size = len(draft.text.encode())
    if limits.max_bytes is not None and size > limits.max_bytes:
        message = f"The text has {size} bytes in UTF-8; Bluesky takes {limits.max_bytes}."
        yield Problem("text", "text_too_many_bytes", message, limits.max_bytes, size)


def _options(draft: Draft) -> Iterator[Problem]:
    for name, value in draft.options.items():
        field = f"options.{name}"
        match name:
            case "langs":
                yield from _langs(field, value)
            case "reply":
                yield from _reply(field, value)
            case _:
                yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)


def _langs(field: str, value: JSON) -> Iterator[Problem]:
    limit = catalog.load()[PLATFORM].most(field, "entries")
    if not isinstance(value, list) or not all(isinstance(it, str) and formats.is_language(it) for it in value):
        yield Problem(field, "option_invalid", 'langs is a list of language tags, as ["en", "pt-BR"].')
    elif len(value) > limit:
        message = f"langs has {len(value)} entries; Bluesky takes {limit}."
        yield Problem(field, "option_invalid", message, limit, len(value))


def _reply(field: str, value: JSON) -> Iterator[Problem]:
    for end in ("root", "parent"):
        if not (formats.is_at_uri(text_at(value, end, "uri")) and formats.is_cid(text_at(value, end, "cid"))):
            message = f"reply.{end} is {{uri, cid}} of a post, its uri beginning with at://."
            yield Problem(f"{field}.{end}", "option_invalid", message)

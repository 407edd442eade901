"""What Threads would refuse of a draft, known without asking. Pure; the numbers are spec.toml's.

Source: developers.facebook.com/docs/threads/overview, …/docs/threads/posts, read 2026-10-10.
"""

from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog, rules
from services.platforms.ports import JSON, Draft, Problem
from services.platforms.threads.text import counted, links

PLATFORM = Path(__file__).parent.name
MAX_ID_DIGITS = 24
COUNTING = "Emoji count as their bytes in UTF-8, four or more each."
OPTIONS = ("replyToId",)


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    platform = catalog.load()[PLATFORM]
    if not draft.text.strip() and not draft.assets:
        yield Problem("text", "post_empty", "A post on Threads needs text or media.")
    yield from rules.too_long(platform, counted(draft.text), COUNTING)
    if (found := len(links(draft.text))) > (limit := platform.most("text", "links")):
        message = f"The text has {found} links; Threads takes {limit}."
        yield Problem("text", "too_many_links", message, limit, found)
    limit = platform.image.max_count if platform.image else 0
    yield from rules.too_many(platform, len(draft.assets), "media", limit)
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(platform, f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(name, value)


def _option(name: str, value: JSON) -> Iterator[Problem]:
    if name not in OPTIONS:
        yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)
    elif not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_ID_DIGITS):
        yield Problem(f"options.{name}", "option_invalid", f"{name} is the id of a post: a string of digits.")

"""What LinkedIn would refuse of a draft, known without asking. Pure; the numbers are spec.toml's.

Source: learn.microsoft.com/linkedin/marketing/community-management/shares/{posts,images,videos}-api, read 2026-09-19.
"""

from collections.abc import Iterator
from pathlib import Path

from services.platforms import catalog, rules
from services.platforms.ports import JSON, Draft, Problem

PLATFORM = Path(__file__).parent.name
VISIBILITIES = {"public": "PUBLIC", "connections": "CONNECTIONS"}
OPTIONS = ("visibility", "title")


def is_video(draft: Draft) -> bool:
    """Whether it is one of a video; a GIF arrives as one."""
    return any(asset.is_video for asset in draft.assets)


def problems(draft: Draft) -> Iterator[Problem]:
    """Each rule that is broken, once per place."""
    platform = catalog.load()[PLATFORM]
    yield from rules.too_long(platform, len(draft.text))
    if not (draft.assets or draft.text.strip()):
        yield Problem("text", "post_empty", "A post on LinkedIn needs a text or media.")
    yield from rules.images_or_video(platform, draft.assets)
    for index, asset in enumerate(draft.assets):
        yield from rules.one_asset(platform, f"media[{index}]", asset)
    for name, value in draft.options.items():
        yield from _option(draft, name, value)


def _option(draft: Draft, name: str, value: JSON) -> Iterator[Problem]:
    field = f"options.{name}"
    match name:
        case "visibility":
            if value not in VISIBILITIES:
                yield Problem(field, "option_invalid", f"visibility is one of {', '.join(VISIBILITIES)}.")
        case "title":
            if not isinstance(value, str) or not value.strip():
                yield Problem(field, "option_invalid", "title is a text.")
            elif draft.assets and not is_video(draft):
                yield Problem(field, "option_conflict", "title is about videos.")
        case _:
            yield rules.unknown_option(catalog.load()[PLATFORM], name, OPTIONS)

"""Posts as LinkedIn's API takes them, and how one is found again. Pure.

Source: learn.microsoft.com/linkedin/marketing/community-management/shares/{posts,multiimage-post}-api, read 2026-09-19.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.platforms.calls import list_at, number_at, text_at
from services.platforms.linkedin.checks import VISIBILITIES
from services.platforms.linkedin.text import little, seen
from services.platforms.ports import JSON, Draft

MARGIN = timedelta(seconds=60)  # between our clock and LinkedIn's


def post(draft: Draft, author: str, media: Sequence[str]) -> dict[str, JSON]:
    """The body of POST /rest/posts. media: URNs, in the order of the draft's."""
    wanted: dict[str, JSON] = {
        "author": author,
        "commentary": little(draft.text),
        "visibility": VISIBILITIES[str(draft.options.get("visibility", "public"))],
        "distribution": {
            "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }  # fmt: skip
    shown: list[JSON] = []
    for urn, asset in zip(media, draft.assets, strict=True):
        one: dict[str, JSON] = {"id": urn, **({"altText": asset.alt_text} if asset.alt_text else {})}
        shown.append({**one, "title": draft.options["title"]} if "title" in draft.options else one)
    if shown:
        wanted["content"] = {"media": shown[0]} if len(shown) == 1 else {"multiImage": {"images": shown}}
    return wanted


def is_post(found: JSON, draft: Draft, media: Sequence[str], since: datetime) -> bool:
    """Whether a post is this draft: by its media, whose URNs nobody else has, or by its text, made since then."""
    one = text_at(found, "content", "media", "id")
    shown = [one] if one else [text_at(it, "id") for it in list_at(found, "content", "multiImage", "images")]
    if media or shown:
        return bool(media) and shown == list(media)
    made_ms = number_at(found, "createdAt") or 0
    same = _plain(seen(text_at(found, "commentary"))) == _plain(draft.text)
    return same and made_ms >= (since - MARGIN).timestamp() * 1000


def _plain(text: str) -> str:
    return " ".join(text.split())

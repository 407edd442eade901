"""A video as the API takes it, and the API it goes to. Pure.

Source: developers.google.com/youtube/v3/docs/videos, developers.google.com/identity/protocols/oauth2, read 2026-10-08.
"""

from services.platforms.bearer import Service
from services.platforms.ports import JSON, Draft
from services.platforms.youtube import checks, refusals

# Tokens with the scope youtube, or youtube.force-ssl.
SERVICE = Service(
    "YouTube", "https://www.googleapis.com", "/token", refusals.refusal, renewal_address="https://oauth2.googleapis.com"
)
VIDEOS = "/youtube/v3/videos"
HIDDEN = "private"
CATEGORY = "22"  # people and blogs, which YouTube takes for videos of none

_STATUS_NAMES = {
    "madeForKids": "selfDeclaredMadeForKids",
    "embeddable": "embeddable",
    "license": "license",
    "madeWithAi": "containsSyntheticMedia",
}


def snippet(draft: Draft) -> dict[str, JSON]:
    """What the video says."""
    said: dict[str, JSON] = {
        "title": checks.title(draft),
        "description": draft.text,
        "categoryId": draft.options.get("categoryId", CATEGORY),
    }
    return said | ({"tags": draft.options["tags"]} if draft.options.get("tags") else {})


def privacy(draft: Draft) -> str:
    """Who is to see it."""
    return str(draft.options.get("privacy", "public"))


def status(draft: Draft, seen_by: str) -> dict[str, JSON]:
    """The whole part: an update takes away what it does not name."""
    given = {theirs: draft.options[ours] for ours, theirs in _STATUS_NAMES.items() if ours in draft.options}
    return {"privacyStatus": seen_by, **given}

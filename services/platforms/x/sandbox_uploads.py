"""What the sandbox's uploads may be, and what X shows of them while it processes them. Pure, but for the clock.

Source: docs.x.com/x-api/media/quickstart/best-practices; numbers from there and spec.toml.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from services.platforms import catalog
from services.platforms.calls import text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.sniff import Facts
from services.platforms.sandboxing.store import Doc
from services.platforms.x.checks import PLATFORM
from services.platforms.x.sandbox_accounts import invalid

GIF_MAX_BYTES, GIF_MAX_WIDTH, GIF_MAX_HEIGHT, GIF_MAX_FRAMES, GIF_MAX_PX = 15_000_000, 1_280, 1_080, 350, 300_000_000
STATE_LASTS_S = 0.4  # each of pending and in_progress: a poll a second sees some of it
KEY_KINDS = {"tweet_image": "3", "tweet_gif": "16", "tweet_video": "7"}


@dataclass(frozen=True, slots=True)
class Category:
    """What a media category takes. processed: asynchronously, so that a refusal of its bytes comes as a state."""

    max_bytes: int
    accept: tuple[str, ...]
    processed: bool


def categories() -> Mapping[str, Category]:
    """By name."""
    platform = catalog.load()[PLATFORM]
    assert platform.image is not None
    assert platform.video is not None
    image, video = platform.image.limits, platform.video.limits
    return {
        "tweet_image": Category(image.max_bytes, image.accept, processed=False),
        "tweet_gif": Category(GIF_MAX_BYTES, ("image/gif",), processed=True),
        "tweet_video": Category(video.max_bytes, video.accept, processed=True),
    }


def category_of(name: str, kind: str) -> Category:
    """The category of that name, if it takes files of that type. Raises RefusedError."""
    found = categories().get(name)
    if found is None:
        raise invalid(f"media_category must be one of {', '.join(categories())}", "media_category")
    if kind not in found.accept:
        raise invalid(f"media_type must be one of {', '.join(found.accept)}", "media_type")
    return found


def unfit(category: str, declared: str, facts: Facts) -> str:
    """Why X does not take these bytes; "" if it does."""
    if facts.content_type not in categories()[category].accept or facts.content_type != declared:
        return "media type unrecognized."
    width, height = facts.width, facts.height
    match category:
        case "tweet_gif":
            total = width * height * facts.frames
            small = width <= GIF_MAX_WIDTH and height <= GIF_MAX_HEIGHT
            fits = small and facts.frames <= GIF_MAX_FRAMES and total <= GIF_MAX_PX
            return "" if fits else "The GIF is too large, or has too many frames."
        case "tweet_video":
            limits = catalog.load()[PLATFORM].video
            assert limits is not None
            most = limits.limits
            if not (most.min_duration_s or 0) <= facts.duration_s <= (most.max_duration_s or facts.duration_s):
                return "Duration is not supported."
            if not (most.min_edge_px or 0) <= min(width, height) <= max(width, height) <= (most.max_edge_px or width):
                return "Dimensions are not supported."
            return "" if facts.codec == "h264" else "Unsupported codec."
        case _:
            return ""


def state(upload: Doc) -> str:
    """pending, in_progress, succeeded or failed; empty before it is finalized."""
    if not upload["finalized"]:
        return ""
    if not categories()[text_at(upload, "category")].processed:
        return "succeeded"
    age_s = time.time() - cast(float, upload["finalized"])
    if age_s < STATE_LASTS_S:
        return "pending"
    if upload["why"]:
        return "failed"
    return "in_progress" if age_s < 2 * STATE_LASTS_S else "succeeded"


def shown(upload: Doc) -> dict[str, JSON]:
    """As X answers with it."""
    category = text_at(upload, "category")
    left_s = int(cast(float, upload["expires"]) - time.time())
    key = f"{KEY_KINDS[category]}_{upload['id']}"
    found: dict[str, JSON] = {"id": upload["id"], "media_key": key, "expires_after_secs": left_s}
    if upload["finalized"]:
        found["size"] = upload["total"]
    if upload["finalized"] and categories()[category].processed:
        found["processing_info"] = _processing(state(upload), text_at(upload, "why"))
    return found


def _processing(state_now: str, why: str) -> dict[str, JSON]:
    match state_now:
        case "pending":
            return {"state": state_now, "check_after_secs": 1}
        case "in_progress":
            return {"state": state_now, "check_after_secs": 1, "progress_percent": 50}
        case "failed":
            return {"state": state_now, "error": {"code": 1, "name": "InvalidMedia", "message": why}}
        case _:
            return {"state": state_now, "progress_percent": 100}


def media_key(upload: Doc) -> str:
    """Its name in timelines."""
    return text_at(shown(upload), "media_key")


def expired(upload: Doc) -> bool:
    """Whether X has forgotten it."""
    return time.time() > cast(float, upload["expires"])

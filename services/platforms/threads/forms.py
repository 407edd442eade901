"""A draft as the containers Threads makes of it. Pure.

Source: developers.facebook.com/docs/threads/posts, …/docs/threads/reply-management, read 2026-10-10.
"""

from services.platforms.containers import Wanted
from services.platforms.ports import Asset, Draft


def wanted(draft: Draft) -> Wanted:
    """Its containers' forms."""
    said = {"text": draft.text} if draft.text else {}
    if reply_to := draft.options.get("replyToId"):
        said["reply_to_id"] = str(reply_to)
    slow = any(asset.is_video for asset in draft.assets)
    match len(draft.assets):
        case 0:
            return Wanted({"media_type": "TEXT", **said}, (), slow)
        case 1:
            return Wanted(_medium(draft.assets[0]) | said, (), slow)
        case _:
            children = [_medium(asset) | {"is_carousel_item": "true"} for asset in draft.assets]
            return Wanted({"media_type": "CAROUSEL", **said}, children, slow)


def _medium(asset: Asset) -> dict[str, str]:
    source = {"media_type": "VIDEO", "video_url": asset.url} if asset.is_video else {
        "media_type": "IMAGE", "image_url": asset.url,
    }  # fmt: skip
    return source | ({"alt_text": asset.alt_text} if asset.alt_text else {})

"""A draft as the containers Instagram makes of it. Pure.

Source: developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media, read 2026-10-10.
"""

from services.platforms.containers import Wanted
from services.platforms.instagram.checks import kind
from services.platforms.ports import Asset, Draft


def wanted(draft: Draft) -> Wanted:
    """Its containers' forms."""
    slow = any(asset.is_video for asset in draft.assets)
    caption = {"caption": draft.text} if draft.text else {}
    if len(draft.assets) > 1:
        children = [_medium(asset) | {"is_carousel_item": "true"} for asset in draft.assets]
        return Wanted({"media_type": "CAROUSEL", **caption}, children, slow)
    only = draft.assets[0]
    match kind(draft):
        case "story":
            form = _source(only) | {"media_type": "STORIES"}
        case "reel":
            form = _source(only) | {"media_type": "REELS"} | caption | _cover(draft) | _shared(draft)
        case _:
            form = _medium(only) | caption
    return Wanted(form, (), slow)


def _medium(asset: Asset) -> dict[str, str]:
    """A video is one only as a carousel's item: by itself it is a reel or a story."""
    described = {"alt_text": asset.alt_text} if asset.alt_text and not asset.is_video else {}
    return _source(asset) | ({"media_type": "VIDEO"} if asset.is_video else {}) | described


def _source(asset: Asset) -> dict[str, str]:
    return {"video_url" if asset.is_video else "image_url": asset.url}


def _cover(draft: Draft) -> dict[str, str]:
    """cover_url would win over thumb_offset, so what the author chose goes alone."""
    if "thumbOffset" in draft.options:
        return {"thumb_offset": str(draft.options["thumbOffset"])}
    return {"cover_url": draft.cover.url} if draft.cover else {}


def _shared(draft: Draft) -> dict[str, str]:
    share = draft.options.get("shareToFeed")
    return {} if share is None else {"share_to_feed": "true" if share else "false"}

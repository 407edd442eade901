"""A post as the repository holds it. Pure.

Source: bluesky-social/atproto lexicons/app/bsky/feed/post.json, lexicons/app/bsky/embed/{images,gallery,video}.json.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from services.platforms.bluesky import text
from services.platforms.ports import JSON, Asset, Draft

# Made of an animation: players repeat it, without their controls.
LOOP = "bluesky.loop"
IMAGES, GALLERY = "app.bsky.embed.images", "app.bsky.embed.gallery"
IMAGES_MAX = 4  # more of them are a gallery, as the official app has it
COLLECTION = "app.bsky.feed.post"
UNCONFIRMED_HANDLE = "handle.invalid"
SQUARE: dict[str, JSON] = {"width": 1, "height": 1}


def mentioned(written: str) -> list[str]:
    """Handles the text mentions, each once, in their order."""
    return list(dict.fromkeys(span.value for span in text.spans(written) if span.kind is text.Kind.MENTION))


def post(draft: Draft, blobs: Sequence[JSON], dids: Mapping[str, str]) -> dict[str, JSON]:
    """The record of this draft; the same draft gives the same record at every try.

    Args:
        blobs: What the PDS answered for each asset, unchanged: it compares type and size.
        dids: Whom handles mean; a mention of another one stays plain text.
    """
    record: dict[str, JSON] = {"$type": COLLECTION, "text": draft.text, "createdAt": instant(draft.created_at)}
    if facets := _facets(draft.text, dids):
        record["facets"] = facets
    if draft.assets:
        record["embed"] = _embed(draft.assets, blobs)
    record |= {name: draft.options[name] for name in ("langs", "reply") if name in draft.options}
    return record


def instant(moment: datetime) -> str:
    """As AppViews write it: UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def page_url(handle: str, did: str, rkey: str) -> str:
    """Where people see the post."""
    profile = did if handle in ("", UNCONFIRMED_HANDLE) else handle
    return f"https://bsky.app/profile/{profile}/post/{rkey}"


def _facets(written: str, dids: Mapping[str, str]) -> list[JSON]:
    return [
        text.facet(span, dids.get(span.value))
        for span in text.spans(written)
        if span.kind is not text.Kind.MENTION or span.value in dids
    ]


def _embed(assets: Sequence[Asset], blobs: Sequence[JSON]) -> dict[str, JSON]:
    if assets[0].is_video:
        video: dict[str, JSON] = {"$type": "app.bsky.embed.video", "video": blobs[0], **_shape(assets[0])}
        if assets[0].preset == LOOP:
            video["presentation"] = "gif"
        # Unlike an image's, a video's description may be left out.
        return video | ({"alt": assets[0].alt_text} if assets[0].alt_text else {})
    images: list[dict[str, JSON]] = [
        {"image": blob, "alt": asset.alt_text or "", **_shape(asset)} for asset, blob in zip(assets, blobs, strict=True)
    ]
    if len(images) <= IMAGES_MAX:
        return {"$type": IMAGES, "images": [*images]}
    # A gallery's items must have a shape.
    return {"$type": GALLERY, "items": [{"$type": f"{GALLERY}#image", "aspectRatio": SQUARE, **it} for it in images]}


def _shape(asset: Asset) -> dict[str, JSON]:
    if asset.width < 1 or asset.height < 1:
        return {}
    return {"aspectRatio": {"width": asset.width, "height": asset.height}}

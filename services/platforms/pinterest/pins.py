"""A pin as the API takes it, and how one is found again. Pure.

Source: github.com/pinterest/api-description v5/openapi.json, PinCreate, Pin.
"""

import base64
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from services.platforms.calls import list_at, text_at
from services.platforms.pinterest.checks import ITEM_TEXTS, items_of
from services.platforms.ports import JSON, Asset, Draft

# Together; the API names no limit of a request, so larger carousels are fetched from the CDN.
INLINE_MAX_BYTES = 20_000_000
CAROUSEL = "multiple_images"
_SPACES = re.compile(r"\s+")


def pin(draft: Draft, board_id: str, source: Mapping[str, JSON]) -> dict[str, JSON]:
    """The body of POST /pins."""
    wanted: dict[str, JSON] = {"board_id": board_id, "media_source": dict(source)}
    if section := draft.options.get("boardSectionId"):
        wanted["board_section_id"] = section
    return wanted | {name: value for name, value in said(draft).items() if value}


def said(draft: Draft) -> dict[str, str]:
    """What the pin says, by the API's names; "" for what it does not say."""
    return {
        "title": str(draft.options.get("title", "")),
        "description": draft.text,
        "link": str(draft.options.get("link", "")),
        "alt_text": next((asset.alt_text for asset in draft.assets if asset.alt_text), ""),
    }


def goes_inline(assets: Sequence[Asset]) -> bool:
    """Whether the images' bytes go into the request, so that Pinterest need not reach our CDN."""
    return sum(asset.size_bytes for asset in assets) <= INLINE_MAX_BYTES


def inline_source(images: Sequence[tuple[str, bytes]], texts: Sequence[Mapping[str, JSON]]) -> dict[str, JSON]:
    """The media source for these images: their content types and bytes. texts: what each says for itself."""
    items: list[JSON] = [
        {"content_type": kind, "data": base64.b64encode(data).decode(), **text}
        for (kind, data), text in zip(images, texts, strict=True)
    ]
    match items:
        case [dict() as only]:
            return {"source_type": "image_base64", **only}
        case _:
            return {"source_type": "multiple_image_base64", "items": items, "index": 0}


def url_source(assets: Sequence[Asset], texts: Sequence[Mapping[str, JSON]]) -> dict[str, JSON]:
    """The media source for images Pinterest fetches. texts: what each says for itself."""
    if len(assets) == 1:
        return {"source_type": "image_url", "url": assets[0].url}
    items: list[JSON] = [{"url": asset.url, **text} for asset, text in zip(assets, texts, strict=True)]
    return {"source_type": "multiple_image_urls", "items": items, "index": 0}


def video_source(media_id: str, cover: tuple[str, bytes] | None) -> dict[str, JSON]:
    """The media source for an uploaded video. cover: content type and bytes; without one, its first frame is shown."""
    source: dict[str, JSON] = {"source_type": "video_id", "media_id": media_id}
    if cover is None:
        return {**source, "cover_image_key_frame_time": 0}
    kind, data = cover
    return {**source, "cover_image_content_type": kind, "cover_image_data": base64.b64encode(data).decode()}


def is_pin(found: JSON, draft: Draft, since: datetime) -> bool:
    """Whether a pin of the board, made at `since` or later, says what the draft says."""
    made = created_at(found)
    if made is None or made < since:
        return False
    words = all(_normal(text_at(found, name)) == _normal(value) for name, value in said(draft).items())
    return words and _shows_alike(found, draft)


def says_something(draft: Draft) -> bool:
    """Whether a pin can be told by its words at all."""
    return any(said(draft).values()) or any(items_of(draft))


def _shows_alike(found: JSON, draft: Draft) -> bool:
    """Whether the pin is a carousel if the draft is one, and each of its images says what it is to say.

    The schema requires none of it in a pin that is read. One that does not tell what its images say is ours only if
    they are to say nothing.
    """
    kind, shown = text_at(found, "media", "media_type"), list_at(found, "media", "items")
    wanted = items_of(draft) if len(draft.assets) > 1 else []
    if kind and (kind == CAROUSEL) != bool(wanted):
        return False
    if not shown:
        return not any(wanted)
    words = said(draft)
    return len(shown) == len(wanted) and all(_says(one, own, words) for one, own in zip(shown, wanted, strict=True))


def _says(shown: JSON, own: Mapping[str, JSON], words: Mapping[str, str]) -> bool:
    """One image of a carousel. What it is not to say for itself may be read as what the pin says."""
    for name in ITEM_TEXTS:
        allowed = [text_at(own, name)] if name in own else ["", words[name]]
        if _normal(text_at(shown, name)) not in map(_normal, allowed):
            return False
    return True


def created_at(found: JSON) -> datetime | None:
    """When the pin was made; times without a zone are UTC."""
    try:
        moment = datetime.fromisoformat(text_at(found, "created_at"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _normal(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()

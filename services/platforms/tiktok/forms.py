"""Posts as the API takes them. Pure.

Source: developers.tiktok.com/doc/content-posting-api-reference-{direct-post,photo-post}, …/content-posting-api-
media-transfer-guide, read 2026-10-08.
"""

from services.platforms.ports import JSON, Draft
from services.platforms.tiktok.checks import PRIVACIES

PUBLIC = PRIVACIES["public"]
CHUNK_BYTES = 10_000_000  # TikTok takes 5 to 64 MB, and whatever is left with the last one

_NAMES = {
    "disableComments": "disable_comment",
    "disableDuet": "disable_duet",
    "disableStitch": "disable_stitch",
    "thumbOffset": "video_cover_timestamp_ms",
    "paidPartnership": "brand_content_toggle",
    "ownBrand": "brand_organic_toggle",
    "madeWithAi": "is_aigc",
    "autoAddMusic": "auto_add_music",
}


def privacy(draft: Draft) -> str:
    """Who is to see it, in TikTok's words."""
    return PRIVACIES[str(draft.options.get("privacy", "public"))]


def video(draft: Draft) -> dict[str, JSON]:
    """The body that begins a video's upload."""
    size = draft.assets[0].size_bytes
    count = chunk_count(size)
    source: dict[str, JSON] = {
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": size if count == 1 else CHUNK_BYTES,
        "total_chunk_count": count,
    }
    return {"post_info": {"title": draft.text, **_said(draft)}, "source_info": source}


def photos(draft: Draft) -> dict[str, JSON]:
    """The body that posts photos TikTok fetches."""
    source: dict[str, JSON] = {
        "source": "PULL_FROM_URL",
        "photo_cover_index": draft.options.get("coverIndex", 0),
        "photo_images": [asset.url for asset in draft.assets],
    }
    said = {"title": draft.options.get("title", ""), "description": draft.text, **_said(draft)}
    return {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {name: value for name, value in said.items() if value != ""},
        "source_info": source,
    }


def chunk_count(size: int) -> int:
    """In how many chunks a video of so many bytes goes."""
    return max(size // CHUNK_BYTES, 1)


def last_chunk(size: int) -> int:
    """Where the last one begins."""
    return (chunk_count(size) - 1) * CHUNK_BYTES


def _said(draft: Draft) -> dict[str, JSON]:
    given = {theirs: draft.options[ours] for ours, theirs in _NAMES.items() if ours in draft.options}
    return {"privacy_level": privacy(draft), **given}

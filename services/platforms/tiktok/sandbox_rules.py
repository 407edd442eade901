"""What the sandbox takes as posts and as their files. Pure.

Source: developers.tiktok.com/doc/content-posting-api-reference-{direct-post,photo-post}, …/content-posting-api-
media-transfer-guide, read 2026-10-08.
"""

from collections.abc import Mapping

from services.platforms import catalog
from services.platforms.calls import at, list_at, number_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.sniff import Facts
from services.platforms.sandboxing.store import Doc
from services.platforms.sandboxing.web import RefusedError
from services.platforms.tiktok.checks import PLATFORM, PRIVACIES, UNIT, utf16_length
from services.platforms.tiktok.sandbox_accounts import Owner, invalid, refused

CHUNK_MIN, CHUNK_MAX, CHUNKS_MAX = 5_000_000, 64_000_000, 1_000
CODECS = ("h264", "hevc", "vp8", "vp9")
_FLAGS = frozenset(["disable_comment", "brand_content_toggle", "brand_organic_toggle"])
VIDEO_FLAGS = _FLAGS | {"disable_duet", "disable_stitch", "is_aigc"}
PHOTO_FLAGS = _FLAGS | {"auto_add_music"}


def video_info(owner: Owner, wanted: Doc) -> Mapping[str, JSON]:
    """What a video's post says. Raises RefusedError."""
    _no_others(wanted, {"post_info", "source_info"})
    info = _object(wanted, "post_info")
    _no_others(info, {"title", "privacy_level", "video_cover_timestamp_ms", *VIDEO_FLAGS})
    if utf16_length(text_at(info, "title")) > catalog.load()[PLATFORM].text.max_length:
        raise invalid("title is too long")
    _check_info(owner, info, VIDEO_FLAGS)
    return info


def photo_info(owner: Owner, wanted: Doc) -> Mapping[str, JSON]:
    """What a post of photos says. Raises RefusedError."""
    _no_others(wanted, {"post_info", "source_info", "post_mode", "media_type"})
    if (wanted.get("media_type"), wanted.get("post_mode")) != ("PHOTO", "DIRECT_POST"):
        raise invalid("media_type must be PHOTO, and post_mode DIRECT_POST")
    info = _object(wanted, "post_info")
    _no_others(info, {"title", "description", "privacy_level", *PHOTO_FLAGS})
    platform = catalog.load()[PLATFORM]
    for name, ours in (("title", "options.title"), ("description", "text")):
        if utf16_length(text_at(info, name)) > platform.most(ours, UNIT):
            raise invalid(f"{name} is too long")
    _check_info(owner, info, PHOTO_FLAGS)
    return info


def photo_urls(wanted: Doc) -> list[str]:
    """Of a post of photos, its cover the first. Raises RefusedError."""
    source = _object(wanted, "source_info")
    image = catalog.load()[PLATFORM].image
    assert image is not None
    if source.get("source") != "PULL_FROM_URL":
        raise invalid("photos are pulled from URLs")
    urls = [str(url) for url in list_at(source, "photo_images")]
    if not 1 <= len(urls) <= image.max_count:
        raise invalid(f"photo_images must be 1 to {image.max_count} URLs")
    cover = source.get("photo_cover_index")
    if isinstance(cover, bool) or not isinstance(cover, int) or not 0 <= cover < len(urls):
        raise invalid("photo_cover_index must be the place of one of the photos")
    return urls


def chunks(source: Mapping[str, JSON]) -> tuple[int, int, int]:
    """Size, and of how many chunks of what size, of a video to be uploaded. Raises RefusedError."""
    _no_others(source, {"source", "video_size", "chunk_size", "total_chunk_count"})
    size, chunk, count = (int(number_at(source, n) or 0) for n in ("video_size", "chunk_size", "total_chunk_count"))
    video = catalog.load()[PLATFORM].video
    assert video is not None
    if not 1 <= size <= video.limits.max_bytes:
        raise invalid("video_size is missing or too large")
    whole = chunk == size <= CHUNK_MAX
    if not (whole or CHUNK_MIN <= chunk <= CHUNK_MAX) or (size < CHUNK_MIN and not whole):
        raise invalid("The chunk size is invalid")
    if not 1 <= count <= CHUNKS_MAX or count != size // chunk:
        raise invalid("The total chunk count is invalid")
    return size, chunk, count


def unfit(owner: Owner, facts: Facts) -> str:
    """Why a file is not published, as fail_reason; "" if it is."""
    platform = catalog.load()[PLATFORM]
    is_video = facts.content_type.startswith("video/")
    part = platform.video if is_video else platform.image
    assert part is not None
    limits = part.limits
    if facts.content_type not in limits.accept or (is_video and facts.codec not in CODECS):
        return "file_format_check_failed"
    edges = facts.width, facts.height
    if not is_video:
        photo = catalog.presets("image")[f"{PLATFORM}.photo"].limits
        return "picture_size_check_failed" if max(edges) > (photo.max_edge_px or max(edges)) else ""
    if not (limits.min_edge_px or 0) <= min(edges) <= max(edges) <= (limits.max_edge_px or max(edges)):
        return "picture_size_check_failed"
    if not (limits.min_duration_s or 0) <= facts.duration_s <= owner.max_duration_s:
        return "duration_check_failed"
    return "" if (limits.min_fps or 0) <= facts.fps <= (limits.max_fps or facts.fps) else "frame_rate_check_failed"


def _check_info(owner: Owner, info: Mapping[str, JSON], flags: frozenset[str]) -> None:
    privacy = info.get("privacy_level")
    if privacy not in owner.privacies:
        raise refused(403, "privacy_level_option_mismatch", "privacy_level is not one of the creator's options")
    if not owner.audited and privacy != PRIVACIES["private"]:
        code = "unaudited_client_can_only_post_to_private_accounts"
        raise refused(403, code, "The app was not audited: its posts can be SELF_ONLY")
    if not all(isinstance(info[name], bool) for name in flags & set(info)):
        raise invalid("flags are true or false")
    if info.get("brand_content_toggle") and privacy == PRIVACIES["private"]:
        raise invalid("branded content cannot be private")


def _no_others(found: Mapping[str, JSON], known: set[str]) -> None:
    if strange := set(found) - known:
        raise invalid(f"{', '.join(sorted(strange))} is not known here")


def _object(wanted: Doc, name: str) -> Mapping[str, JSON]:
    found = at(wanted, name)
    if not isinstance(found, dict):
        raise invalid(f"{name} is missing")
    return found


def source_of(wanted: Doc) -> Mapping[str, JSON]:
    """Where a post's files come from. Raises RefusedError."""
    return _object(wanted, "source_info")


def verified(url: str, prefixes: tuple[str, ...]) -> RefusedError | None:
    """A refusal, unless the URL is below a prefix somebody verified; any by https is where none is named."""
    ours = any(url.startswith(f"{prefix.rstrip('/')}/") for prefix in prefixes)
    if ours or (not prefixes and url.startswith("https://")):
        return None
    return refused(403, "url_ownership_unverified", "The URL is not below a verified domain or prefix")

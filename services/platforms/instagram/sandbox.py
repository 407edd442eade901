"""Plays Instagram, for test accounts: limits, states and refusals as its reference has them.

Source: developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/{ig-user/media,error-codes},
read 2026-10-10. Of the two allowances its pages name, 50 and 100 posts a day, it keeps the smaller one.
"""

from collections.abc import Mapping

from starlette.types import ASGIApp

from services.platforms import catalog
from services.platforms.catalog import Kind, Limits
from services.platforms.instagram.checks import PLATFORM, hashtags, mentions
from services.platforms.instagram.publish import DIALECT, SERVICE
from services.platforms.ports import JSON
from services.platforms.sandboxing.allowances import Allowances, Use
from services.platforms.sandboxing.container_rules import Asked, Rules, Source
from services.platforms.sandboxing.containers import Containers
from services.platforms.sandboxing.graph import refused, too_many, unsupported
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.web import RefusedError, build

POSTS_A_DAY = 50
FIELDS = frozenset(
    ["image_url", "video_url", "media_type", "caption", "alt_text", "children", "is_carousel_item", "share_to_feed",
     "cover_url", "thumb_offset"]
)  # fmt: skip
PRESETS = {"REELS": "reel", "STORIES": "story"}


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""
    served = build(state, Containers(state, RULES).routes(), too_many=too_many, unknown=unsupported())
    return Allowances(served, Use("instagram", 80002))


def _read(form: Mapping[str, str]) -> Asked:
    if strange := set(form) - FIELDS:
        raise refused(100, f"Invalid parameter: {', '.join(sorted(strange))}")
    kind, caption = form.get("media_type", "IMAGE"), form.get("caption", "")
    item = form.get("is_carousel_item") == "true"
    _check_caption(caption, allowed=not item and kind != "STORIES")
    if kind == "CAROUSEL":
        return Asked(kind="feed", text=caption, children=_children(form))
    if item and kind not in ("IMAGE", "VIDEO"):
        raise refused(100, "Invalid parameter: this media type cannot be an item of a carousel", 2207028)
    if kind not in ("IMAGE", "REELS", "STORIES") and not (kind == "VIDEO" and item):
        raise refused(100, f"The media type {kind} is unknown", 2207023)
    source = _source(form, kind)
    shown: dict[str, JSON] = {name: form[name] for name in ("share_to_feed", "thumb_offset") if name in form}
    cover = Source(form["cover_url"], _limits("video", "cover")) if kind == "REELS" and "cover_url" in form else None
    post = "item" if item else "story" if kind == "STORIES" else "feed"
    return Asked(kind=post, text=caption, source=source, cover=cover, shown=shown)


def _check_caption(caption: str, *, allowed: bool) -> None:
    if caption and not allowed:
        raise refused(100, "Invalid parameter: a caption is not taken here")
    platform = catalog.load()[PLATFORM]
    if len(caption) > platform.text.max_length:
        raise refused(36004, "The caption is too long", 2207010)
    counts = {"hashtags": len(hashtags(caption)), "mentions": len(mentions(caption))}
    if any(found > platform.most("text", what) for what, found in counts.items()):
        raise refused(100, "The caption has too many tags", 2207040)


def _children(form: Mapping[str, str]) -> tuple[str, ...]:
    image = catalog.load()[PLATFORM].image
    children = tuple(filter(None, form.get("children", "").split(",")))
    if not 2 <= len(children) <= (image.max_count if image else 0):
        raise refused(100, "Invalid parameter: a carousel has 2 to 10 items", 2207028)
    return children


def _source(form: Mapping[str, str], kind: str) -> Source:
    urls = [name for name in ("image_url", "video_url") if form.get(name)]
    if len(urls) != 1 or ((kind in ("VIDEO", "REELS")) != (urls == ["video_url"]) and kind != "STORIES"):
        raise refused(9004, "Only photo or video can be accepted as media type.", 2207052)
    is_video = urls == ["video_url"]
    if "alt_text" in form and (is_video or len(form["alt_text"]) > _alt_text_max()):
        raise refused(100, "Invalid parameter: alt_text")
    limits = _limits("video" if is_video else "image", PRESETS.get(kind, ""))
    return Source(form[urls[0]], limits, form.get("alt_text"))


def _alt_text_max() -> int:
    image = catalog.load()[PLATFORM].image
    return image.alt_text_max if image else 0


def _limits(of: Kind, name: str) -> Limits:
    """Of that preset, else of everything of its kind."""
    preset = catalog.presets(of).get(f"{PLATFORM}.{name}")
    if preset is not None:
        return preset.limits
    platform = catalog.load()[PLATFORM]
    part = platform.video if of == "video" else platform.image
    assert part is not None
    return part.limits


def _misfit(source: Source, rule: str) -> RefusedError | str:
    if rule == "unreached":
        return refused(9004, "The media could not be fetched from this URI", 2207052)
    if any(kind.startswith("video/") for kind in source.limits.accept):
        return "Error: Media upload has failed with error code 2207026"
    match rule:
        case "size":
            return refused(36000, "The image size is too large", 2207004)
        case "aspect":
            return refused(36003, "The submitted image has an invalid aspect ratio", 2207009)
        case _:
            return refused(36001, "The image format is not supported", 2207005)


RULES = Rules(
    service=SERVICE,
    dialect=lambda _: DIALECT,
    read=_read,
    misfit=_misfit,
    listing=lambda kind: "/stories" if kind == "story" else "/media",
    text_field="caption",
    quota={"feed": POSTS_A_DAY, "story": POSTS_A_DAY},
    exhausted=refused(9, "The maximum number of posts that can be published by API is reached", 2207042),
    permalink=lambda account, post_id: f"https://www.instagram.com/{account}/p/{post_id}/",
)

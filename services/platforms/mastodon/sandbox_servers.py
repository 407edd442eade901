"""What the sandbox's servers take, and what they tell of it. Pure.

Source: docs.joinmastodon.org/entities/Instance, docs.joinmastodon.org/user/posting/#media.
"""

from dataclasses import dataclass, replace

from services.platforms.mastodon.limits import VIDEO_MAX_FPS, Limits, defaults
from services.platforms.ports import JSON
from services.platforms.sandboxing.sniff import Facts

ACCEPT = ("image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4")
GIF_MAX_PX = 921_600


@dataclass(frozen=True, slots=True)
class Server:
    """url: where people see it, without a trailing slash."""

    url: str
    limits: Limits

    def instance(self) -> dict[str, JSON]:
        """As /api/v2/instance has it, as far as it is about limits."""
        most = self.limits
        statuses: dict[str, JSON] = {
            "max_characters": most.max_characters,
            "max_media_attachments": most.max_media,
            "characters_reserved_per_url": most.url_chars,
        }
        media: dict[str, JSON] = {
            "supported_mime_types": list(most.accept),
            "description_limit": most.description_max,
            "image_size_limit": most.image_max_bytes,
            "image_matrix_limit": most.image_max_px,
            "video_size_limit": most.video_max_bytes,
            "video_frame_rate_limit": VIDEO_MAX_FPS,
            "video_matrix_limit": most.video_max_px,
        }
        return {
            "domain": self.url.partition("://")[2],
            "title": "Sandbox",
            "version": "4.5.0",
            "configuration": {"statuses": statuses, "media_attachments": media},
        }

    def unfit(self, facts: Facts, size_bytes: int, *, part: str = "File") -> str:
        """Why it does not take these bytes; "" if it does. part: of the form, as a sentence begins with it."""
        video, most = facts.content_type.startswith("video/"), self.limits
        max_bytes = most.video_max_bytes if video else most.image_max_bytes
        max_px = most.video_max_px if video else most.image_max_px
        if facts.content_type not in most.accept:
            return f"{part} content type is invalid, {part} is invalid"
        if size_bytes > max_bytes:
            return f"{part} file size must be less than or equal to {max_bytes} bytes"
        if facts.content_type == "image/gif" and facts.frames > 1:
            max_px = min(max_px, GIF_MAX_PX)
        if facts.width * facts.height > max_px:
            return f"{facts.width}x{facts.height} {'videos' if video else 'images'} are not supported"
        return ""


def usual(url: str) -> Server:
    """One nobody configured."""
    return Server(url, replace(defaults(), accept=ACCEPT))


def small(url: str) -> Server:
    """One whose administrator is sparing."""
    return Server(
        url,
        Limits(
            max_characters=100,
            url_chars=30,
            max_media=2,
            accept=("image/jpeg", "image/png", "video/mp4"),
            description_max=50,
            image_max_bytes=100_000,
            image_max_px=200_000,
            video_max_bytes=1_000_000,
            video_max_px=100_000,
        ),
    )

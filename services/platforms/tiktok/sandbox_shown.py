"""Published posts of the sandbox, in the shape all sandboxes show."""

from typing import cast

from services.platforms.calls import at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import now
from services.platforms.sandboxing.store import Doc, Store
from services.platforms.sandboxing.web import POSTS


class Shown:
    """What is live."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, post: Doc, media: list[JSON]) -> None:
        """Once, whatever is asked again."""
        info = cast("dict[str, JSON]", at(post, "info"))
        is_video = text_at(post, "kind") == "video"
        shown: dict[str, JSON] = {
            "id": post["post"], "account": post["owner"], "publishId": post["id"],
            "text": text_at(info, "title" if is_video else "description"),
            "title": "" if is_video else text_at(info, "title"),
            "createdAt": now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "details": {"visibility": at(info, "privacy_level")},
            "media": media, "info": info, "source": post["source"],
        }  # fmt: skip
        await self._store.add(POSTS, text_at(post, "post"), shown)

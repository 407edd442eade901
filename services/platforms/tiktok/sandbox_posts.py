"""The sandbox's posts: begun by a form, uploaded or pulled, processed for a moment, and then live or failed.

Source: developers.tiktok.com/doc/content-posting-api-reference-{direct-post,photo-post,get-video-status}, read
2026-10-08.
"""

import secrets
import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import number_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.pulling import NotPulledError, pull
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.store import Doc, TooLargeError
from services.platforms.sandboxing.web import json_body
from services.platforms.tiktok import sandbox_rules as rules
from services.platforms.tiktok.api import PUBLISH
from services.platforms.tiktok.checks import PLATFORM
from services.platforms.tiktok.forms import PUBLIC
from services.platforms.tiktok.sandbox_accounts import Owner, answered, authorize, invalid, refused, too_many
from services.platforms.tiktok.sandbox_uploads import PUBLISHES, Uploads

BEGUN_A_MINUTE = 6
PROCESSING_LASTS_S, MODERATION_LASTS_S = 0.3, 0.3
READ_MAX = 10_000


class Posts:
    """/v2/post/publish."""

    def __init__(self, state: SandboxState, uploads: Uploads) -> None:
        self._state = state
        self._store = state.store
        self._uploads = uploads

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [
            Route(f"{PUBLISH}/video/init/", self._video, methods=["POST"]),
            Route(f"{PUBLISH}/content/init/", self._photos, methods=["POST"]),
            Route(f"{PUBLISH}/status/fetch/", self._status, methods=["POST"]),
        ]

    async def _video(self, request: Request) -> Response:
        owner = authorize(request, posting=True)
        wanted = await json_body(request, invalid, 80_000)
        info, source = rules.video_info(owner, wanted), rules.source_of(wanted)
        match source.get("source"):
            case "FILE_UPLOAD":
                token, kept = self._uploads.place(source)
                publish_id = await self._begun(owner, "video", info, source, kept)
                return answered({"publish_id": publish_id, "upload_url": self._uploads.url(publish_id, token)})
            case "PULL_FROM_URL":
                url = text_at(source, "video_url")
                self._check_urls([url])
                publish_id = await self._begun(owner, "video", info, source, {})
                await self._pulled(publish_id, [url], "video")
                return answered({"publish_id": publish_id})
            case other:
                raise invalid(f"{other!r} is no source of a video")

    async def _photos(self, request: Request) -> Response:
        owner = authorize(request, posting=True)
        wanted = await json_body(request, invalid, 200_000)
        info, urls = rules.photo_info(owner, wanted), rules.photo_urls(wanted)
        self._check_urls(urls)
        publish_id = await self._begun(owner, "photo", info, rules.source_of(wanted), {})
        await self._pulled(publish_id, urls, "photo")
        return answered({"publish_id": publish_id})

    async def _status(self, request: Request) -> Response:
        owner = authorize(request, posting=True)
        wanted = await json_body(request, invalid, 80_000)
        post = await self._store.get(PUBLISHES, text_at(wanted, "publish_id"))
        if post is None:
            raise refused(400, "invalid_publish_id", "The publish_id does not exist.")
        if post["owner"] != owner.name:
            code = "token_not_authorized_for_specified_publish_id"
            raise refused(403, code, "The access token is not authorized for the publish_id.")
        return answered(_shown(post))

    async def _begun(
        self, owner: Owner, kind: str, info: Mapping[str, JSON], source: Mapping[str, JSON], kept: Mapping[str, JSON]
    ) -> str:
        since = time.time() - 60
        newest = await self._store.newest(PUBLISHES, READ_MAX)
        ours = [doc for doc in newest if doc["owner"] == owner.name and (number_at(doc, "made") or 0) >= since]
        if len(ours) >= BEGUN_A_MINUTE:
            raise too_many()
        publish_id = f"{'v' if kind == 'video' else 'p'}_pub_{secrets.token_hex(12)}"
        doc: dict[str, JSON] = {
            "id": publish_id, "owner": owner.name, "mark": owner.mark, "kind": kind, "info": dict(info),
            "source": source.get("source"), "made": time.time(), "arrived": 0, "why": "",
            "post": str(7 * 10**18 + secrets.randbelow(10**18)), **kept,
        }  # fmt: skip
        await self._store.add(PUBLISHES, publish_id, doc)
        return publish_id

    def _check_urls(self, urls: list[str]) -> None:
        for url in urls:
            if (refusal := rules.verified(url, self._state.trusted)) is not None:
                raise refusal

    async def _pulled(self, publish_id: str, urls: list[str], kind: str) -> None:
        platform = catalog.load()[PLATFORM]
        part = platform.video if kind == "video" else platform.image
        assert part is not None
        try:
            files = [(await pull(self._state, url, part.limits.max_bytes)).file for url in urls]
        except TooLargeError:
            await self._uploads.ended(publish_id, "picture_size_check_failed")
        except NotPulledError:
            await self._uploads.ended(publish_id, f"{kind}_pull_failed")
        else:
            await self._uploads.arrived(publish_id, files, urls)


def _shown(post: Doc) -> dict[str, JSON]:
    """As the API tells of a post."""
    pulled = post["source"] == "PULL_FROM_URL"
    found: dict[str, JSON] = {"status": _word(post, pulled=pulled)}
    if not pulled:
        found["uploaded_bytes"] = post["got"]
    if found["status"] == "FAILED":
        found["fail_reason"] = post["why"]
    looked_at_s = PROCESSING_LASTS_S + MODERATION_LASTS_S
    is_public = found["status"] == "PUBLISH_COMPLETE" and text_at(post, "info", "privacy_level") == PUBLIC
    if is_public and time.time() - (number_at(post, "arrived") or 0) > looked_at_s:
        found["publicaly_available_post_id"] = [int(text_at(post, "post"))]
    return found


def _word(post: Doc, *, pulled: bool) -> str:
    arrived = number_at(post, "arrived") or 0
    if not arrived or time.time() - arrived < PROCESSING_LASTS_S:
        return "PROCESSING_DOWNLOAD" if pulled else "PROCESSING_UPLOAD"
    return "FAILED" if post["why"] else "PUBLISH_COMPLETE"

"""The sandbox's videos: processed for a moment, listed, changed, and given a picture.

Source: developers.google.com/youtube/v3/docs/videos/{list,update}, …/docs/thumbnails/set, read 2026-10-08.
"""

import asyncio
import secrets
import time
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import at, number_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.sniff import Facts, sniff
from services.platforms.sandboxing.state import now
from services.platforms.sandboxing.store import Doc, Store, StoredFile, TooLargeError
from services.platforms.sandboxing.web import POSTS, json_body, media_doc
from services.platforms.youtube.checks import PLATFORM
from services.platforms.youtube.resource import HIDDEN, VIDEOS
from services.platforms.youtube.sandbox_accounts import Owner, authorize, invalid, refused, required
from services.platforms.youtube.sandbox_parts import check_parts

VIDEO = "video"
PROCESSING_LASTS_S = 0.4
THUMBNAILS = ("image/jpeg", "image/png")
READABLE = {"id", "snippet", "status", "processingDetails"}


class Videos:
    """/youtube/v3/videos, and their thumbnails. A private one is its owner's alone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [
            Route(VIDEOS, self._list, methods=["GET"]),
            Route(VIDEOS, self._update, methods=["PUT"]),
            Route("/upload/youtube/v3/thumbnails/set", self._thumbnail, methods=["POST"]),
        ]

    async def add(self, owner: Owner, session: Doc, file: StoredFile) -> str:
        """A video whose bytes are all there. Its id."""
        facts = await asyncio.to_thread(sniff, file.path)
        snippet = cast("dict[str, JSON]", session["snippet"])
        video_id = secrets.token_urlsafe(8)
        video: dict[str, JSON] = {
            "id": video_id, "account": owner.name, "title": snippet["title"], "text": snippet.get("description", ""),
            "createdAt": now().isoformat(timespec="milliseconds").replace("+00:00", "Z"), "arrived": time.time(),
            "snippet": snippet, "status": _status(owner, cast("dict[str, JSON]", session["status"])),
            "unfit": _unfit(facts), "cover": None, "details": {"tags": snippet.get("tags")},
            "media": [media_doc(file.sha256, file.size_bytes, facts, alt_text=None)],
        }  # fmt: skip
        await self._store.add(VIDEO, video_id, video)
        if _privacy(video) != HIDDEN:
            await self._store.add(POSTS, video_id, video)
        return video_id

    async def shown(self, owner: Owner, video_id: str, parts: str = "id,snippet,status") -> dict[str, JSON]:
        """As the API answers with it. Raises RefusedError."""
        return _shown(await self._own(owner, video_id), parts)

    async def _list(self, request: Request) -> Response:
        owner = authorize(request)
        parts, ids = required(request, "part", "id")
        if not set(parts.split(",")) <= READABLE:
            raise invalid(f"part {parts!r} is not taken here", "unexpectedPart")
        found = [await self._store.get(VIDEO, video_id) for video_id in ids.split(",")]
        seen = [doc for doc in found if doc is not None and (doc["account"] == owner.name or _privacy(doc) != HIDDEN)]
        return JSONResponse({"kind": "youtube#videoListResponse", "items": [_shown(doc, parts) for doc in seen]})

    async def _update(self, request: Request) -> Response:
        owner = authorize(request, writing=True)
        (parts,) = required(request, "part")
        wanted = await json_body(request, invalid, 80_000)
        check_parts(wanted, parts, {"status"}, also=frozenset(["id"]))
        video = await self._own(owner, text_at(wanted, "id"))
        status: JSON = _status(owner, cast("dict[str, JSON]", wanted["status"]))
        changed = await self._changed(text_at(video, "id"), "status", status)
        await self._store.add(POSTS, text_at(video, "id"), changed)  # told what becomes of it, it is a post
        return JSONResponse(_shown(changed, f"id,{parts}"))

    async def _thumbnail(self, request: Request) -> Response:
        owner = authorize(request, writing=True)
        (video_id,) = required(request, "videoId")
        await self._own(owner, video_id)
        if not owner.takes_thumbnails:
            message = "The authenticated user doesn't have permissions to upload and set custom video thumbnails."
            raise refused(403, "forbidden", message)
        cover = catalog.load()[PLATFORM].cover
        assert cover is not None
        declared = request.headers.get("content-type", "")
        if declared not in THUMBNAILS:
            raise invalid("The Content-Type is not one of a thumbnail", "invalidImage")
        try:
            file = await self._store.keep(request.stream(), cover.limits.max_bytes)
        except TooLargeError as exc:
            raise refused(413, "uploadTooLarge", "The image is too large.", "global") from exc
        facts = await asyncio.to_thread(sniff, file.path)
        if facts.content_type != declared:
            raise invalid("The provided image content is invalid.", "invalidImage")
        picture: JSON = media_doc(file.sha256, file.size_bytes, facts, alt_text=None)
        await self._changed(video_id, "cover", picture)
        shown = {"default": {"url": f"https://i.ytimg.com/vi/{video_id}/default.jpg"}}
        return JSONResponse({"kind": "youtube#thumbnailSetResponse", "items": [shown]})

    async def _changed(self, video_id: str, name: str, value: JSON) -> Doc:
        """With another value, where it is kept and where it is shown."""
        await self._store.update(POSTS, video_id, lambda doc: {**doc, name: value})
        changed = await self._store.update(VIDEO, video_id, lambda doc: {**doc, name: value})
        assert changed is not None
        return changed

    async def _own(self, owner: Owner, video_id: str) -> Doc:
        found = await self._store.get(VIDEO, video_id)
        if found is None or (found["account"] != owner.name and _privacy(found) == HIDDEN):
            raise refused(404, "videoNotFound", "The video that you are trying to update cannot be found.")
        if found["account"] != owner.name:
            raise refused(403, "forbidden", "The video is another channel's.")
        return found


def _status(owner: Owner, wanted: dict[str, JSON]) -> dict[str, JSON]:
    return wanted if owner.audited else {**wanted, "privacyStatus": HIDDEN}


def _privacy(video: Doc) -> str:
    return text_at(video, "status", "privacyStatus")


def _shown(video: Doc, parts: str) -> dict[str, JSON]:
    word, why = _upload_status(video)
    status = {**cast("dict[str, JSON]", at(video, "status")), "uploadStatus": word}
    if why:
        status["failureReason" if word == "failed" else "rejectionReason"] = why
    processing = "processing" if word == "uploaded" else "succeeded" if word == "processed" else "failed"
    known: dict[str, JSON] = {
        "id": video["id"], "snippet": video["snippet"], "status": status,
        "processingDetails": {"processingStatus": processing},
    }  # fmt: skip
    return {"kind": "youtube#video", **{name: known[name] for name in ("id", *parts.split(","))}}


def _upload_status(video: Doc) -> tuple[str, str]:
    """uploaded, processed, failed or rejected, and why."""
    if time.time() - (number_at(video, "arrived") or 0) < PROCESSING_LASTS_S:
        return "uploaded", ""
    why = text_at(video, "unfit")
    return ("rejected" if why == "length" else "failed", why) if why else ("processed", "")


def _unfit(facts: Facts) -> str:
    """Why it cannot be shown, in YouTube's words; "" if it can."""
    video = catalog.load()[PLATFORM].video
    assert video is not None
    if facts.content_type not in video.limits.accept:
        return "invalidFile"
    return "length" if facts.duration_s > (video.limits.max_duration_s or facts.duration_s) else ""

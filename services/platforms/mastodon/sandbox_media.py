"""A server's media: received, looked at, processed for a moment if they move.

Source: docs.joinmastodon.org/methods/media.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import av
from PIL import Image, UnidentifiedImageError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms.calls import text_at
from services.platforms.mastodon.sandbox_accounts import Owner, authorize, invalid, new_id, refused
from services.platforms.mastodon.sandbox_servers import Server
from services.platforms.ports import JSON
from services.platforms.sandboxing.sniff import UNKNOWN, Facts, sniff
from services.platforms.sandboxing.store import Doc, Store, StoredFile, TooLargeError
from services.platforms.sandboxing.web import media_doc

MEDIA = "media"
PROCESSING_LASTS_S = 0.5
LASTS_S = 24 * 3_600.0
PIECE_BYTES = 256 * 1024
FORM_BYTES = 20_000  # what is around the file
FAILED = "Error processing thumbnail for uploaded media"
NOT_VERIFIED = "File type of uploaded media could not be verified"


class MediaService:
    """/api/v2/media and /api/v1/media."""

    def __init__(self, store: Store, server: Server) -> None:
        self._store = store
        self._server = server

    def routes(self) -> list[BaseRoute]:
        """Below the server's root."""
        return [Route("/api/v2/media", self._upload, methods=["POST"]), Route("/api/v1/media/{id:int}", self._get)]

    async def usable(self, owner: Owner, media_id: str) -> Doc:
        """An upload a post may show. Raises RefusedError."""
        found = await self._store.get(MEDIA, media_id)
        if found is None or not _is_open(found, owner):
            raise invalid(f"Media {media_id} not found or already attached to another post")
        if _is_processing(found) or found["broken"]:
            raise invalid("Cannot attach files that have not finished processing. Try again in a moment!")
        return found

    async def attach(self, media_id: str, status_id: str) -> None:
        """No other post may show it."""
        await self._store.update(MEDIA, media_id, lambda doc: {**doc, "status": status_id})

    async def _upload(self, request: Request) -> Response:
        owner = authorize(request, self._server)
        most = max(self._server.limits.image_max_bytes, self._server.limits.video_max_bytes)
        if int(request.headers.get("content-length", "0")) > most + FORM_BYTES:
            return Response(status_code=413)
        async with request.form(max_files=2, max_fields=5) as form:
            file, description = form.get("file"), str(form.get("description", ""))
            if not isinstance(file, UploadFile):
                raise invalid("File can't be blank")
            if len(description) > self._server.limits.description_max:
                limit = self._server.limits.description_max
                raise invalid(f"Description is too long (maximum is {limit} characters)")
            try:
                kept = await self._store.keep(_pieces(file), most)
            except TooLargeError:
                return Response(status_code=413)
        doc = await self._looked_at(owner, kept, description or None)
        await self._store.add(MEDIA, text_at(doc, "id"), doc)
        return JSONResponse(shown(doc, self._server), 202 if _is_processing(doc) else 200)

    async def _looked_at(self, owner: Owner, kept: StoredFile, description: str | None) -> Doc:
        facts = await asyncio.to_thread(sniff, kept.path)
        broken = facts.content_type == UNKNOWN
        if broken:
            facts = Facts(await asyncio.to_thread(_claimed, kept.path))
        if why := self._server.unfit(facts, kept.size_bytes):
            raise invalid(why)
        kind = await asyncio.to_thread(_kind, kept.path, facts)
        if broken and kind == "image":
            raise refused(500, FAILED)
        media = media_doc(kept.sha256, kept.size_bytes, facts, alt_text=description)
        return {
            "id": new_id(), "owner": owner.user_id, "kind": kind, "broken": broken, "at": time.time(),
            "status": "", "media": media,
        }  # fmt: skip

    async def _get(self, request: Request) -> Response:
        owner = authorize(request, self._server)
        found = await self._store.get(MEDIA, str(request.path_params["id"]))
        if found is None or not _is_open(found, owner):
            raise refused(404, "Record not found")
        if _is_processing(found):
            return JSONResponse(shown(found, self._server), 206)
        if found["broken"]:
            raise refused(422, FAILED)
        return JSONResponse(shown(found, self._server))


def shown(upload: Doc, server: Server) -> dict[str, JSON]:
    """As a MediaAttachment."""
    sha256 = text_at(upload, "media", "sha256")
    url = None if _is_processing(upload) else f"{server.url}/_sandbox/files/{sha256}"
    description = cast("dict[str, JSON]", upload["media"])["altText"]
    return {"id": upload["id"], "type": upload["kind"], "url": url, "description": description}


def _is_open(upload: Doc, owner: Owner) -> bool:
    """Whether it is the account's, in no post yet, and not forgotten."""
    forgotten = time.time() - cast(float, upload["at"]) > LASTS_S
    return upload["owner"] == owner.user_id and not upload["status"] and not forgotten


def _is_processing(upload: Doc) -> bool:
    return upload["kind"] != "image" and time.time() - cast(float, upload["at"]) < PROCESSING_LASTS_S


def _kind(path: Path, facts: Facts) -> str:
    """image, gifv or video: what moves without sound repeats."""
    if facts.content_type == "image/gif" and facts.frames > 1:
        return "gifv"
    if not facts.content_type.startswith("video/"):
        return "image"
    try:
        with av.open(str(path), format="mp4") as container:
            return "video" if container.streams.audio else "gifv"
    except av.error.FFmpegError:
        return "video"


def _claimed(path: Path) -> str:
    """What the head of a file says that cannot be decoded. Raises RefusedError."""
    with path.open("rb") as file:
        if file.read(12)[4:8] == b"ftyp":
            return "video/mp4"
    try:
        with Image.open(path) as image:
            return Image.MIME[image.format or ""]
    except (UnidentifiedImageError, OSError, KeyError, Image.DecompressionBombError) as exc:
        raise refused(422, NOT_VERIFIED) from exc


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES):
        yield piece

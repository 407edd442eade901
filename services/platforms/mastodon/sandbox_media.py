"""A server's media: received, looked at, processed for a moment if they move.

Source: docs.joinmastodon.org/methods/media.
"""

import asyncio
import time
from pathlib import Path
from typing import cast

import av
from PIL import Image, UnidentifiedImageError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms.calls import at, list_at, text_at
from services.platforms.mastodon.checks import AXES
from services.platforms.mastodon.sandbox_accounts import Owner, authorize, invalid, new_id, refused
from services.platforms.mastodon.sandbox_servers import Server
from services.platforms.ports import JSON
from services.platforms.sandboxing import bodies
from services.platforms.sandboxing.sniff import UNKNOWN, Facts, sniff
from services.platforms.sandboxing.store import Doc, Store, StoredFile, TooLargeError
from services.platforms.sandboxing.web import media_doc

MEDIA = "media"
PROCESSING_LASTS_S = 0.5
LASTS_S = 24 * 3_600.0
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
        return [
            Route("/api/v2/media", self._upload, methods=["POST"]),
            Route("/api/v1/media/{id:int}", self._get, methods=["GET"]),
            Route("/api/v1/media/{id:int}", self._change, methods=["PUT"]),
        ]

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
        owner = authorize(request, self._server, writing=True)
        if int(request.headers.get("content-length", "0")) > self._most + FORM_BYTES:
            return Response(status_code=413)
        async with request.form(max_files=2, max_fields=5) as form:
            file, description, focus = form.get("file"), self._description(form), _focus(form)
            if not isinstance(file, UploadFile):
                raise invalid("File can't be blank")
            doc = await self._looked_at(owner, await self._kept(file), description)
            doc = {**doc, "focus": focus, "cover": await self._cover(doc, form)}
        await self._store.add(MEDIA, text_at(doc, "id"), doc)
        return JSONResponse(shown(doc, self._server), 202 if _is_processing(doc) else 200)

    async def _change(self, request: Request) -> Response:
        """What is not in the form stays as it is."""
        owner = authorize(request, self._server, writing=True)
        found = await self._open(owner, request)
        async with request.form(max_files=1, max_fields=5) as form:
            said: dict[str, JSON] = {"focus": _focus(form)} if "focus" in form else {}
            if "description" in form:
                said["media"] = {**cast("dict[str, JSON]", found["media"]), "altText": self._description(form)}
            if "thumbnail" in form:
                said["cover"] = await self._cover(found, form)
        changed = await self._store.update(MEDIA, text_at(found, "id"), lambda doc: {**doc, **said})
        assert changed is not None
        return JSONResponse(shown(changed, self._server), 206 if _is_processing(changed) else 200)

    @property
    def _most(self) -> int:
        return max(self._server.limits.image_max_bytes, self._server.limits.video_max_bytes)

    async def _kept(self, file: UploadFile) -> StoredFile:
        """Raises RefusedError."""
        try:
            return await self._store.keep(bodies.of_file(file), self._most)
        except TooLargeError as exc:
            raise refused(413, "Payload Too Large") from exc

    def _description(self, form: FormData) -> str | None:
        description, limit = str(form.get("description", "")), self._server.limits.description_max
        if len(description) > limit:
            raise invalid(f"Description is too long (maximum is {limit} characters)")
        return description or None

    async def _cover(self, upload: Doc, form: FormData) -> JSON:
        """The thumbnail, which only what plays with sound may have. Raises RefusedError."""
        file = form.get("thumbnail")
        if not isinstance(file, UploadFile):
            return None
        if upload["kind"] != "video":
            raise invalid("Thumbnail must be blank")
        kept = await self._kept(file)
        facts = await asyncio.to_thread(sniff, kept.path)
        if not facts.content_type.startswith("image/"):
            raise refused(422, NOT_VERIFIED)
        if why := self._server.unfit(facts, kept.size_bytes, part="Thumbnail"):
            raise invalid(why)
        return media_doc(kept.sha256, kept.size_bytes, facts, alt_text=None)

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
        found = await self._open(authorize(request, self._server), request)
        return JSONResponse(shown(found, self._server), 206 if _is_processing(found) else 200)

    async def _open(self, owner: Owner, request: Request) -> Doc:
        """The upload of the path. Raises RefusedError."""
        found = await self._store.get(MEDIA, str(request.path_params["id"]))
        if found is None or not _is_open(found, owner):
            raise refused(404, "Record not found")
        if found["broken"] and not _is_processing(found):
            raise refused(422, FAILED)
        return found


def shown(upload: Doc, server: Server) -> dict[str, JSON]:
    """As a MediaAttachment."""
    files, focus = f"{server.url}/_sandbox/files", list_at(upload, "focus")
    url, cover = f"{files}/{text_at(upload, 'media', 'sha256')}", text_at(upload, "cover", "sha256")
    meta: dict[str, JSON] = {"focus": dict(zip(AXES, focus, strict=True))} if focus else {}
    return {
        "id": upload["id"],
        "type": upload["kind"],
        "url": None if _is_processing(upload) else url,
        "preview_url": f"{files}/{cover}" if cover else url,
        "description": at(upload, "media", "altText"),
        "meta": meta,
    }


def _focus(form: FormData) -> JSON:
    """As [x, y]; None: there is none in the form. Raises RefusedError."""
    given = form.get("focus")
    if given is None:
        return None
    try:
        x, y = map(float, str(given).split(","))
    except ValueError as exc:
        raise invalid("Focus is invalid") from exc
    if not (-1 <= x <= 1 and -1 <= y <= 1):
        raise invalid("Focus is invalid")
    return [x, y]


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

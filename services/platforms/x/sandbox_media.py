"""The sandbox's uploads: in one request or in segments, sniffed, processed for a moment, described.

Source: docs.x.com/x-api/media/quickstart/media-upload-chunked.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import cast

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing import bodies
from services.platforms.sandboxing.sniff import sniff
from services.platforms.sandboxing.store import Doc, Store, StoredFile, TooLargeError
from services.platforms.sandboxing.web import json_body, media_doc
from services.platforms.x.checks import PLATFORM
from services.platforms.x.sandbox_accounts import Owner, authorize, invalid, new_id, problem
from services.platforms.x.sandbox_uploads import categories, category_of, expired, shown, state, unfit

UPLOADS = "upload"
SEGMENT_MAX_BYTES = 5_000_000
MAX_SEGMENT_INDEX = 999
LASTS_S = 86_400


class MediaService:
    """/2/media."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [
            Route("/2/media/upload/initialize", self._initialize, methods=["POST"]),
            Route("/2/media/upload/{id:int}/append", self._append, methods=["POST"]),
            Route("/2/media/upload/{id:int}/finalize", self._finalize, methods=["POST"]),
            Route("/2/media/upload", self._at_once, methods=["POST"]),
            Route("/2/media/upload", self._status),
            Route("/2/media/metadata", self._describe, methods=["POST"]),
        ]

    async def usable(self, owner: Owner, media_id: str) -> Doc:
        """An upload a post may refer to. Raises RefusedError."""
        found = await self._store.get(UPLOADS, media_id)
        if found is None or found["owner"] != owner.user_id or state(found) != "succeeded" or expired(found):
            raise invalid("Your media IDs are invalid.", "media.media_ids")
        return found

    async def _initialize(self, request: Request) -> Response:
        owner = authorize(request, writing=True)
        wanted = await json_body(request, invalid, 80_000)
        name, kind, size = text_at(wanted, "media_category"), text_at(wanted, "media_type"), wanted.get("total_bytes")
        category = category_of(name, kind)
        if not isinstance(size, int) or size < 1:
            raise invalid("total_bytes must be a number of bytes", "total_bytes")
        if size > category.max_bytes:
            raise invalid(f"File size exceeds {category.max_bytes} bytes.", "total_bytes")
        return JSONResponse({"data": shown(await self._open(owner, name, kind, size))})

    async def _append(self, request: Request) -> Response:
        upload = await self._mine(request)
        if int(request.headers.get("content-length", "0")) > SEGMENT_MAX_BYTES + 10_000:
            return Response(status_code=413)
        if upload["finalized"]:
            raise invalid("The upload is finalized.", "id")
        async with request.form(max_files=1, max_fields=3) as form:
            index, file = str(form.get("segment_index", "")), _file(form)
            if not index.isdigit() or int(index) > MAX_SEGMENT_INDEX:
                raise invalid(f"segment_index must be 0 to {MAX_SEGMENT_INDEX}", "segment_index")
            size = await self._store.keep_part(text_at(upload, "id"), int(index), bodies.of_file(file))

        def with_segment(doc: Doc) -> Doc:
            return {**doc, "segments": {**cast(Mapping[str, JSON], doc["segments"]), index: size}}

        await self._store.update(UPLOADS, text_at(upload, "id"), with_segment)
        return JSONResponse({"data": {"expires_at": int(cast(float, upload["expires"]))}})

    async def _finalize(self, request: Request) -> Response:
        upload = await self._mine(request)
        if upload["finalized"]:
            raise invalid("The upload is finalized.", "id")
        segments = cast(Mapping[str, int], upload["segments"])
        if set(segments) != {str(index) for index in range(len(segments))} or not segments:
            raise invalid("Segments do not add up to provided total file size.", "id")
        if sum(segments.values()) != upload["total"]:
            raise invalid("Segments do not add up to provided total file size.", "id")
        file = await self._store.join_parts(text_at(upload, "id"), len(segments), cast(int, upload["total"]))
        return JSONResponse({"data": shown(await self._arrived(upload, file))})

    async def _at_once(self, request: Request) -> Response:
        owner = authorize(request)
        most = categories()["tweet_image"].max_bytes
        if int(request.headers.get("content-length", "0")) > most + 10_000:
            return Response(status_code=413)
        async with request.form(max_files=1, max_fields=5) as form:
            if "command" in form:
                raise invalid("command is not a parameter of this endpoint", "command")
            name, file = str(form.get("media_category", "")), _file(form)
            if name != "tweet_image":
                raise invalid("media_category must be tweet_image", "media_category")
            try:
                kept = await self._store.keep(bodies.of_file(file), most)
            except TooLargeError as exc:
                raise invalid(f"File size exceeds {most} bytes.", "media") from exc
        upload = await self._open(owner, name, str(form.get("media_type", "image/jpeg")), kept.size_bytes)
        return JSONResponse({"data": shown(await self._arrived(upload, kept))})

    async def _status(self, request: Request) -> Response:
        if request.query_params.get("command") != "STATUS":
            raise invalid("command must be STATUS", "command")
        return JSONResponse({"data": shown(await self._mine(request, request.query_params.get("media_id", "")))})

    async def _describe(self, request: Request) -> Response:
        authorize(request)
        wanted = await json_body(request, invalid, 80_000)
        text = text_at(wanted, "metadata", "alt_text", "text")
        image = catalog.load()[PLATFORM].image
        most = image.alt_text_max if image else 0
        if not 1 <= len(text) <= most:
            raise invalid(f"alt_text.text must have 1 to {most} characters", "metadata.alt_text.text")
        upload = await self._mine(request, text_at(wanted, "id"))
        if text_at(upload, "category") == "tweet_video":
            raise invalid("alt_text is for images", "metadata.alt_text")
        await self._store.update(UPLOADS, text_at(upload, "id"), lambda doc: {**doc, "altText": text})
        return JSONResponse({"data": {"id": upload["id"], "associated_metadata": wanted["metadata"]}})

    async def _open(self, owner: Owner, category: str, kind: str, size_bytes: int) -> Doc:
        doc: dict[str, JSON] = {
            "id": new_id(), "owner": owner.user_id, "category": category, "type": kind, "total": size_bytes,
            "expires": time.time() + LASTS_S, "segments": {}, "finalized": 0, "why": "", "media": {}, "altText": None,
        }  # fmt: skip
        await self._store.add(UPLOADS, str(doc["id"]), doc)
        return doc

    async def _mine(self, request: Request, media_id: str | None = None) -> Doc:
        owner = authorize(request)
        found = await self._store.get(UPLOADS, media_id or str(request.path_params.get("id", "")))
        if found is None or found["owner"] != owner.user_id or expired(found):
            raise problem(404, "Not Found Error", "Could not find the media.", "resource-not-found")
        return found

    async def _arrived(self, upload: Doc, file: StoredFile) -> Doc:
        facts = await asyncio.to_thread(sniff, file.path)
        name = text_at(upload, "category")
        why = unfit(name, text_at(upload, "type"), facts)
        if why and not categories()[name].processed:
            raise invalid(why, "media")
        media = media_doc(file.sha256, file.size_bytes, facts, alt_text=None)
        change: dict[str, JSON] = {"finalized": time.time(), "why": why, "media": media}
        changed = await self._store.update(UPLOADS, text_at(upload, "id"), lambda doc: {**doc, **change})
        assert changed is not None
        return changed


def _file(form: FormData) -> UploadFile:
    file = form.get("media")
    if not isinstance(file, UploadFile):
        raise invalid("media is missing", "media")
    return file

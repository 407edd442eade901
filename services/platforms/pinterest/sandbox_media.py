"""The sandbox's videos: registered, received by a form as S3 takes it, processed for a moment.

Source: developers.pinterest.com/docs/api/v5/media-create; Amazon S3 API reference, POST Object.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import cast

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import text_at
from services.platforms.pinterest.checks import PLATFORM
from services.platforms.pinterest.sandbox_accounts import authorize, invalid, new_id, refused
from services.platforms.ports import JSON
from services.platforms.sandboxing import bodies
from services.platforms.sandboxing.sniff import Facts, sniff
from services.platforms.sandboxing.store import Doc, Store, TooLargeError
from services.platforms.sandboxing.web import json_body, media_doc

MEDIA = "media"
STORE_MAX_BYTES = 2_000_000_000
FORM_LASTS_S = 3_600.0
PROCESSING_LASTS_S = 0.5
STORE_PATH = "/media-upload"


class MediaService:
    """/v5/media and the store its forms go to."""

    def __init__(self, store: Store, public_url: str) -> None:
        self._store = store
        self._url = public_url + STORE_PATH

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [
            Route("/v5/media", self._register, methods=["POST"]),
            Route("/v5/media/{media_id}", self._get),
            Route(STORE_PATH, self._receive, methods=["POST"]),
        ]

    async def usable(self, owner: str, media_id: str) -> Doc:
        """A video a pin may show. Raises RefusedError."""
        found = await self._store.get(MEDIA, media_id)
        if found is None or found["owner"] != owner:
            raise refused(404, 0, "Media not found.")
        if _status(found) != "succeeded":
            raise invalid("the media is not ready")
        return found

    async def _register(self, request: Request) -> Response:
        owner = authorize(request, writing=True)
        if (await json_body(request, invalid, 80_000)).get("media_type") != "video":
            raise invalid("media_type must be video")
        media_id = new_id()
        parameters: dict[str, JSON] = {
            "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            "x-amz-signature": secrets.token_hex(32),
            "x-amz-security-token": secrets.token_urlsafe(24),
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "key": f"uploads/{secrets.token_hex(8)}/{media_id}",
            "policy": secrets.token_urlsafe(48),
            "x-amz-credential": f"SANDBOX/{time.strftime('%Y%m%d', time.gmtime())}/us-east-1/s3/aws4_request",
            "Content-Type": "multipart/form-data",
        }
        doc: dict[str, JSON] = {
            "id": media_id, "owner": owner, "parameters": parameters, "since": time.time(),
            "arrived": 0, "unfit": False, "media": {},
        }  # fmt: skip
        await self._store.add(MEDIA, media_id, doc)
        answer = {"media_id": media_id, "media_type": "video", "upload_url": self._url, "upload_parameters": parameters}
        return JSONResponse(answer, 201)

    async def _get(self, request: Request) -> Response:
        owner, media_id = authorize(request), str(request.path_params["media_id"])
        found = await self._store.get(MEDIA, media_id)
        if found is None or found["owner"] != owner:
            raise refused(404, 0, "Media not found.")
        return JSONResponse({"media_id": media_id, "media_type": "video", "status": _status(found)})

    async def _receive(self, request: Request) -> Response:
        """What comes after the file is not read, and every field of the form must be as it was given out."""
        if "authorization" in request.headers:
            return _refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
        async with request.form(max_files=1, max_fields=30) as form:
            items = form.multi_items()
            at = next((n for n, (name, _) in enumerate(items) if name == "file"), None)
            if at is None or not isinstance(file := items[at][1], UploadFile):
                return _refusal(400, "InvalidArgument", "POST requires exactly one file upload per request.")
            given = {name: str(value) for name, value in items[:at]}
            found = await self._store.get(MEDIA, given.get("key", "").rpartition("/")[2])
            if found is None or given != found["parameters"]:
                return _refusal(403, "AccessDenied", "Invalid according to Policy: Policy Condition failed")
            if time.time() - cast(float, found["since"]) > FORM_LASTS_S:
                return _refusal(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
            try:
                kept = await self._store.keep(bodies.of_file(file), STORE_MAX_BYTES)
            except TooLargeError:
                return _refusal(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        facts = await asyncio.to_thread(sniff, kept.path)
        change: Mapping[str, JSON] = {
            "arrived": time.time(),
            "unfit": _unfit(facts),
            "media": media_doc(kept.sha256, kept.size_bytes, facts, alt_text=None),
        }
        await self._store.update(MEDIA, text_at(found, "id"), lambda doc: {**doc, **change})
        return Response(status_code=204)


def _status(doc: Doc) -> str:
    if not doc["arrived"]:
        return "registered"
    if time.time() - cast(float, doc["arrived"]) < PROCESSING_LASTS_S:
        return "processing"
    return "failed" if doc["unfit"] else "succeeded"


def _unfit(facts: Facts) -> bool:
    video = catalog.load()[PLATFORM].video
    if video is None or facts.content_type not in video.limits.accept or not facts.height:
        return True
    limits, aspect = video.limits, facts.width / facts.height
    lasts = (limits.min_duration_s or 0) <= facts.duration_s <= (limits.max_duration_s or facts.duration_s)
    return not lasts or not (limits.min_aspect or 0) <= aspect <= (limits.max_aspect or aspect)


def _refusal(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status, media_type="application/xml")

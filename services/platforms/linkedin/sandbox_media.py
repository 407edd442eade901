"""The sandbox's images and videos: begun, sent, processed for a moment, then available or failed.

Source: learn.microsoft.com/linkedin/marketing/community-management/shares/{images,videos}-api, read 2026-09-19.
"""

import asyncio
import hmac
import secrets
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import at, list_at, number_at, text_at
from services.platforms.catalog import Limits
from services.platforms.linkedin.checks import PLATFORM
from services.platforms.linkedin.sandbox_accounts import authorize, invalid, is_own, named, refused
from services.platforms.ports import JSON
from services.platforms.sandboxing import bodies
from services.platforms.sandboxing.container_rules import broken
from services.platforms.sandboxing.sniff import sniff
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.store import Doc, StoredFile
from services.platforms.sandboxing.web import json_body, media_doc

MEDIA = "medium"
PART_BYTES = 4 * 1024 * 1024
MAX_PX = 36_152_320
PROCESSING_LASTS_S = 0.3
STORE = "/dms-uploads"


class Media:
    """Of every account."""

    def __init__(self, state: SandboxState) -> None:
        self._store = state.store
        self._url = state.public_url + STORE

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [
            Route("/rest/images", self._image, methods=["POST"]),
            Route("/rest/videos", self._video, methods=["POST"]),
            Route("/rest/images/{urn}", self._get),
            Route("/rest/videos/{urn}", self._get),
            Route(f"{STORE}/{{key}}/image", self._put_image, methods=["PUT"]),
            Route(f"{STORE}/{{key}}/part/{{number:int}}", self._put_part, methods=["PUT"]),
        ]

    async def ready(self, owner: str, urn: str) -> Doc:
        """One that a post may show. Raises RefusedError."""
        found = await self._store.get(MEDIA, urn)
        if found is None or not is_own(text_at(found, "owner"), owner):
            raise invalid(f"{urn} is no media of the author")
        match _word(found):
            case "AVAILABLE":
                return found
            case "PROCESSING_FAILED":
                raise refused(400, "MEDIA_ASSET_PROCESSING_FAILED", f"{urn} could not be processed")
            case _:
                raise refused(400, "MEDIA_ASSET_WAITING_UPLOAD", f"{urn} is not available")

    async def _image(self, request: Request) -> Response:
        name = authorize(request, posting=True)
        wanted = await _wanted(request, "initializeUpload", {"owner"})
        doc = await self._begun(name, wanted, "image", 0)
        return JSONResponse({"value": {"image": doc["id"], "uploadUrl": f"{self._url}/{text_at(doc, 'key')}/image"}})

    async def _video(self, request: Request) -> Response:
        name = authorize(request, posting=True)
        if request.query_params.get("action") == "finalizeUpload":
            return await self._finalized(name, request)
        fields = {"owner", "fileSizeBytes", "uploadCaptions", "uploadThumbnail"}
        wanted = await _wanted(request, "initializeUpload", fields)
        size = int(number_at(wanted, "fileSizeBytes") or 0)
        limits = _limits("video")
        if not (limits.min_bytes or 0) <= size <= limits.max_bytes:
            raise invalid("fileSizeBytes must be 75 kB to 500 MB")
        if wanted.get("uploadCaptions") is not False or wanted.get("uploadThumbnail") is not False:
            raise invalid("the sandbox takes neither captions nor thumbnails")
        doc = await self._begun(name, wanted, "video", size)
        parts = [
            {
                "uploadUrl": f"{self._url}/{text_at(doc, 'key')}/part/{number}",
                "firstByte": first,
                "lastByte": min(first + PART_BYTES, size) - 1,
            }
            for number, first in enumerate(range(0, size, PART_BYTES))
        ]
        answer = {"video": doc["id"], "uploadToken": doc["token"], "uploadInstructions": parts}
        return JSONResponse({"value": answer})

    async def _begun(self, name: str, wanted: Doc, kind: str, size: int) -> Doc:
        owner = text_at(wanted, "owner")
        if not is_own(owner, name):
            raise refused(403, "ACCESS_DENIED", "The owner is not the token's")
        key = secrets.token_hex(12)
        doc: dict[str, JSON] = {
            "id": f"urn:li:{kind}:{key}", "key": key, "token": secrets.token_hex(8), "owner": owner, "kind": kind,
            "size": size, "etags": {}, "arrived": 0, "why": "", "medium": None,
        }  # fmt: skip
        await self._store.add(MEDIA, text_at(doc, "id"), doc)
        return doc

    async def _put_image(self, request: Request) -> Response:
        name = named(request)
        doc = await self._store.get(MEDIA, f"urn:li:image:{request.path_params['key']}")
        if doc is None or not is_own(text_at(doc, "owner"), name):
            return Response(status_code=404)
        file = await self._store.keep(bodies.as_far_as_it_came(request), _limits("image").max_bytes * 2)
        if request.headers.get("content-length") != str(file.size_bytes):
            return Response(status_code=400)
        if file.size_bytes > _limits("image").max_bytes:
            return Response(status_code=413)
        await self._arrived(doc, file)
        return Response(status_code=201)

    async def _put_part(self, request: Request) -> Response:
        """Its address is all the right there is: a token that comes along is refused, as a store of others would."""
        urn, number = f"urn:li:video:{request.path_params['key']}", int(request.path_params["number"])
        doc = await self._store.get(MEDIA, urn)
        first = number * PART_BYTES
        if doc is None or doc["arrived"] or first >= (number_at(doc, "size") or 0):
            return Response(status_code=404)
        length = int(min(PART_BYTES, (number_at(doc, "size") or 0) - first))
        wrong_type = request.headers.get("content-type") != "application/octet-stream"
        if "authorization" in request.headers or wrong_type or request.headers.get("content-length") != str(length):
            return Response(status_code=400)
        if await self._store.keep_part(text_at(doc, "key"), number, bodies.as_far_as_it_came(request)) != length:
            return Response(status_code=400)
        etag = secrets.token_hex(16)

        def tagged(old: Doc) -> Doc:
            etags = at(old, "etags")
            return {**old, "etags": {**(etags if isinstance(etags, dict) else {}), str(number): etag}}

        await self._store.update(MEDIA, urn, tagged)
        return Response(status_code=200, headers={"ETag": f'"{etag}"'})

    async def _finalized(self, name: str, request: Request) -> Response:
        wanted = await _wanted(request, "finalizeUpload", {"video", "uploadToken", "uploadedPartIds"})
        urn, etags = text_at(wanted, "video"), list_at(wanted, "uploadedPartIds")
        doc = await self._store.get(MEDIA, urn)
        if doc is None or not is_own(text_at(doc, "owner"), name):
            raise invalid("video is not known")
        if not hmac.compare_digest(text_at(wanted, "uploadToken").encode(), text_at(doc, "token").encode()):
            raise invalid("uploadToken is not the video's")
        if doc["arrived"]:
            return Response(status_code=200)
        count = -(-int(number_at(doc, "size") or 0) // PART_BYTES)
        if etags != [text_at(doc, "etags", str(number)) for number in range(count)]:
            raise invalid("uploadedPartIds must be the etags of all parts in their order")
        key, size = text_at(doc, "key"), int(number_at(doc, "size") or 0)
        await self._arrived(doc, await self._store.join_parts(key, count, size))
        return Response(status_code=200)

    async def _get(self, request: Request) -> Response:
        name, urn = authorize(request, looking=True), str(request.path_params["urn"])
        doc = await self._store.get(MEDIA, urn)
        if (
            doc is None
            or not is_own(text_at(doc, "owner"), name)
            or f"/{text_at(doc, 'kind')}s/" not in request.url.path
        ):
            raise refused(404, "NOT_FOUND", f"{urn} does not exist")
        return JSONResponse({"id": urn, "owner": doc["owner"], "status": _word(doc)})

    async def _arrived(self, doc: Doc, file: StoredFile) -> None:
        facts, limits = await asyncio.to_thread(sniff, file.path), _limits(text_at(doc, "kind"))
        why = broken(facts, limits)
        if facts.width * facts.height >= MAX_PX or (facts.fps > (limits.max_fps or facts.fps)):
            why = why or "size"
        change: dict[str, JSON] = {
            "arrived": time.time(), "why": why, "medium": media_doc(file.sha256, file.size_bytes, facts, alt_text=None),
        }  # fmt: skip
        await self._store.update(MEDIA, text_at(doc, "id"), lambda old: {**old, **change})


def _word(doc: Doc) -> str:
    arrived = number_at(doc, "arrived") or 0
    if not arrived:
        return "WAITING_UPLOAD"
    if time.time() - arrived < PROCESSING_LASTS_S:
        return "PROCESSING"
    return "PROCESSING_FAILED" if doc["why"] else "AVAILABLE"


def _limits(kind: str) -> Limits:
    platform = catalog.load()[PLATFORM]
    part = platform.video if kind == "video" else platform.image
    assert part is not None
    return part.limits


async def _wanted(request: Request, action: str, fields: set[str]) -> Doc:
    if request.query_params.get("action") != action:
        raise invalid("action is not known")
    found = at(await json_body(request, invalid, 1_000_000), f"{action}Request")
    if not isinstance(found, dict) or set(found) != fields:
        raise invalid(f"{action}Request must have {', '.join(sorted(fields))}")
    return found

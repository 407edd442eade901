"""The sandbox's videos: begun, sent in chunks or to the store, finished, processed for a moment, then seen or failed.

Source: developers.facebook.com/docs/video-api/guides/{publishing,reels-publishing}, read 2026-11-24.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import cast

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import number_at, text_at
from services.platforms.catalog import Limits
from services.platforms.facebook.checks import PLATFORM
from services.platforms.facebook.pages import SERVICE
from services.platforms.facebook.sandbox_accounts import own
from services.platforms.ports import JSON
from services.platforms.sandboxing import bodies
from services.platforms.sandboxing.container_rules import broken
from services.platforms.sandboxing.graph import missing, new_id, refused
from services.platforms.sandboxing.sniff import Facts, sniff
from services.platforms.sandboxing.state import VALID_PREFIX, SandboxState, is_valid, now
from services.platforms.sandboxing.store import Doc
from services.platforms.sandboxing.web import POSTS, RefusedError, media_doc

VIDEOS = "video"
CHUNK_BYTES = 1_000_000
LASTS_S = 24 * 3_600.0
PROCESSING_LASTS_S = 0.3
REELS_A_DAY = 30
READ_MAX = 10_000
STORE = "/video-upload"


class Videos:
    """Of every page."""

    def __init__(self, state: SandboxState) -> None:
        self._store = state.store
        self._url = state.public_url
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        root = f"{SERVICE.version}/{{page_id}}"
        return [
            Route(f"{root}/videos", self._video, methods=["POST"]),
            Route(f"{root}/video_reels", self._reel, methods=["POST"]),
            Route(f"{STORE}{SERVICE.version}/{{video_id}}", self._put, methods=["POST"]),
        ]

    def shown(self, video: Doc, fields: list[str]) -> dict[str, JSON]:
        """As the API tells of a video."""
        known: dict[str, JSON] = {"id": video["id"], "status": _status(video)}
        if strange := set(fields) - set(known):
            raise refused(100, f"(#100) Tried accessing nonexisting field ({', '.join(sorted(strange))})")
        return {name: known[name] for name in ("id", *fields)}

    async def _video(self, request: Request) -> Response:
        owner = own(request, posting=True)
        async with request.form(max_files=1, max_fields=10) as form:
            match form.get("upload_phase"):
                case "start":
                    size = str(form.get("file_size", ""))
                    if not size.isdigit() or not 1 <= int(size) <= _video_limits("video").max_bytes:
                        raise refused(100, "(#100) file_size is missing or too large", 1363023)
                    doc = await self._begun(owner, "video", int(size))
                    found = {"video_id": doc["id"], "upload_session_id": doc["session"]}
                    return JSONResponse({**found, **_expected(doc)})
                case "transfer":
                    session, start = str(form.get("upload_session_id", "")), str(form.get("start_offset", ""))
                    async with self._busy[session]:
                        doc = await self._session(owner, session)
                        return await self._chunk(doc, start, form.get("video_file_chunk"))
                case "finish":
                    doc = await self._session(owner, str(form.get("upload_session_id", "")))
                    return await self._finished(doc, str(form.get("description", "")))
                case other:
                    raise refused(100, f"(#100) upload_phase {other!r} is not known")

    async def _reel(self, request: Request) -> Response:
        owner = own(request, posting=True)
        async with request.form(max_files=0, max_fields=10) as form:
            phase, video_id = form.get("upload_phase"), str(form.get("video_id", ""))
            state, said = form.get("video_state"), str(form.get("description", ""))
        if phase == "start":
            doc = await self._begun(owner, "reel", 0)
            url = f"{self._url}{STORE}{SERVICE.version}/{text_at(doc, 'id')}"
            return JSONResponse({"video_id": doc["id"], "upload_url": url})
        if phase != "finish" or state != "PUBLISHED":
            raise refused(100, "(#100) upload_phase is start or finish, and video_state PUBLISHED")
        doc = await self._owned(owner, video_id)
        if doc["kind"] != "reel":
            raise missing(video_id)
        return await self._finished(doc, said)

    async def _put(self, request: Request) -> Response:
        """Whatever arrives behind the offset is kept, even of a sender who goes away."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        video_id = str(request.path_params["video_id"])
        async with self._busy[video_id]:
            doc = await self._store.get(VIDEOS, video_id)
            sender = token.removeprefix(VALID_PREFIX).partition(".")[0] if is_valid(token) else ""
            if kind != "OAuth" or doc is None or sender != doc["owner"]:
                raise _debug("NotAuthorizedError", retriable=False, status=401)
            offset, size = (request.headers.get(name, "") for name in ("offset", "file_size"))
            if not size.isdigit() or not 1 <= int(size) <= _video_limits("reel").max_bytes:
                raise _debug("InvalidFileSizeError", retriable=False)
            got = int(number_at(doc, "got") or 0)
            if offset != str(got) or (number_at(doc, "size") or int(size)) != int(size):
                raise _debug("OffsetInvalidError", retriable=True)
            doc = await self._kept(doc, bodies.as_far_as_it_came(request), int(size))
        if doc["got"] != int(size):
            raise _debug("PartialRequestError", retriable=True)
        return JSONResponse({"success": True})

    async def _begun(self, owner: str, kind: str, size: int) -> Doc:
        newest = await self._store.newest(POSTS, READ_MAX)
        since = time.time() - LASTS_S
        reels = [it for it in newest if it["account"] == owner and it["kind"] == "reel" and _made(it) >= since]
        if kind == "reel" and len(reels) >= REELS_A_DAY:
            raise refused(9, "(#9) The page has published 30 reels in 24 hours")
        doc: dict[str, JSON] = {
            "id": new_id(), "session": new_id(), "owner": owner, "kind": kind, "size": size, "got": 0, "pieces": 0,
            "made": time.time(), "finished": 0, "why": "",
        }  # fmt: skip
        await self._store.add(VIDEOS, text_at(doc, "id"), doc)
        await self._store.add("session", text_at(doc, "session"), {"video": doc["id"]})
        return doc

    async def _chunk(self, doc: Doc, start: str, chunk: UploadFile | str | None) -> Response:
        if not isinstance(chunk, UploadFile):
            raise refused(100, "(#100) video_file_chunk is missing")
        expected = _expected(doc)
        if start != expected["start_offset"] or chunk.size != int(str(expected["end_offset"])) - int(start):
            refusal = refused(6000, "There was a problem with the offset of the upload", 1363037)
            error = cast("dict[str, JSON]", refusal.fields["error"])
            raise RefusedError(400, {"error": {**error, "error_data": expected}})
        doc = await self._kept(doc, bodies.of_file(chunk), int(number_at(doc, "size") or 0))
        return JSONResponse(_expected(doc))

    async def _kept(self, doc: Doc, pieces: AsyncIterator[bytes], size: int) -> Doc:
        number = int(number_at(doc, "pieces") or 0)
        length = await self._store.keep_part(text_at(doc, "id"), number, pieces)
        change: dict[str, JSON] = {"size": size, "got": int(number_at(doc, "got") or 0) + length, "pieces": number + 1}
        await self._store.update(VIDEOS, text_at(doc, "id"), lambda old: {**old, **change})
        return {**doc, **change}

    async def _finished(self, doc: Doc, said: str) -> Response:
        """Once; whoever says it again is told the same."""
        if not doc["size"] or doc["got"] != doc["size"]:
            raise refused(6000, "The video has not arrived whole", 1363033)
        if len(said) > catalog.load()[PLATFORM].text.max_length:
            raise refused(100, "(#100) Param description is too long")
        video_id, kind = text_at(doc, "id"), text_at(doc, "kind")
        async with self._busy[video_id]:
            fresh = await self._owned(text_at(doc, "owner"), video_id)
            if fresh["finished"]:
                return JSONResponse({"success": True})
            limits = _video_limits(kind)
            count = int(number_at(fresh, "pieces") or 0)
            file = await self._store.join_parts(video_id, count, limits.max_bytes)
            facts = await asyncio.to_thread(sniff, file.path)
            why = _unfit(kind, facts)
            change: dict[str, JSON] = {"finished": time.time(), "why": why}
            await self._store.update(VIDEOS, video_id, lambda old: {**old, **change})
            if not why:
                moment = now()
                post: dict[str, JSON] = {
                    "id": video_id, "account": doc["owner"], "kind": kind, "text": said, "made": moment.timestamp(),
                    "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    "details": {"form": kind}, "media": [media_doc(file.sha256, file.size_bytes, facts, alt_text=None)],
                }  # fmt: skip
                await self._store.add(POSTS, video_id, post)
        return JSONResponse({"success": True})

    async def _session(self, owner: str, session: str) -> Doc:
        found = await self._store.get("session", session)
        doc = None if found is None else await self._store.get(VIDEOS, text_at(found, "video"))
        if doc is None or doc["owner"] != owner or time.time() - _made(doc) > LASTS_S:
            raise refused(6000, "The upload session does not exist or has expired", 1363041)
        return doc

    async def _owned(self, owner: str, video_id: str) -> Doc:
        found = await self._store.get(VIDEOS, video_id)
        if found is None or found["owner"] != owner:
            raise missing(video_id)
        return found


def _video_limits(kind: str) -> Limits:
    return catalog.presets("video")[f"{PLATFORM}.{kind}"].limits


def _unfit(kind: str, facts: Facts) -> str:
    """Why a video is not shown; "" if it is."""
    limits = _video_limits(kind)
    if rule := broken(facts, limits):
        return f"The video's {rule} is not supported."
    edges = min(facts.width, facts.height), max(facts.width, facts.height)
    if edges[0] < (limits.min_edge_px or 0) or facts.codec not in ("h264", "hevc", "vp9", "av1"):
        return "The video's resolution or codec is not supported."
    fast = (limits.min_fps or 0) <= facts.fps <= (limits.max_fps or facts.fps)
    return "" if fast else "The video's frame rate is not supported."


def _expected(doc: Doc) -> dict[str, JSON]:
    got, size = (int(number_at(doc, name) or 0) for name in ("got", "size"))
    return {"start_offset": str(got), "end_offset": str(min(got + CHUNK_BYTES, size))}


def _status(video: Doc) -> JSON:
    finished, is_whole = number_at(video, "finished") or 0, bool(video["size"]) and video["got"] == video["size"]
    done = bool(finished) and time.time() - finished >= PROCESSING_LASTS_S
    if not finished:
        expired = time.time() - _made(video) > LASTS_S
        word = "expired" if expired else "upload_complete" if is_whole else "uploading"
    else:
        word = "processing" if not done else "error" if video["why"] else "ready"
    processing: dict[str, JSON] = {
        "status": {"processing": "in_progress", "ready": "complete"}.get(word, "not_started")
    }
    if word == "error":
        processing = {"status": "error", "error": {"message": video["why"]}}
    return {
        "video_status": word,
        "uploading_phase": {"status": "complete" if is_whole else "in_progress", "bytes_transfered": video["got"]},
        "processing_phase": processing,
        "publishing_phase": {"status": "complete" if word == "ready" else "not_started"},
    }


def _made(doc: Doc) -> float:
    return number_at(doc, "made") or 0


def _debug(kind: str, *, retriable: bool, status: int = 400) -> RefusedError:
    return RefusedError(status, {"debug_info": {"retriable": retriable, "type": kind, "message": kind}})

"""The sandbox's resumable uploads: a session, its bytes in order and in whole blocks, and the video they become.

Source: developers.google.com/youtube/v3/guides/using_resumable_upload_protocol, read 2026-10-08.
"""

import asyncio
import re
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import number_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.store import Doc
from services.platforms.sandboxing.web import json_body
from services.platforms.youtube.checks import PLATFORM
from services.platforms.youtube.resource import VIDEOS
from services.platforms.youtube.sandbox_accounts import Owner, authorize, invalid, refused, required
from services.platforms.youtube.sandbox_parts import check_parts
from services.platforms.youtube.sandbox_videos import Videos

SESSIONS = "session"
BLOCK_BYTES = 256 * 1024  # what arrives of a block is forgotten unless all of it does, or it is the last one
LASTS_S = 7 * 86_400.0
INSERTS_A_DAY = 100
READ_MAX = 10_000
PATH = f"/upload{VIDEOS}"

_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)")


class Uploads:
    """/upload/youtube/v3/videos."""

    def __init__(self, state: SandboxState, videos: Videos) -> None:
        self._store = state.store
        self._url = state.public_url + PATH
        self._videos = videos
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [Route(PATH, self._open, methods=["POST"]), Route(PATH, self._receive, methods=["PUT"])]

    async def _open(self, request: Request) -> Response:
        owner = authorize(request, writing=True)
        kind, parts = required(request, "uploadType", "part")
        if kind != "resumable":
            raise invalid("uploadType must be resumable")
        wanted = await json_body(request, invalid, 80_000)
        check_parts(wanted, parts, {"snippet", "status"})
        size, content_type = _announced(request)
        await self._within_quota(owner)
        session = secrets.token_urlsafe(24)
        doc: dict[str, JSON] = {
            "id": session, "owner": owner.name, "size": size, "type": content_type, "snippet": wanted["snippet"],
            "status": wanted["status"], "made": time.time(), "got": 0, "pieces": 0, "video": "",
        }  # fmt: skip
        await self._store.add(SESSIONS, session, doc)
        location = f"{self._url}?uploadType=resumable&part={parts}&upload_id={session}"
        return Response(status_code=200, headers={"Location": location, "X-GUploader-UploadID": session})

    async def _within_quota(self, owner: Owner) -> None:
        since = time.time() - 86_400
        made = [doc for doc in await self._store.newest(SESSIONS, READ_MAX) if doc["owner"] == owner.name]
        if sum((number_at(doc, "made") or 0) >= since for doc in made) >= INSERTS_A_DAY:
            message = "The request cannot be completed because you have exceeded your quota."
            raise refused(403, "quotaExceeded", message, "youtube.quota")

    async def _receive(self, request: Request) -> Response:
        """One request after the other, since whoever asks how far a broken one came is told when that is known."""
        async with self._busy[request.query_params.get("upload_id", "")]:
            return await self._received(request)

    async def _received(self, request: Request) -> Response:
        owner = authorize(request, writing=True)
        session = await self._store.get(SESSIONS, request.query_params.get("upload_id", ""))
        if session is None or time.time() - (number_at(session, "made") or 0) > LASTS_S:
            raise refused(404, "notFound", "Not Found")
        if session["video"]:
            return JSONResponse(await self._videos.shown(owner, text_at(session, "video")), 200)
        first, last, total = _range(request)
        if total != session["size"]:
            raise invalid("Content-Range and X-Upload-Content-Length differ")
        if first is None or last is None:
            return _so_far(session)
        if first != session["got"] or not first <= last < total:
            raise invalid(f"Invalid Content-Range: {session['got']} bytes are there")
        length = last - first + 1
        if request.headers.get("content-length", str(length)) != str(length):
            raise invalid("Content-Length and Content-Range differ")
        if last + 1 < total and length % BLOCK_BYTES:
            raise invalid("pieces but the last one are multiples of 256 KiB")
        session = await self._add(session, _blocks(request, length, is_last=last + 1 == total))
        if session["got"] != total:
            return _so_far(session)
        return await self._finished(owner, session)

    async def _add(self, session: Doc, blocks: AsyncIterator[bytes]) -> Doc:
        session_id, index = text_at(session, "id"), int(number_at(session, "pieces") or 0)
        size = await self._store.keep_part(session_id, index, blocks)
        grown = {**session, "got": int(number_at(session, "got") or 0) + size, "pieces": index + 1}
        return await self._store.update(SESSIONS, session_id, lambda _: grown) or grown

    async def _finished(self, owner: Owner, session: Doc) -> Response:
        session_id = text_at(session, "id")
        count, size = (int(number_at(session, name) or 0) for name in ("pieces", "size"))
        file = await self._store.join_parts(session_id, count, size)
        video_id = await self._videos.add(owner, session, file)
        await self._store.update(SESSIONS, session_id, lambda doc: {**doc, "video": video_id})
        return JSONResponse(await self._videos.shown(owner, video_id), 201)


def _announced(request: Request) -> tuple[int, str]:
    """Size and type of the video. Raises RefusedError."""
    size, kind = (request.headers.get(f"x-upload-content-{name}", "") for name in ("length", "type"))
    video = catalog.load()[PLATFORM].video
    assert video is not None
    if not size.isdigit() or not 1 <= int(size) <= video.limits.max_bytes:
        raise invalid("X-Upload-Content-Length is missing or not taken")
    if not kind.startswith("video/") and kind != "application/octet-stream":
        raise invalid("X-Upload-Content-Type must be video/* or application/octet-stream", "mediaBodyRequired")
    return int(size), kind


def _range(request: Request) -> tuple[int | None, int | None, int]:
    found = _RANGE.fullmatch(request.headers.get("content-range", ""))
    if found is None:
        raise invalid("Content-Range is missing or malformed")
    first, last, total = found.groups()
    return (None, None, int(total)) if first is None else (int(first), int(last), int(total))


def _so_far(session: Doc) -> Response:
    got = int(number_at(session, "got") or 0)
    return Response(status_code=308, headers={"Range": f"bytes=0-{got - 1}"} if got else {})


async def _blocks(request: Request, length: int, *, is_last: bool) -> AsyncIterator[bytes]:
    """What arrives, as far as it is kept: of a sender who goes away, the blocks that are whole."""
    held, got = bytearray(), 0
    try:
        async for piece in request.stream():
            held += piece
            got += len(piece)
            if got > length:
                raise invalid("the body is longer than its Content-Range")
            while len(held) >= BLOCK_BYTES:
                yield bytes(held[:BLOCK_BYTES])
                del held[:BLOCK_BYTES]
    except ClientDisconnect:
        return
    if held and is_last and got == length:
        yield bytes(held)

"""The store the sandbox's videos are sent to, chunk after chunk.

Source: developers.tiktok.com/doc/content-posting-api-media-transfer-guide, read 2026-10-08.
"""

import asyncio
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.platforms.calls import number_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing import bodies
from services.platforms.sandboxing.sniff import sniff
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.store import Doc, StoredFile
from services.platforms.sandboxing.web import media_doc
from services.platforms.tiktok import sandbox_rules as rules
from services.platforms.tiktok.sandbox_accounts import Owner
from services.platforms.tiktok.sandbox_shown import Shown

PUBLISHES = "publish"
LASTS_S = 3_600.0
PATH = "/upload/video/"
TYPES = ("video/mp4", "video/quicktime", "video/webm")

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Uploads:
    """Takes chunks in their order, each whole."""

    def __init__(self, state: SandboxState) -> None:
        self._store = state.store
        self._url = state.public_url + PATH
        self._shown = Shown(state.store)
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [Route(PATH, self._put, methods=["PUT"])]

    def place(self, source: Mapping[str, JSON]) -> tuple[str, dict[str, JSON]]:
        """The address of a new upload, and what is kept of it. Raises RefusedError."""
        size, chunk, count = rules.chunks(source)
        token = secrets.token_hex(16)
        kept: dict[str, JSON] = {"token": token, "size": size, "chunk": chunk, "count": count, "pieces": 0, "got": 0}
        return token, kept

    def url(self, publish_id: str, token: str) -> str:
        """Where the chunks go."""
        return f"{self._url}?upload_id={publish_id}&upload_token={token}"

    async def _put(self, request: Request) -> Response:
        """One request after the other for one upload."""
        upload_id = request.query_params.get("upload_id", "")
        async with self._busy[upload_id]:
            return await self._take(request, await self._store.get(PUBLISHES, upload_id))

    async def _take(self, request: Request, post: Doc | None) -> Response:
        if post is None:
            return Response(status_code=404)
        expired = time.time() - (number_at(post, "made") or 0) > LASTS_S
        if expired or request.query_params.get("upload_token") != text_at(post, "token"):
            return Response(status_code=403)
        found = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if found is None or request.headers.get("content-type") not in TYPES:
            return Response(status_code=400)
        first, last, total = (int(part) for part in found.groups())
        got, size, chunk, count, pieces = (
            int(number_at(post, n) or 0) for n in ("got", "size", "chunk", "count", "pieces")
        )
        ends_at = size if pieces + 1 == count else got + chunk
        if (first, last + 1, total) != (got, ends_at, size) or got == size:
            return Response(status_code=416)
        if request.headers.get("content-length") != str(ends_at - got):
            return Response(status_code=400)
        publish_id = text_at(post, "id")
        if await self._store.keep_part(publish_id, pieces, bodies.as_far_as_it_came(request)) != ends_at - got:
            return Response(status_code=400)
        change: dict[str, JSON] = {"got": ends_at, "pieces": pieces + 1}
        await self._store.update(PUBLISHES, publish_id, lambda doc: {**doc, **change})
        if ends_at < size:
            return Response(status_code=206)
        await self.arrived(publish_id, [await self._store.join_parts(publish_id, count, size)], [""])
        return Response(status_code=201)

    async def arrived(self, publish_id: str, files: list[StoredFile], urls: list[str]) -> None:
        """All of a post's files are there: it is published, unless one of them cannot be. urls: "" for uploads."""
        post = await self._store.get(PUBLISHES, publish_id)
        assert post is not None
        owner = Owner(text_at(post, "owner"), text_at(post, "mark"))
        facts = [await asyncio.to_thread(sniff, file.path) for file in files]
        why = next(filter(None, (rules.unfit(owner, one) for one in facts)), "")
        media: list[JSON] = [
            media_doc(file.sha256, file.size_bytes, one, alt_text=None, url=url or None)
            for file, one, url in zip(files, facts, urls, strict=True)
        ]
        await self.ended(publish_id, why)
        if not why:
            await self._shown.add(post, media)

    async def ended(self, publish_id: str, why: str) -> None:
        """Nothing more is waited for. why: the fail_reason, "" where it is published."""
        change: dict[str, JSON] = {"arrived": time.time(), "why": why}
        await self._store.update(PUBLISHES, publish_id, lambda doc: {**doc, **change})

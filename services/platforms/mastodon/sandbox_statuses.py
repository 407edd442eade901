"""A server's posts, the keys they came under, and the lists they are found in.

Source: docs.joinmastodon.org/methods/statuses/#create, docs.joinmastodon.org/methods/accounts/#statuses.
"""

import hashlib
import time
from collections.abc import Sequence
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms.calls import list_at, text_at
from services.platforms.mastodon import sandbox_html
from services.platforms.mastodon.checks import VISIBILITIES
from services.platforms.mastodon.sandbox_accounts import Owner, authorize, invalid, new_id, refused
from services.platforms.mastodon.sandbox_media import MediaService, shown
from services.platforms.mastodon.sandbox_servers import Server
from services.platforms.mastodon.text import length
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import now
from services.platforms.sandboxing.store import Doc, Store
from services.platforms.sandboxing.web import POSTS, json_body

STATUSES = "status"
KEYS = "idempotency-key"
KEY_LASTS_S = 3_600.0
MAX_BODY_BYTES = 200_000
MAX_PAGE = 40
READ_MAX = 10_000


class Statuses:
    """/api/v1/statuses and /api/v1/accounts/:id/statuses."""

    def __init__(self, store: Store, server: Server, media: MediaService) -> None:
        self._store = store
        self._server = server
        self._media = media

    def routes(self) -> list[BaseRoute]:
        """Below the server's root."""
        return [
            Route("/api/v1/statuses", self._create, methods=["POST"]),
            Route("/api/v1/accounts/{id:int}/statuses", self._list),
        ]

    async def _create(self, request: Request) -> Response:
        owner = authorize(request, self._server, writing=True)
        wanted = await json_body(request, invalid, MAX_BODY_BYTES)
        key = request.headers.get("idempotency-key", "")
        digest = hashlib.sha256(f"{owner.user_id}/{key}".encode()).hexdigest()
        if key and (known := await self._known(digest)) is not None:
            return JSONResponse(dict(known))
        ids = [str(it) for it in list_at(wanted, "media_ids")]
        await self._check(wanted, ids)
        uploads = [await self._media.usable(owner, media_id) for media_id in ids]
        if len(uploads) > 1 and any(upload["kind"] == "video" for upload in uploads):
            raise invalid("Cannot attach a video to a post that already contains images")
        status = self._status(owner, wanted, uploads)
        status_id = text_at(status, "id")
        await self._store.add(STATUSES, status_id, status)
        for media_id in ids:
            await self._media.attach(media_id, status_id)
        if key:
            await self._keep_key(digest, status_id)
        await self._store.add(POSTS, status_id, _received(status, wanted, uploads))
        return JSONResponse(dict(status))

    async def _known(self, digest: str) -> Doc | None:
        """The post that came under this key within the hour."""
        kept = await self._store.get(KEYS, digest)
        if kept is None or time.time() - cast(float, kept["at"]) > KEY_LASTS_S:
            return None
        return await self._store.get(STATUSES, text_at(kept, "status"))

    async def _keep_key(self, digest: str, status_id: str) -> None:
        doc: dict[str, JSON] = {"status": status_id, "at": time.time()}
        if not await self._store.add(KEYS, digest, doc):
            await self._store.update(KEYS, digest, lambda _: doc)

    async def _check(self, wanted: Doc, ids: Sequence[str]) -> None:
        """Raises RefusedError."""
        text, warning, most = text_at(wanted, "status"), text_at(wanted, "spoiler_text"), self._server.limits
        if not text.strip() and not ids:
            raise invalid("Text can't be blank")
        if length(text, warning, most.url_chars) > most.max_characters:
            raise invalid(f"Text character limit of {most.max_characters} exceeded")
        if len(ids) > most.max_media:
            raise invalid(f"Cannot attach more than {most.max_media} files")
        if (wanted.get("visibility") or VISIBILITIES[0]) not in VISIBILITIES:
            raise invalid("Visibility is not included in the list")
        answered = text_at(wanted, "in_reply_to_id")
        if answered and await self._store.get(STATUSES, answered) is None:
            raise refused(404, "The post you are trying to reply to does not appear to exist.")

    def _status(self, owner: Owner, wanted: Doc, uploads: Sequence[Doc]) -> dict[str, JSON]:
        status_id = new_id()
        warning = text_at(wanted, "spoiler_text")
        return {
            "id": status_id,
            "created_at": now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "in_reply_to_id": text_at(wanted, "in_reply_to_id") or None,
            "sensitive": wanted.get("sensitive") is True or bool(warning),
            "spoiler_text": warning,
            "visibility": text_at(wanted, "visibility") or VISIBILITIES[0],
            "language": text_at(wanted, "language") or None,
            "url": f"{owner.url}/{status_id}",
            "content": sandbox_html.content(text_at(wanted, "status")),
            "account": owner.shown(),
            "media_attachments": [shown(upload, self._server) for upload in uploads],
        }

    async def _list(self, request: Request) -> Response:
        """Newest first; who asks sees all of their own, and of others what is public."""
        owner, query = authorize(request, self._server), request.query_params
        user_id = str(request.path_params["id"])
        limit, before = query.get("limit", "20"), query.get("max_id", "")
        visible = VISIBILITIES if user_id == owner.user_id else VISIBILITIES[:2]
        found = [
            dict(doc)
            for doc in await self._store.newest(STATUSES, READ_MAX)
            if text_at(doc, "account", "id") == user_id
            and doc["visibility"] in visible
            and (not before.isdigit() or int(text_at(doc, "id")) < int(before))
        ]
        return JSONResponse(found[: min(int(limit), MAX_PAGE) if limit.isdigit() else MAX_PAGE])


def _received(status: Doc, wanted: Doc, uploads: Sequence[Doc]) -> dict[str, JSON]:
    """The post in the shape all sandboxes show."""
    focused = any(list_at(one, "focus") for one in uploads)
    return {
        "id": status["id"],
        "account": f"@{text_at(status, 'account', 'username')}",
        "text": text_at(wanted, "status"),
        "createdAt": status["created_at"],
        "media": [upload["media"] for upload in uploads],
        "cover": next((upload["cover"] for upload in uploads if upload.get("cover")), None),
        "replyTo": text_at(status, "in_reply_to_id"),
        "details": {
            "visibility": status["visibility"],
            "warning": status["spoiler_text"],
            "focus": [", ".join(map(str, list_at(one, "focus"))) or "none" for one in uploads] if focused else None,
        },
        "record": dict(status),
    }

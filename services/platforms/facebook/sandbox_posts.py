"""The sandbox's photos and posts of the feed.

Source: developers.facebook.com/docs/graph-api/reference/page/{photos,feed}, read 2026-11-24.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import list_at, number_at, text_at
from services.platforms.facebook.checks import PLATFORM
from services.platforms.facebook.pages import SERVICE
from services.platforms.facebook.sandbox_accounts import own
from services.platforms.ports import JSON
from services.platforms.sandboxing import bodies
from services.platforms.sandboxing.container_rules import broken
from services.platforms.sandboxing.graph import missing, new_id, refused
from services.platforms.sandboxing.sniff import sniff
from services.platforms.sandboxing.state import SandboxState, now
from services.platforms.sandboxing.store import Doc, TooLargeError
from services.platforms.sandboxing.tokens import number_of
from services.platforms.sandboxing.web import POSTS, RefusedError, media_doc

PHOTOS = "photo"
PHOTOS_LAST_S = 24 * 3_600.0  # of those nobody sees
READ_MAX = 10_000
LISTED = frozenset(["id", "message", "created_time", "attachments{target,subattachments}"])

_ATTACHED = re.compile(r"attached_media\[(\d+)\]")


class Posts:
    """Of every page."""

    def __init__(self, state: SandboxState) -> None:
        self._store = state.store

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        root = f"{SERVICE.version}/{{page_id}}"
        return [
            Route(f"{root}/photos", self._photo, methods=["POST"]),
            Route(f"{root}/feed", self._post, methods=["POST"]),
            Route(f"{root}/feed", self._listed),
        ]

    async def _photo(self, request: Request) -> Response:
        owner, image = own(request, posting=True), catalog.load()[PLATFORM].image
        assert image is not None
        async with request.form(max_files=1, max_fields=10) as form:
            source, alt = form.get("source"), str(form.get("alt_text_custom", ""))
            if set(form) - {"source", "alt_text_custom", "published"} or not isinstance(source, UploadFile):
                raise refused(324, "(#324) Requires upload file")
            if form.get("published") != "false":
                raise refused(100, "(#100) the sandbox takes photos to be attached, with published=false")
            if len(alt) > image.alt_text_max:
                raise refused(100, "(#100) alt_text_custom is too long")
            try:
                file = await self._store.keep(bodies.of_file(source), image.limits.max_bytes)
            except TooLargeError as exc:
                raise _unfit() from exc
        facts = await asyncio.to_thread(sniff, file.path)
        if broken(facts, image.limits):
            raise _unfit()
        photo_id = new_id()
        medium = media_doc(file.sha256, file.size_bytes, facts, alt_text=alt or None)
        await self._store.add(
            PHOTOS, photo_id, {"id": photo_id, "owner": owner, "made": time.time(), "post": "", "medium": medium}
        )
        return JSONResponse({"id": photo_id})

    async def _post(self, request: Request) -> Response:
        owner = own(request, posting=True)
        async with request.form(max_files=0, max_fields=40) as form:
            wanted = _read(form)
        photos = [await self._unseen(owner, photo_id) for photo_id in _attached(wanted)]
        message, link = wanted.get("message", ""), wanted.get("link", "")
        if not (message.strip() or link or photos):
            raise refused(100, "(#100) Missing message or attachment")
        if len(message) > catalog.load()[PLATFORM].text.max_length:
            raise refused(100, "(#100) Param message is too long")
        post_id = f"{number_of(owner)}_{new_id()}"
        for photo in photos:
            await self._store.update(PHOTOS, text_at(photo, "id"), lambda doc: {**doc, "post": post_id})
        ids: list[JSON] = [photo["id"] for photo in photos]
        media: list[JSON] = [photo["medium"] for photo in photos]
        moment = now()
        post: dict[str, JSON] = {
            "id": post_id, "account": owner, "kind": "feed", "text": message, "link": link, "photos": ids,
            "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "made": moment.timestamp(), "media": media,
        }  # fmt: skip
        await self._store.add(POSTS, post_id, post)
        return JSONResponse({"id": post_id})

    async def _unseen(self, owner: str, photo_id: str) -> Doc:
        found = await self._store.get(PHOTOS, photo_id)
        gone = found is not None and not found["post"] and time.time() - (number_at(found, "made") or 0) > PHOTOS_LAST_S
        if found is None or found["owner"] != owner or gone:
            raise missing(photo_id)
        if found["post"]:
            raise refused(100, "(#100) the photo is on a post already", 1366051)
        return found

    async def _listed(self, request: Request) -> Response:
        owner, query = own(request), request.query_params
        fields, since = query.get("fields", ""), query.get("since", "0")
        if set(fields.split(",", 3)) - LISTED or not since.isdigit():
            raise refused(100, f"(#100) Tried accessing nonexisting field ({fields})")
        limit, after = query.get("limit", "25"), query.get("after", "0")
        if not (limit.isdigit() and 1 <= int(limit) <= 100 and after.isdigit()):
            raise refused(100, "(#100) limit is 1 to 100, and after a cursor")
        mine = [
            post
            for post in await self._store.newest(POSTS, READ_MAX)
            if post["account"] == owner and post["kind"] == "feed" and (number_at(post, "made") or 0) >= int(since)
        ]
        start, end = int(after), int(after) + int(limit)
        paging: dict[str, JSON] = {"cursors": {"after": str(end)}}
        if end < len(mine):
            paging["next"] = f"{request.url.path}?after={end}"
        return JSONResponse({"data": [_shown(post) for post in mine[start:end]], "paging": paging})


def _read(form: FormData) -> dict[str, str]:
    wanted = {name: str(value) for name, value in form.items()}
    if strange := [name for name in wanted if name not in ("message", "link") and not _ATTACHED.fullmatch(name)]:
        raise refused(100, f"(#100) Invalid parameter: {', '.join(sorted(strange))}")
    return wanted


def _attached(wanted: Mapping[str, str]) -> list[str]:
    found = {int(named[1]): value for name, value in wanted.items() if (named := _ATTACHED.fullmatch(name))}
    image = catalog.load()[PLATFORM].image
    assert image is not None
    if sorted(found) != list(range(len(found))) or len(found) > image.max_count:
        raise refused(100, f"(#100) attached_media has places 0 to {image.max_count - 1}, in a row")
    ids = []
    for place in sorted(found):
        try:
            ids.append(text_at(json.loads(found[place]), "media_fbid"))
        except ValueError as exc:
            raise refused(100, "(#100) attached_media must be a JSON object") from exc
    if len(set(ids)) < len(ids) or (ids and "link" in wanted):
        raise refused(100, "(#100) Invalid parameter: attached_media")
    return ids


def _shown(post: Doc) -> dict[str, JSON]:
    targets: list[JSON] = [{"target": {"id": photo_id}} for photo_id in list_at(post, "photos")]
    one: dict[str, JSON] = {"subattachments": {"data": targets}} if len(targets) > 1 else {}
    made = text_at(post, "createdAt").partition(".")[0] + "+0000"
    shown: dict[str, JSON] = {"id": post["id"], "message": post["text"], "created_time": made}
    if targets:
        shown["attachments"] = {"data": [one or targets[0]]}
    return shown


def _unfit() -> RefusedError:
    return refused(324, "Your photos couldn't be uploaded. They should be smaller than 4 MB and JPG or PNG.", 1366046)

"""Containers as sandboxes of Meta's services play them: media fetched, a moment of processing, published once, 24 h.

Source: developers.facebook.com/docs/instagram-platform/content-publishing, …/docs/threads/posts, read 2026-10-10.
"""

import time
from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms.calls import list_at, number_at, text_at
from services.platforms.containers import Dialect
from services.platforms.ports import JSON
from services.platforms.sandboxing.container_rules import Asked, Rules, Source, broken
from services.platforms.sandboxing.graph import account_routes, authorize, missing, new_id, refused
from services.platforms.sandboxing.pulling import NotPulledError, pull
from services.platforms.sandboxing.state import SandboxState, now
from services.platforms.sandboxing.store import Doc, TooLargeError
from services.platforms.sandboxing.tokens import is_readonly, number_of
from services.platforms.sandboxing.web import POSTS, RefusedError, media_doc

CONTAINERS = "container"
LASTS_S = 24 * 3_600.0
PROCESSING_LASTS_S = 0.3
READ_MAX = 10_000


class Containers:
    """Of every account of a sandbox."""

    def __init__(self, state: SandboxState, rules: Rules) -> None:
        self._state = state
        self._store = state.store
        self._rules = rules

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        rules, kinds = self._rules, self._rules.quota
        root, dialects = f"{rules.service.version}/{{user_id}}", [rules.dialect(kind) for kind in kinds]
        return [
            *account_routes(rules.service),
            Route(root + dialects[0].create, self._create, methods=["POST"]),
            Route(root + dialects[0].publish, self._publish, methods=["POST"]),
            Route(root + dialects[0].quota[0], self._quota),
            *(Route(root + path, self._listed(path)) for path in sorted({rules.listing(kind) for kind in kinds})),
            Route(f"{rules.service.version}/{{object_id}}", self._get),
        ]

    async def _create(self, request: Request) -> Response:
        owner = _own(request, posting=True)
        async with request.form(max_files=0, max_fields=40) as form:
            asked = self._rules.read({name: str(value) for name, value in form.items()})
        media, reason = await self._media(owner, asked)
        cover, blurred = await self._fetched(asked.cover) if asked.cover else (None, "")
        made = new_id()
        doc: dict[str, JSON] = {
            "id": made, "owner": owner, "made": time.time(), "kind": asked.kind, "text": asked.text, "post": "",
            "media": media, "cover": cover, "reason": reason or blurred, "shown": dict(asked.shown or {}),
        }  # fmt: skip
        await self._store.add(CONTAINERS, made, doc)
        return JSONResponse({"id": made})

    async def _media(self, owner: str, asked: Asked) -> tuple[list[JSON], str]:
        """What it shows, and why it cannot be taken. Raises RefusedError."""
        if asked.source is not None:
            medium, reason = await self._fetched(asked.source)
            return [medium], reason
        found: list[JSON] = []
        for child_id in asked.children:
            child = await self._container(owner, child_id)
            if child["kind"] != "item" or _word(child) != "FINISHED":
                raise refused(100, f"Invalid parameter: {child_id} is no item that is ready", 2207028)
            found += list_at(child, "media")
        return found, ""

    async def _fetched(self, source: Source) -> tuple[JSON, str]:
        try:
            pulled = await pull(self._state, source.url, source.limits.max_bytes)
        except (NotPulledError, TooLargeError) as exc:
            return None, self._refusal(source, "size" if isinstance(exc, TooLargeError) else "unreached")
        file, facts = pulled.file, pulled.facts
        medium = media_doc(file.sha256, file.size_bytes, facts, alt_text=source.alt_text, url=source.url)
        rule = broken(pulled.facts, source.limits)
        return cast(JSON, medium), self._refusal(source, rule) if rule else ""

    def _refusal(self, source: Source, rule: str) -> str:
        found = self._rules.misfit(source, rule)
        if isinstance(found, RefusedError):
            raise found
        return found

    async def _publish(self, request: Request) -> Response:
        owner = _own(request, posting=True)
        async with request.form(max_files=0, max_fields=40) as form:
            container = await self._container(owner, str(form.get("creation_id", "")))
        kind, word = text_at(container, "kind"), _word(container)
        if kind == "item" or word != "FINISHED":
            raise _unpublishable(word)
        if len(await self._posts(owner, self._rules.dialect(kind))) >= self._rules.quota[kind]:
            raise self._rules.exhausted
        post_id = new_id()
        taken = await self._store.update(
            CONTAINERS, text_at(container, "id"), lambda doc: {**doc, "post": doc["post"] or post_id}
        )
        if taken is None or taken["post"] != post_id:
            raise _unpublishable("PUBLISHED")
        moment = now()
        post: dict[str, JSON] = {
            "id": post_id, "account": owner, "kind": kind, "container": container["id"], "text": container["text"],
            "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S+0000"), "made": moment.timestamp(),
            "permalink": self._rules.permalink(owner, post_id),
            "media": container["media"], "cover": container["cover"], "details": {"form": kind},
            **cast("dict[str, JSON]", container["shown"]),
        }  # fmt: skip
        await self._store.add(POSTS, post_id, post)
        return JSONResponse({"id": post_id})

    async def _get(self, request: Request) -> Response:
        """A container's status, or a post."""
        owner, object_id = authorize(request), str(request.path_params["object_id"])
        fields = request.query_params.get("fields", "id").split(",")
        post = await self._store.get(POSTS, object_id)
        if post is not None and post["account"] == owner:
            return JSONResponse(self._shown(post, fields))
        container = await self._container(owner, object_id)
        dialect = self._rules.dialect(text_at(container, "kind"))
        word = _word(container)
        known = {"id": object_id, dialect.status: word}
        if word == "ERROR":
            known[dialect.reason] = text_at(container, "reason")
        return JSONResponse({name: known[name] for name in ("id", *fields) if name in known})

    async def _quota(self, request: Request) -> Response:
        owner = _own(request)
        shown: dict[str, JSON] = {}
        for kind, total in self._rules.quota.items():
            dialect = self._rules.dialect(kind)
            _, usage, config = dialect.quota
            shown[usage] = len(await self._posts(owner, dialect))
            shown[config] = {"quota_total": total, "quota_duration": int(LASTS_S)}
        fields = request.query_params.get("fields", "quota_usage").split(",")
        return JSONResponse({"data": [{name: shown[name] for name in fields if name in shown}]})

    def _listed(self, path: str) -> Callable[[Request], object]:
        async def posts(request: Request) -> Response:
            owner, limit = _own(request), request.query_params.get("limit", "25")
            fields = request.query_params.get("fields", "id").split(",")
            mine = [
                self._shown(post, fields)
                for post in await self._store.newest(POSTS, READ_MAX)
                if post["account"] == owner and self._rules.listing(text_at(post, "kind")) == path
            ]
            return JSONResponse({"data": mine[: int(limit)] if limit.isdigit() else mine})

        return posts

    def _shown(self, post: Doc, fields: list[str]) -> dict[str, JSON]:
        known = {**post, self._rules.text_field: post["text"]}
        return {name: known[name] for name in ("id", *fields) if name in known}

    async def _posts(self, owner: str, dialect: Dialect) -> list[Doc]:
        """Those of the last day that count against the same allowance."""
        since = time.time() - LASTS_S
        return [
            post
            for post in await self._store.newest(POSTS, READ_MAX)
            if post["account"] == owner
            and (number_at(post, "made") or 0) >= since
            and self._rules.dialect(text_at(post, "kind")).quota == dialect.quota
        ]

    async def _container(self, owner: str, container_id: str) -> Doc:
        found = await self._store.get(CONTAINERS, container_id)
        if found is None or found["owner"] != owner:
            raise missing(container_id)
        return found


def _own(request: Request, *, posting: bool = False) -> str:
    """The account, whose own paths these must be. Raises RefusedError."""
    name, user_id = authorize(request), str(request.path_params["user_id"])
    if user_id not in ("me", number_of(name)):
        raise missing(user_id)
    if posting and is_readonly(request):
        raise refused(10, "Application does not have permission for this action", status=403)
    return name


def _word(container: Doc) -> str:
    age_s = time.time() - (number_at(container, "made") or 0)
    if container["post"]:
        return "PUBLISHED"
    if age_s > LASTS_S:
        return "EXPIRED"
    if age_s < PROCESSING_LASTS_S:
        return "IN_PROGRESS"
    return "ERROR" if container["reason"] else "FINISHED"


def _unpublishable(word: str) -> RefusedError:
    match word:
        case "IN_PROGRESS":
            return refused(9007, "Media ID is not available: the media is not ready to be published", 2207027)
        case "EXPIRED":
            return refused(-2, "The media builder with this creation id has expired", 2207020)
        case _:
            return refused(24, "The requested resource does not exist", 2207006)

"""The sandbox's posts, and the timelines they are found in.

Source: docs.x.com/x-api/posts/create-post, docs.x.com/x-api/users/get-posts; a duplicate as X tells it.
"""

import hashlib
import html
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import list_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import now
from services.platforms.sandboxing.store import Doc, Store
from services.platforms.sandboxing.web import POSTS, json_body
from services.platforms.x.checks import PLATFORM
from services.platforms.x.sandbox_accounts import Owner, authorize, invalid, new_id, problem
from services.platforms.x.sandbox_media import MediaService
from services.platforms.x.sandbox_uploads import media_key
from services.platforms.x.text import links, weighted_length

TIMELINE = "tweet"
LATEST = "latest"  # what an account said, by its digest
DUPLICATE_WITHIN_S = 24 * 3_600.0  # X tells no number
KNOWN_FIELDS = frozenset({"text", "media", "reply", "quote_tweet_id", "made_with_ai", "paid_partnership"})
READ_MAX = 10_000


class Posts:
    """/2/tweets and /2/users/{id}/tweets."""

    def __init__(self, store: Store, media: MediaService) -> None:
        self._store = store
        self._media = media

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [
            Route("/2/tweets", self._create, methods=["POST"]),
            Route("/2/users/{id:int}/tweets", self._timeline),
        ]

    async def _create(self, request: Request) -> Response:
        owner = authorize(request, writing=True)
        wanted = await json_body(request, invalid, 80_000)
        text, ids = text_at(wanted, "text"), [str(it) for it in list_at(wanted, "media", "media_ids")]
        _check(wanted, text, ids)
        uploads = [await self._media.usable(owner, media_id) for media_id in ids]
        kinds = [text_at(upload, "category") for upload in uploads]
        if len(set(kinds)) > 1 or (len(kinds) > 1 and kinds[0] != "tweet_image"):
            raise invalid("A post has up to 4 images, or 1 GIF, or 1 video.", "media.media_ids")
        post_id = new_id()
        await self._refuse_duplicate(owner, text, ids)
        await self._store.add(TIMELINE, post_id, _tweet(post_id, owner, wanted, text, uploads))
        await self._store.add(POSTS, post_id, _received(post_id, owner, wanted, text, uploads))
        return JSONResponse({"data": {"id": post_id, "text": text}}, 201)

    async def _refuse_duplicate(self, owner: Owner, text: str, ids: Sequence[str]) -> None:
        """The same words are refused, unless there are other media with them."""
        digest = hashlib.sha256("\0".join([owner.user_id, text.strip(), *ids]).encode()).hexdigest()
        moment, recent = time.time(), []

        def again(doc: Doc) -> Doc:
            if moment - cast(float, doc["at"]) < DUPLICATE_WITHIN_S:
                recent.append(doc)
                return doc
            return {"at": moment}

        if await self._store.add(LATEST, digest, {"at": moment}):
            return
        await self._store.update(LATEST, digest, again)
        if recent:
            raise problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")

    async def _timeline(self, request: Request) -> Response:
        authorize(request)
        query, user_id = request.query_params, str(request.path_params["id"])
        count, skip = query.get("max_results", "10"), query.get("pagination_token", "0")
        if not count.isdigit() or not 5 <= int(count) <= 100 or not skip.isdigit():
            raise invalid("max_results must be 5 to 100", "max_results")
        start = _instant(query.get("start_time", ""))
        found = [
            doc
            for doc in await self._store.newest(TIMELINE, READ_MAX)
            if doc["author_id"] == user_id and (start is None or _created(doc) >= start)
        ]
        page = found[int(skip) : int(skip) + int(count)]
        meta: dict[str, JSON] = {"result_count": len(page)}
        if len(found) > int(skip) + int(count):
            meta["next_token"] = str(int(skip) + int(count))
        return JSONResponse({"meta": meta, **({"data": [dict(doc) for doc in page]} if page else {})})


def _check(wanted: Doc, text: str, ids: Sequence[str]) -> None:
    if unknown := set(wanted) - KNOWN_FIELDS:
        raise invalid(f"{', '.join(sorted(unknown))} is not a field", "body")
    limit = catalog.load()[PLATFORM].text.max_length
    if not text.strip() and not ids:
        raise invalid("text or media must be given", "text")
    if weighted_length(text) > limit:
        raise invalid(f"Text must be shorter than {limit} weighted characters.", "text")
    if "media" in wanted and not 1 <= len(ids) <= 4:
        raise invalid("media_ids must have 1 to 4 items", "media.media_ids")


def _tweet(post_id: str, owner: Owner, wanted: Doc, text: str, uploads: Sequence[Doc]) -> dict[str, JSON]:
    """As timelines give it: links shortened, one added for media or a quoted post, three characters escaped."""
    entities: list[JSON] = []
    parts, at = [], 0
    for number, link in enumerate(links(text)):
        short = _short(f"{post_id}/{number}")
        entities.append({"url": short, "expanded_url": link.url})
        parts += [html.escape(text[at : link.start], quote=False), short]
        at = link.end
    parts.append(html.escape(text[at:], quote=False))
    keys: list[JSON] = [media_key(upload) for upload in uploads]
    page = f"https://x.com/{owner.username}/status/{post_id}"
    if quoted := text_at(wanted, "quote_tweet_id"):
        short = _short(f"{post_id}/quote")
        parts.append(f" {short}")
        entities.append({"url": short, "expanded_url": f"https://x.com/i/status/{quoted}"})
    if keys:
        short = _short(f"{post_id}/media")
        parts.append(f" {short}")
        entities += [{"url": short, "expanded_url": f"{page}/photo/1", "media_key": key} for key in keys]
    tweet: dict[str, JSON] = {
        "id": post_id,
        "author_id": owner.user_id,
        "text": "".join(parts).strip(),
        "created_at": _now_text(),
    }
    if entities:
        tweet["entities"] = {"urls": entities}
    return tweet | ({"attachments": {"media_keys": keys}} if keys else {})


def _received(
    post_id: str, owner: Owner, wanted: Mapping[str, JSON], text: str, uploads: Sequence[Doc]
) -> dict[str, JSON]:
    """The post in the shape all sandboxes show."""
    media: list[JSON] = [
        {**cast("dict[str, JSON]", upload["media"]), "altText": upload["altText"]} for upload in uploads
    ]
    return {
        "id": post_id,
        "account": f"@{owner.username}",
        "text": text,
        "createdAt": _now_text(),
        "media": media,
        "replyTo": text_at(wanted, "reply", "in_reply_to_tweet_id"),
        "record": dict(wanted),
    }


def _short(name: str) -> str:
    return f"https://t.co/{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def _now_text() -> str:
    return now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _created(tweet: Doc) -> datetime:
    return datetime.fromisoformat(text_at(tweet, "created_at"))


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise invalid("start_time must be a date and time with a zone", "start_time") from exc
    if found.tzinfo is None:
        raise invalid("start_time must be a date and time with a zone", "start_time")
    return found

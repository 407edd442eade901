"""The sandbox's posts.

Source: learn.microsoft.com/linkedin/marketing/community-management/shares/{posts,multiimage-post}-api, read 2026-09-19.
"""

import re
import time
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import at, list_at, text_at
from services.platforms.linkedin.checks import PLATFORM, VISIBILITIES
from services.platforms.linkedin.sandbox_accounts import authorize, invalid, is_own, refused, refused_input
from services.platforms.linkedin.sandbox_media import Media
from services.platforms.linkedin.text import seen
from services.platforms.ports import JSON
from services.platforms.sandboxing.graph import new_id
from services.platforms.sandboxing.state import now
from services.platforms.sandboxing.store import Doc, Store
from services.platforms.sandboxing.web import POSTS, json_body

READ_MAX = 10_000
DUPLICATE_WITHIN_S = 600.0
REQUIRED = frozenset(
    ["author", "commentary", "visibility", "distribution", "lifecycleState", "isReshareDisabledByAuthor"]
)
DISTRIBUTION: JSON = {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []}
# A template, an escaped character, or one that needs no escape.
_LITTLE = re.compile(
    r"(?:\{hashtag\|\\#\|(?:\\.|[^\\|{}])+\}|\\[|{}@\[\]()<>#\\*_~]|[^|{}@\[\]()<>#\\*_~])*", re.DOTALL
)


class Posts:
    """Of every account."""

    def __init__(self, store: Store, media: Media) -> None:
        self._store = store
        self._media = media

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [Route("/rest/posts", self._post, methods=["POST"]), Route("/rest/posts", self._listed)]

    async def _post(self, request: Request) -> Response:
        name = authorize(request, posting=True)
        wanted = await json_body(request, invalid, 1_000_000)
        _check(wanted, name)
        shown = _content(wanted)
        media: list[JSON] = []
        for one in shown:
            found = await self._media.ready(name, text_at(one, "id"))
            media.append({**cast("dict[str, JSON]", found["medium"]), "altText": at(one, "altText")})
        is_video = [text_at(one, "id").startswith("urn:li:video:") for one in shown]
        if any(is_video) and len(shown) > 1:
            raise invalid("multiImage has images")
        if not (shown or text_at(wanted, "commentary").strip()):
            raise invalid("commentary is empty")
        await self._unlike(name, wanted)
        urn, moment = f"urn:li:share:{new_id()}", now()
        post: dict[str, JSON] = {
            "id": urn, "account": name, "text": seen(text_at(wanted, "commentary")), "made": moment.timestamp(),
            "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "media": media, "title": at(shown[0], "title") if shown else None,
            "details": {"visibility": at(wanted, "visibility")}, "wanted": dict(wanted),
        }  # fmt: skip
        await self._store.add(POSTS, urn, post)
        return Response(status_code=201, headers={"x-restli-id": urn})

    async def _unlike(self, name: str, wanted: Doc) -> None:
        since = time.time() - DUPLICATE_WITHIN_S
        for post in await self._store.newest(POSTS, READ_MAX):
            if post["account"] == name and post["wanted"] == wanted and cast(float, post["made"]) >= since:
                message = f"Content is a duplicate of {post['id']}"
                raise refused_input("DUPLICATE_POST", "Duplicate post is detected", message)

    async def _listed(self, request: Request) -> Response:
        name, query = authorize(request, looking=True), request.query_params
        count = query.get("count", "10")
        if query.get("q") != "author" or not is_own(query.get("author", ""), name):
            raise invalid("q must be author, and author the token's")
        if not count.isdigit() or not 1 <= int(count) <= 100 or query.get("sortBy", "CREATED") != "CREATED":
            raise invalid("count is 1 to 100")
        mine: list[JSON] = [
            {**cast("dict[str, JSON]", post["wanted"]), "id": post["id"], "createdAt": _ms(post)}
            for post in await self._store.newest(POSTS, READ_MAX)
            if post["account"] == name and at(post, "wanted", "author") == query["author"]
        ]
        return JSONResponse({"elements": mine[: int(count)], "paging": {"start": 0, "count": int(count)}})


def _check(wanted: Doc, name: str) -> None:
    if set(wanted) - {"content"} != REQUIRED:
        raise invalid(f"a post has {', '.join(sorted(REQUIRED))}, and may have content")
    if not is_own(text_at(wanted, "author"), name):
        raise refused(403, "ACCESS_DENIED", "The author is not the token's")
    said, limit = wanted["commentary"], catalog.load()[PLATFORM].text.max_length
    if not isinstance(said, str) or not _LITTLE.fullmatch(said) or len(seen(said)) > limit:
        raise invalid("commentary is no little text, or too long")
    if wanted["visibility"] not in VISIBILITIES.values() or wanted["distribution"] != DISTRIBUTION:
        raise invalid("visibility or distribution is wrong")
    if wanted["lifecycleState"] != "PUBLISHED" or not isinstance(wanted["isReshareDisabledByAuthor"], bool):
        raise invalid("lifecycleState must be PUBLISHED, and isReshareDisabledByAuthor true or false")


def _content(wanted: Doc) -> list[JSON]:
    """What it shows. Raises RefusedError."""
    if "content" not in wanted:
        return []
    several, image = at(wanted, "content", "multiImage", "images"), catalog.load()[PLATFORM].image
    assert image is not None
    shown = list_at(wanted, "content", "multiImage", "images") if several else [at(wanted, "content", "media")]
    if several is not None and not 2 <= len(shown) <= image.max_count:
        raise invalid(f"multiImage has 2 to {image.max_count} images")
    for one in shown:
        if not isinstance(one, dict) or set(one) - {"id", "altText", "title"} or not text_at(one, "id"):
            raise invalid("a medium has an id, and may have altText and title")
        if len(text_at(one, "altText")) > image.alt_text_max:
            raise invalid("altText is too long")
    return shown


def _ms(post: Doc) -> int:
    return int(cast(float, post["made"]) * 1000)

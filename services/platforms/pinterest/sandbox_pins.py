"""The sandbox's pins: made of images in the request, of URLs or of a processed video, and listed by board.

Source: github.com/pinterest/api-description v5/openapi.json, PinCreate and PinMediaSource.
"""

import asyncio
import base64
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms import catalog
from services.platforms.calls import at, list_at, single, text_at
from services.platforms.pinterest.checks import ITEM_TEXTS, PLATFORM, item_limits
from services.platforms.pinterest.sandbox_accounts import Boards, authorize, invalid, listed, new_id, refused
from services.platforms.pinterest.sandbox_media import MediaService
from services.platforms.ports import JSON
from services.platforms.sandboxing.sniff import UNKNOWN, Facts, sniff
from services.platforms.sandboxing.state import now
from services.platforms.sandboxing.store import Doc, Store, TooLargeError
from services.platforms.sandboxing.web import POSTS, json_body, media_doc

PINS = "pin"
IMAGE_MAX_BYTES = 20_000_000
READ_MAX = 10_000
FIELDS = frozenset(
    ["board_id", "board_section_id", "title", "description", "link", "alt_text", "dominant_color", "media_source"]
)
ITEM_FIELDS = {
    "multiple_image_base64": frozenset(["content_type", "data", *ITEM_TEXTS]),
    "multiple_image_urls": frozenset(["url", *ITEM_TEXTS]),
}
MEDIA_TYPES = {"image_base64": "image", "image_url": "image", "video_id": "video"}


class Pins:
    """/v5/pins and the pins of boards."""

    def __init__(self, store: Store, boards: Boards, media: MediaService) -> None:
        self._store = store
        self._boards = boards
        self._media = media

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [
            Route("/v5/pins", self._create, methods=["POST"]),
            Route("/v5/pins/{pin_id}", self._get),
            Route("/v5/boards/{board_id}/pins", self._of_board),
            Route("/v5/boards/{board_id}/sections/{section_id}/pins", self._of_board),
        ]

    async def _create(self, request: Request) -> Response:
        owner = authorize(request, writing=True)
        wanted = await json_body(request, invalid)
        _check(wanted)
        board = await self._boards.find(owner, text_at(wanted, "board_id"))
        if section_id := text_at(wanted, "board_section_id"):
            await self._boards.find_section(owner, text_at(board, "id"), section_id)
        source = at(wanted, "media_source")
        if not isinstance(source, dict):
            raise invalid("media_source is missing")
        kind = text_at(source, "source_type")
        items = _items(source) if kind in ITEM_FIELDS else []
        media, cover = await self._shown(owner, source, items)
        pin_id, moment = new_id(), now()
        pin: dict[str, JSON] = {name: wanted.get(name) for name in FIELDS - {"media_source"}}
        pin |= {
            "id": pin_id,
            "created_at": moment.strftime("%Y-%m-%dT%H:%M:%S"),
            "board_owner": {"username": owner},
            "media": {
                "media_type": MEDIA_TYPES.get(kind, "multiple_images"),
                **({"items": [_read_item(item) for item in items]} if items else {}),
            },
        }
        post: dict[str, JSON] = {
            "id": pin_id,
            "account": owner,
            "text": text_at(wanted, "description"),
            "title": text_at(wanted, "title"),
            "link": text_at(wanted, "link"),
            "board": board["name"],
            "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "media": [{**one, "altText": wanted.get("alt_text") if n == 0 else None} for n, one in enumerate(media)],
            "cover": cover,
            "details": {"board": board["name"], "items": _said(items)},
        }
        await self._store.add(PINS, pin_id, pin)
        await self._store.add(POSTS, pin_id, post)
        return JSONResponse(pin, 201)

    async def _get(self, request: Request) -> Response:
        authorize(request)
        found = await self._store.get(PINS, str(request.path_params["pin_id"]))
        if found is None:
            raise refused(404, 50, "Pin not found.")
        return JSONResponse(dict(found))

    async def _of_board(self, request: Request) -> Response:
        owner = authorize(request)
        board = await self._boards.find(owner, str(request.path_params["board_id"]))
        mine = [
            doc
            for doc in await self._store.newest(PINS, READ_MAX)
            if doc["board_id"] == board["id"] and text_at(doc, "board_owner", "username") == owner
        ]
        if "section_id" in request.path_params:
            section_id = str(request.path_params["section_id"])
            await self._boards.find_section(owner, text_at(board, "id"), section_id)
            mine = [doc for doc in mine if doc["board_section_id"] == section_id]
        return JSONResponse(listed(mine, request))

    async def _shown(
        self, owner: str, source: Mapping[str, JSON], items: list[Mapping[str, JSON]]
    ) -> tuple[list[dict[str, JSON]], JSON]:
        """What the pin shows, `items` in a carousel, and the picture before a video plays. Raises RefusedError."""
        match text_at(source, "source_type"):
            case "image_base64":
                return [await self._inline(source)], None
            case "image_url":
                return [_by_url(source)], None
            case "multiple_image_base64":
                return [await self._inline(item) for item in items], None
            case "multiple_image_urls":
                return [_by_url(item) for item in items], None
            case "video_id":
                video = await self._media.usable(owner, text_at(source, "media_id"))
                shown = video["media"]
                assert isinstance(shown, dict)
                return [shown], await self._cover(source)
            case other:
                raise invalid(f"{other!r} is not a source_type")

    async def _cover(self, source: Mapping[str, JSON]) -> JSON:
        if text_at(source, "cover_image_url"):
            return {"url": source["cover_image_url"]}
        if text_at(source, "cover_image_content_type"):
            kind, data = source["cover_image_content_type"], source.get("cover_image_data")
            return await self._inline({"content_type": kind, "data": data})
        second = source.get("cover_image_key_frame_time")
        if isinstance(second, bool) or not isinstance(second, int) or second < 0:
            raise invalid("video pins need cover_image_url or cover_image_content_type")
        return {"second": second}

    async def _inline(self, item: Mapping[str, JSON]) -> dict[str, JSON]:
        declared, encoded = text_at(item, "content_type"), text_at(item, "data")
        image = catalog.load()[PLATFORM].image
        if image is None or declared not in image.limits.accept:
            raise invalid(f"content_type {declared!r} is not one of image/jpeg, image/png")
        try:
            data = await asyncio.to_thread(base64.b64decode, encoded, validate=True)
            file = await self._store.keep(single(data), IMAGE_MAX_BYTES)
        except (ValueError, TooLargeError) as exc:
            raise invalid("data is no base64 of an image, or too large") from exc
        facts = await asyncio.to_thread(sniff, file.path)
        if facts.content_type != declared:
            raise invalid(f"the image is {facts.content_type}, not {declared}")
        return media_doc(file.sha256, file.size_bytes, facts, alt_text=None)


def _check(wanted: Doc) -> None:
    _only(wanted, FIELDS, "a pin")
    platform = catalog.load()[PLATFORM]
    own = {name: platform.most(f"options.{name}") for name in ("title", "link")}
    alt_max = platform.image.alt_text_max if platform.image else 0
    _short(wanted, own | {"description": platform.text.max_length, "alt_text": alt_max})


def _only(wanted: Mapping[str, JSON], fields: frozenset[str], what: str) -> None:
    if unknown := wanted.keys() - fields:
        raise invalid(f"{', '.join(sorted(unknown))} is no field of {what}")


def _short(wanted: Mapping[str, JSON], limits: Mapping[str, int]) -> None:
    for name, limit in limits.items():
        if len(text_at(wanted, name)) > limit:
            raise invalid(f"{name} is longer than {limit} characters")


def _read_item(item: Mapping[str, JSON]) -> JSON:
    """As a pin that is read shows it."""
    return {"item_type": "image", **{name: item.get(name) for name in ITEM_TEXTS}}


def _said(items: list[Mapping[str, JSON]]) -> JSON:
    """What each image says for itself, for people; None if none says anything."""
    texts = [" | ".join(filter(None, (text_at(item, name) for name in ITEM_TEXTS))) for item in items]
    return [text or "nothing" for text in texts] if any(texts) else None


def _items(source: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    found = [item for item in list_at(source, "items") if isinstance(item, dict)]
    if not 2 <= len(found) <= 5:
        raise invalid("items must be 2 to 5 images")
    for item in found:
        _only(item, ITEM_FIELDS[text_at(source, "source_type")], "an item")
        if not all(isinstance(item[name], str) for name in ITEM_TEXTS if name in item):
            raise invalid("title, description and link of an item are strings")
        _short(item, item_limits())
    return list(found)


def _by_url(item: Mapping[str, JSON]) -> dict[str, JSON]:
    """Not fetched: the sandbox reaches nothing."""
    url = text_at(item, "url")
    if urlsplit(url).scheme not in ("http", "https"):
        raise invalid("url is no URL")
    return media_doc("", 0, Facts(UNKNOWN), alt_text=None, url=url)

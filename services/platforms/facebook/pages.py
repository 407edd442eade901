"""A page's photos, which nobody sees until a post shows them, its posts, and how one is found again.

Source: developers.facebook.com/docs/pages-api/posts, …/docs/graph-api/reference/page/{photos,feed}, read 2026-11-24.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from services.platforms.calls import WHOSE, answered_without, at, list_at, text_at
from services.platforms.facebook import refusals
from services.platforms.facebook.checks import is_reel
from services.platforms.forms import form
from services.platforms.graph import Graph, Service
from services.platforms.ports import JSON, Absent, Asset, CannotTell, Draft, Fault, PlatformError, Progress, Receipt

# A page's token does not expire, so none is refreshed.
SERVICE = Service("Facebook", "https://graph.facebook.com", "/v25.0", "", "id", refusals.meaning)
MARGIN = timedelta(seconds=60)  # between our clock and Facebook's
FIELDS = "id,message,created_time,attachments{target,subattachments}"
PAGE, MAX_PAGES = "100", 5


async def photo(graph: Graph, page_id: str, asset: Asset, progress: Progress, index: int) -> str:
    """The id of a photo that is there, and not shown. Raises PlatformError."""
    step = f"photo-{index}"
    if (saved := progress.load(step)) is not None:
        return text_at(saved, "id")
    fields = {"published": "false", **({"alt_text_custom": asset.alt_text} if asset.alt_text else {})}
    sent = form(fields, name="source", content_type=asset.content_type, size_bytes=asset.size_bytes, file=asset.read())
    headers = {**graph.headers, **sent.headers}
    call = graph.http.post(graph.url(f"/{page_id}/photos"), content=sent.content, headers=headers)
    made = text_at(await graph.answered(call), "id")
    if not made:
        raise answered_without("Facebook", "the photo's id")
    await progress.save(step, {"id": made})
    return made


def post(draft: Draft, photos: list[JSON]) -> dict[str, str]:
    """The form of POST /{page}/feed."""
    wanted = {"message": draft.text} if draft.text.strip() else {}
    if link := draft.options.get("link"):
        wanted["link"] = str(link)
    shown = {f"attached_media[{n}]": f'{{"media_fbid":"{photo_id}"}}' for n, photo_id in enumerate(photos)}
    return wanted | shown


def receipt(post_id: str) -> Receipt:
    """Of a post of the feed."""
    return Receipt(post_id, f"https://www.facebook.com/{post_id}")


def of_video(draft: Draft, page_id: str, video_id: str) -> Receipt:
    """Of a video or reel."""
    where = f"reel/{video_id}" if is_reel(draft) else f"{page_id}/videos/{video_id}"
    return Receipt(video_id, f"https://www.facebook.com/{where}")


async def look(
    graph: Graph, page_id: str, draft: Draft, photos: list[JSON], since: datetime
) -> Receipt | Absent | CannotTell:
    """The page's post that shows these photos, whose ids nobody else has, or else says this text."""
    query = {"fields": FIELDS, "limit": PAGE, "since": str(int((since - MARGIN).timestamp()))}
    for _ in range(MAX_PAGES):
        try:
            found = await graph.get(f"/{page_id}/feed", query)
        except PlatformError as exc:
            if exc.fault in (Fault.PERMANENT, Fault.REBUILD):
                return CannotTell()
            raise
        for one in list_at(found, "data"):
            if _is_ours(one, draft, photos):
                return replace(receipt(text_at(one, "id")), looked_up=True)
        after = text_at(found, "paging", "cursors", "after")
        if not after or not text_at(found, "paging", "next"):
            return Absent(safe_to_send=False)
        query["after"] = after
    return CannotTell()


def _is_ours(found: JSON, draft: Draft, photos: list[JSON]) -> bool:
    shown = _photos(found)
    if photos:
        return shown == {str(it) for it in photos}
    return _plain(text_at(found, "message")) == _plain(draft.text) and not shown


def _photos(found: JSON) -> set[str]:
    """Ids of what a post shows: of one photo itself, of several those of its album."""
    ids = set()
    for one in list_at(found, "attachments", "data"):
        below = list_at(one, "subattachments", "data")
        ids |= {text_at(it, "target", "id") for it in (below or [one])}
    return ids - {""}


def _plain(text: str) -> str:
    return " ".join(text.split())


def page_of(found: Mapping[str, JSON]) -> tuple[str, str]:
    """Id and name of whose token it is. Raises PlatformError(ACCOUNT) if that is no page."""
    page_id, name = text_at(found, "id"), text_at(found, "name")
    if not page_id:
        raise answered_without("Facebook", WHOSE)
    if at(found, "category") is None:
        raise PlatformError(
            Fault.ACCOUNT, "page_missing", "The token is a person's. Facebook's API posts on pages only."
        )
    return page_id, name or page_id

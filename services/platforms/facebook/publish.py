"""Publishes to Facebook pages: photos are brought unseen and shown by one post, a video is shown by its last word.

A page's own token with the scopes pages_manage_posts, pages_read_engagement and, for videos, publish_video.
Only the app itself, by its `client_id` and `client_secret`, or who develops it is told a token's scopes.
Source: developers.facebook.com/docs/pages-api/posts, …/docs/video-api/guides/reels-publishing, read 2026-11-24,
…/docs/graph-api/reference/debug_token, read 2026-11-26.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import httpx

from services.platforms.calls import body, list_at, once, text_at
from services.platforms.facebook import checks, pages, refusals, videos
from services.platforms.graph import BUSY, Graph, refusal
from services.platforms.ports import (
    DUPLICATE_POST,
    JSON,
    Absent,
    Account,
    CannotTell,
    Draft,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Progress,
    Receipt,
    Underway,
    VerifiedAccount,
)  # fmt: skip
from services.platforms.scopes import require

SCOPES = (("pages_manage_posts",), ("pages_read_engagement",))


class Facebook:
    """ports.Publisher and ports.ChoosesPresets for pages on facebook.com."""

    id = checks.PLATFORM

    def preset(self, options: Mapping[str, JSON]) -> str:
        """Reels have a shape of their own."""
        return f"{self.id}.reel" if options.get("mediaType") == "reel" else ""

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See checks.py."""
        return list(checks.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Asks which page the token is for and, in the app's own name if it is given, what the token may do."""
        graph = _graph(http, account)
        page_id, name = await _page(graph)
        client_id, secret = (account.credentials.get(key, "") for key in ("client_id", "client_secret"))
        if client_id and secret:
            require(pages.SERVICE.name, await graph.scopes(f"{client_id}|{secret}"), SCOPES)
        return VerifiedAccount(name, page_id, {**account.credentials, "page_id": page_id})

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """None of ours: a video's id is Facebook's, and a post of the feed has none before it is there."""
        return ""

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Brings the photos, or the video but for the word that it is all."""
        graph = Graph(pages.SERVICE, http, account, waits=True)
        page_id = account.credentials.get("page_id") or (await _page(graph))[0]
        if checks.is_video(draft):
            return {"pageId": page_id, **await videos.Upload(graph, page_id, draft, progress).bring()}
        photos: list[JSON] = []
        for index, asset in enumerate(draft.assets):
            photos.append(await pages.photo(graph, page_id, asset, progress, index))
        return {"pageId": page_id, "photos": photos}

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """POST /feed, or a video's last word, unless it is known to have been heard."""
        graph, page_id = _graph(http, account), text_at(prepared, "pageId")
        video_id = text_at(prepared, "videoId")
        if not video_id:
            return await _posted(graph, page_id, draft, list_at(prepared, "photos"))
        status = await videos.status(graph, video_id)
        if status.word in videos.GIVEN_UP:
            raise refusals.failed(status.word, status.said)
        if not status.published:
            await videos.finish(graph, page_id, draft, prepared)
        return pages.of_video(draft, page_id, video_id)

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        """Asks the video, or looks through the page's newest posts, where one that is not there may appear later."""
        graph, page_id = _graph(http, account), text_at(prepared, "pageId")
        video_id = text_at(prepared, "videoId")
        if not video_id:
            return await pages.look(graph, page_id, draft, list_at(prepared, "photos"), since)
        try:
            status = await videos.status(graph, video_id)
        except PlatformError as exc:
            if exc.fault in (Fault.PERMANENT, Fault.REBUILD):
                return CannotTell()
            raise
        if status.published:
            return pages.of_video(draft, page_id, video_id)
        if prepared.get("finished") is True and status.word not in videos.GIVEN_UP:
            raise Underway(retry_after_s=videos.POLL_S)
        return Absent(safe_to_send=True)  # one id is one post, however often its last word is said


def _graph(http: httpx.AsyncClient, account: Account) -> Graph:
    return Graph(pages.SERVICE, http, account)


async def _page(graph: Graph) -> tuple[str, str]:
    """Of a person's token, Facebook refuses to tell the category."""
    try:
        return pages.page_of(await graph.get("/me", {"fields": "id,name,category"}))
    except PlatformError as exc:
        if exc.fault is Fault.PERMANENT:
            raise PlatformError(Fault.ACCOUNT, "page_missing", f"The token is not a page's: {exc.message}") from exc
        raise


async def _posted(graph: Graph, page_id: str, draft: Draft, photos: list[JSON]) -> Receipt:
    """A text Facebook calls a duplicate may be ours, of a try whose answer was lost, and is looked for."""
    answer = await once(graph.send(f"/{page_id}/feed", pages.post(draft, photos)))
    if answer.is_success:
        post_id = text_at(body(answer), "id")
        if not post_id:
            raise OutcomeUnknown("Facebook answered without the post's id")
        return pages.receipt(post_id)
    error = refusal(pages.SERVICE, answer)
    if (error.fault, error.code) == BUSY:
        raise OutcomeUnknown(f"Facebook answered: {error.message}")
    if error.code == DUPLICATE_POST:
        found = await pages.look(graph, page_id, draft, photos, draft.created_at)
        if isinstance(found, Receipt):
            return found
    raise error


PUBLISHER = Facebook()

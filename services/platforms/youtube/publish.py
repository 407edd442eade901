"""Publishes to YouTube: the video arrives hidden and is processed, then one update lets people see it.

The video's id, known before, is what a second try is told by: an update says the same however often it is made.
Source: developers.google.com/youtube/v3/docs/videos/{insert,list,update}, …/docs/thumbnails/set, read 2026-10-08,
…/identity/protocols/oauth2/scopes, googleapis.com/discovery/v1/apis/oauth2/v2/rest, read 2026-11-26.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import httpx

from services.platforms import oauth
from services.platforms.bearer import Api
from services.platforms.calls import at, body, list_at, once, repeatable, text_at
from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    Asset,
    CannotTell,
    Draft,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Progress,
    Receipt,
    VerifiedAccount,
)  # fmt: skip
from services.platforms.scopes import require
from services.platforms.youtube import checks, refusals
from services.platforms.youtube.resource import SERVICE, VIDEOS, privacy, status
from services.platforms.youtube.uploads import Upload

POLL_S = 5.0
THUMBNAIL = "thumbnail"
_AUTH = "https://www.googleapis.com/auth/"
SCOPES = ((f"{_AUTH}youtube", f"{_AUTH}youtube.force-ssl", f"{_AUTH}youtubepartner"),)  # to show what was uploaded


class YouTube:
    """ports.Publisher for channels on youtube.com."""

    id = checks.PLATFORM

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See checks.py."""
        return list(checks.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Asks what the token may do, and which channel it is for."""

        async def ask(tried: Account) -> tuple[str, str]:
            api = Api(SERVICE, http, tried)
            require(SERVICE.name, await _scopes(api), SCOPES)
            found = await api.get("/youtube/v3/channels", {"part": "id,snippet", "mine": "true"})
            return text_at(found, "items", 0, "id"), text_at(found, "items", 0, "snippet", "title")

        (channel_id, title), credentials = await oauth.with_renewal(account, ask)
        if not channel_id:
            raise PlatformError(Fault.ACCOUNT, "channel_missing", "The account has no channel on YouTube. Make one.")
        return VerifiedAccount(title or channel_id, channel_id, {**credentials, "channel_id": channel_id})

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """None of ours: YouTube gives it, with the video."""
        return ""

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Uploads the video, gives it its picture, and waits until YouTube has processed it."""
        api = Api(SERVICE, http, account)
        video_id = await Upload(api, draft, progress).bring()
        if draft.cover is not None and progress.load(THUMBNAIL) is None:
            await progress.save(THUMBNAIL, {"set": await _set_thumbnail(api, video_id, draft.cover)})
        await _processed(api, video_id)
        return {"videoId": video_id}

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """PUT /videos with the whole status."""
        api, video_id, wanted = Api(SERVICE, http, account), text_at(prepared, "videoId"), privacy(draft)
        update: dict[str, JSON] = {"id": video_id, "status": status(draft, wanted)}
        url = api.url(VIDEOS)
        answer = await once(http.put(url, params={"part": "status"}, json=update, headers=api.headers))
        if answer.is_success:
            seen_by = text_at(body(answer), "status", "privacyStatus")
            if not seen_by:
                raise OutcomeUnknown("YouTube answered without the video's status")
            if seen_by != wanted:
                message = f"YouTube keeps the video {seen_by}, as it does with all of apps that it has not audited."
                raise PlatformError(Fault.PERMANENT, "privacy_locked", message)
            return _receipt(video_id)
        raise await api.refusal(answer)

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        """Asks who may see the video."""
        video_id = text_at(prepared, "videoId")
        found = await _asked(Api(SERVICE, http, account), video_id)
        if found is None:
            return CannotTell()
        same = text_at(found, "status", "privacyStatus") == privacy(draft)
        return _receipt(video_id) if same else Absent(safe_to_send=True)


async def _scopes(api: Api) -> str:
    """What Google says of the token; "" of one it does not take, which is refused, and renewed, elsewhere."""
    query = {"access_token": api.account.credentials.get("access_token", "")}
    answer = await repeatable(api.http.post(api.url("/oauth2/v2/tokeninfo"), params=query))
    return text_at(body(answer), "scope") if answer.is_success else ""


async def _set_thumbnail(api: Api, video_id: str, cover: Asset) -> bool:
    """False: the channel may set none, or none like this. Its video has YouTube's own then."""
    url = api.url("/upload/youtube/v3/thumbnails/set")
    query = {"videoId": video_id, "uploadType": "media"}
    headers = {**api.headers, "Content-Type": cover.content_type, "Content-Length": str(cover.size_bytes)}
    answer = await repeatable(api.http.post(url, params=query, content=cover.read(), headers=headers))
    if answer.is_success:
        return True
    error = await api.refusal(answer)
    if error.fault is not Fault.PERMANENT:
        raise error
    return False


async def _processed(api: Api, video_id: str) -> None:
    """Raises PlatformError: NOT_READY until the video can be watched."""
    found = await _asked(api, video_id)
    if found is None:  # lists lag behind
        raise PlatformError(Fault.TRANSIENT, "video_not_found", "YouTube does not list the video.")
    match text_at(found, "status", "uploadStatus"):
        case "processed":
            return
        case "failed" | "rejected" | "deleted" as word:
            reasons = (text_at(found, "status", name) for name in ("failureReason", "rejectionReason"))
            raise refusals.unprocessed(word, next(filter(None, reasons), ""))
        case _:
            message = "YouTube is processing the video."
            raise PlatformError(Fault.NOT_READY, "media_processing", message, retry_after_s=POLL_S)


async def _asked(api: Api, video_id: str) -> Mapping[str, JSON] | None:
    """The video with its status; None if YouTube shows us none of this id."""
    found = await api.get(VIDEOS, {"part": "status", "id": video_id})
    item = at(found, "items", 0) if list_at(found, "items") else None
    return item if isinstance(item, dict) else None


def _receipt(video_id: str) -> Receipt:
    return Receipt(video_id, f"https://www.youtube.com/watch?v={video_id}")


PUBLISHER = YouTube()

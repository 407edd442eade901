"""A video on its way to YouTube: one session, whose address is kept, and which tells how many bytes it holds.

The video arrives hidden. Source: developers.google.com/youtube/v3/guides/using_resumable_upload_protocol, read
2026-10-08.
"""

import re
from collections.abc import AsyncIterator

import httpx

from services.common.guarded_http import origin_of
from services.platforms.bearer import Api
from services.platforms.calls import answered_without, behind, body, repeatable, text_at
from services.platforms.ports import Asset, Draft, Fault, PlatformError, Progress
from services.platforms.youtube.resource import HIDDEN, VIDEOS, snippet, status

STEP = "upload"
INCOMPLETE = 308
GONE = (httpx.codes.NOT_FOUND, httpx.codes.GONE)

_RANGE = re.compile(r"bytes=0-(\d+)")


class Upload:
    """Brings one video to YouTube, however many calls that takes."""

    def __init__(self, api: Api, draft: Draft, progress: Progress) -> None:
        self._api = api
        self._draft = draft
        self._asset: Asset = draft.assets[0]
        self._progress = progress

    async def bring(self) -> str:
        """The video's id; its session is forgotten then, since whoever has its address may write to it."""
        saved = self._progress.load(STEP)
        if saved is None:
            session = await self._opened()
            await self._progress.save(STEP, {"session": session})
            return await self._kept(await self._sent(session, 0))
        if video_id := text_at(saved, "videoId"):
            return video_id
        session = text_at(saved, "session")
        return await self._kept(await self._continued(session))

    async def _kept(self, video_id: str) -> str:
        await self._progress.save(STEP, {"videoId": video_id})
        return video_id

    async def _opened(self) -> str:
        query = {"uploadType": "resumable", "part": "snippet,status"}
        if "notifySubscribers" in self._draft.options:
            query["notifySubscribers"] = "true" if self._draft.options["notifySubscribers"] else "false"
        headers = {
            **self._api.headers,
            "X-Upload-Content-Length": str(self._asset.size_bytes),
            "X-Upload-Content-Type": self._asset.content_type,
        }
        wanted = {"snippet": snippet(self._draft), "status": status(self._draft, HIDDEN)}
        url = self._api.url(f"/upload{VIDEOS}")
        answer = await repeatable(self._api.http.post(url, params=query, json=wanted, headers=headers))
        if not answer.is_success:
            raise await self._api.refusal(answer)
        return self._session(answer)

    def _session(self, answer: httpx.Response) -> str:
        """Its address. The token goes there, so it must be YouTube's own."""
        found: str = answer.headers.get("location", "")
        try:
            ours = origin_of(found) == origin_of(self._api.url(""))
        except ValueError:
            ours = False
        if not ours:
            raise answered_without("YouTube", "a place for the video")
        return found

    async def _continued(self, session: str) -> str:
        """Asks how many bytes arrived, and sends the others."""
        headers = {"Content-Range": f"bytes */{self._asset.size_bytes}", "Content-Length": "0"}
        found = await self._put(session, headers, None)
        return found if isinstance(found, str) else await self._sent(session, found)

    async def _sent(self, session: str, offset: int) -> str:
        """The video's id, after everything from `offset` on."""
        size = self._asset.size_bytes
        while offset < size:
            headers = {
                "Content-Range": f"bytes {offset}-{size - 1}/{size}",
                "Content-Length": str(size - offset),
                "Content-Type": self._asset.content_type,
            }
            found = await self._put(session, headers, behind(self._asset.read(), offset))
            if isinstance(found, str):
                return found
            if found <= offset:
                break
            offset = found
        raise PlatformError(Fault.TRANSIENT, "upload_stalled", "YouTube did not take the rest of the video.")

    async def _put(self, session: str, headers: dict[str, str], content: AsyncIterator[bytes] | None) -> str | int:
        """The id of a video that is whole, else how many bytes of it YouTube has."""
        sent = {**self._api.headers, **headers}
        answer = await repeatable(self._api.http.put(session, content=content, headers=sent))
        if answer.status_code == INCOMPLETE:
            had = _RANGE.fullmatch(answer.headers.get("range", ""))
            return int(had[1]) + 1 if had else 0
        if answer.status_code in GONE:
            raise PlatformError(Fault.REBUILD, "upload_lost", "YouTube does not know the upload any more.")
        if not answer.is_success:
            raise await self._api.refusal(answer)
        video_id = text_at(body(answer), "id")
        if not video_id:
            raise answered_without("YouTube", "the video's id")
        return video_id

"""A video on its way to Facebook, and what became of it. Its id is known before its bytes are sent.

Videos of the feed go in chunks of the size Facebook asks for, reels to a store that takes whatever is behind an
offset. Nobody sees either before its upload is finished, which is the one mutation; one id is one post.
Source: developers.facebook.com/docs/video-api/guides/{publishing,reels-publishing}, read 2026-11-24.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from services.common.guarded_http import origin_of
from services.platforms.calls import answered_without, at, behind, body, number_at, once, repeatable, text_at, within
from services.platforms.facebook import refusals
from services.platforms.facebook.checks import is_reel
from services.platforms.facebook.pages import SERVICE
from services.platforms.forms import form
from services.platforms.graph import BUSY, Graph, refusal
from services.platforms.ports import (
    DUPLICATE_POST,
    JSON,
    Draft,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Progress,
    Underway,
)

STEP = "video"
POLL_S = 3.0
VIDEO_HOST, STORE_HOST = "https://graph-video.facebook.com", "rupload.facebook.com"
GIVEN_UP = ("error", "expired", "upload_failed")


@dataclass(frozen=True, slots=True)
class Status:
    """word: uploading, upload_complete, processing, ready, error, expired, upload_failed. published: people see it."""

    word: str
    arrived: int
    published: bool
    said: str


async def status(graph: Graph, video_id: str) -> Status:
    """Asks what became of a video. Raises PlatformError: REBUILD if there is none of this id."""
    found = at(await graph.get(f"/{video_id}", {"fields": "status"}), "status")
    word = text_at(found, "video_status")
    if not word:
        raise answered_without("Facebook", "the video's status")
    phases = ("processing_phase", "publishing_phase")
    failing = any(text_at(found, phase, "status") == "error" for phase in phases)
    said = next(filter(None, (text_at(found, phase, "error", "message") for phase in phases)), "")
    return Status(
        "error" if failing and word not in GIVEN_UP else word,
        int(number_at(found, "uploading_phase", "bytes_transfered") or 0),  # as Facebook spells it
        text_at(found, "publishing_phase", "status") == "complete",
        said,
    )


class Upload:
    """Brings one video to Facebook, but for the word that it is all."""

    def __init__(self, graph: Graph, page_id: str, draft: Draft, progress: Progress) -> None:
        self._graph = graph
        self._page_id = page_id
        self._asset = draft.assets[0]
        self._is_reel = is_reel(draft)
        self._progress = progress

    async def bring(self) -> Mapping[str, JSON]:
        """{"videoId", "sessionId"}; a reel has no session. Raises PlatformError."""
        saved = self._progress.load(STEP)
        if saved is None:
            saved = await self._opened()
            await self._progress.save(STEP, saved)
        if saved.get("whole") is not True:
            await (self._to_store(saved) if self._is_reel else self._in_chunks(saved))
            saved = {**saved, "whole": True}
            await self._progress.save(STEP, saved)
        return {"videoId": text_at(saved, "videoId"), "sessionId": text_at(saved, "sessionId")}

    async def _opened(self) -> dict[str, JSON]:
        if self._is_reel:
            found = await self._graph.post(f"/{self._page_id}/video_reels", {"upload_phase": "start"})
            place = {"videoId": text_at(found, "video_id"), "url": self._store(text_at(found, "upload_url"))}
        else:
            wanted = {"upload_phase": "start", "file_size": str(self._asset.size_bytes)}
            found = await self._graph.answered(_send(self._graph, f"/{self._page_id}/videos", wanted))
            place = {"videoId": text_at(found, "video_id"), "sessionId": text_at(found, "upload_session_id")}
        if not all(place.values()):
            raise _unreadable()
        chunk = {} if self._is_reel else {"first": _offset(found, "start"), "end": _offset(found, "end")}
        return {**place, **chunk}

    def _store(self, url: str) -> str:
        """Its address. The token goes there, so it must be Facebook's own."""
        base = self._graph.account.base_url
        try:
            ours = origin_of(url) == origin_of(base) if base else urlsplit(url)[:2] == ("https", STORE_HOST)
        except ValueError:
            ours = False
        return url if ours else ""

    async def _to_store(self, saved: Mapping[str, JSON]) -> None:
        size = self._asset.size_bytes
        found = await status(self._graph, text_at(saved, "videoId"))
        if found.word in GIVEN_UP:
            raise refusals.failed("expired", "")
        if found.arrived >= size:
            return
        headers = {
            "Authorization": f"OAuth {self._graph.token}",
            "offset": str(found.arrived),
            "file_size": str(size),
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size - found.arrived),
        }
        rest = behind(self._asset.read(), found.arrived)
        answer = await repeatable(self._graph.http.post(text_at(saved, "url"), content=rest, headers=headers))
        if not answer.is_success:
            raise refusals.of_store(SERVICE, answer)

    async def _in_chunks(self, saved: Mapping[str, JSON]) -> None:
        first, end = (int(number_at(saved, name) or 0) for name in ("first", "end"))
        session, corrected = text_at(saved, "sessionId"), False
        while first < end:
            answer = await self._chunk(session, first, end)
            found = body(answer) if answer.is_success else self._expected(answer)
            before, (first, end) = first, (_offset(found, "start"), _offset(found, "end"))
            corrected, again = corrected or not answer.is_success, corrected
            if first <= before and (answer.is_success or again):
                raise PlatformError(Fault.TRANSIENT, "upload_stalled", "Facebook did not take the rest of the video.")
            saved = {**saved, "first": first, "end": end}
            await self._progress.save(STEP, saved)

    async def _chunk(self, session: str, first: int, end: int) -> httpx.Response:
        fields = {"upload_phase": "transfer", "upload_session_id": session, "start_offset": str(first)}
        sent = form(
            fields,
            name="video_file_chunk",
            content_type="application/octet-stream",
            size_bytes=end - first,
            file=within(behind(self._asset.read(), first), end - first),
        )
        headers = {**self._graph.headers, **sent.headers}
        url = _video_url(self._graph, f"/{self._page_id}/videos")
        return await self._graph.asked(self._graph.http.post(url, content=sent.content, headers=headers))

    def _expected(self, answer: httpx.Response) -> Mapping[str, JSON]:
        """Where Facebook wants to go on, if that is all it says. Raises PlatformError."""
        error = refusal(SERVICE, answer)
        found = at(body(answer), "error", "error_data")
        if error.code != refusals.OFFSET_WRONG or not isinstance(found, dict):
            raise error
        return found


async def finish(graph: Graph, page_id: str, draft: Draft, prepared: Mapping[str, JSON]) -> None:
    """Lets people see the video, once.

    Raises:
        Underway: Facebook processes it, and shows it then.
        Otherwise as ports.Publisher.publish().
    """
    said = {"description": draft.text} if draft.text.strip() else {}
    if is_reel(draft):
        wanted = {
            "upload_phase": "finish",
            "video_id": text_at(prepared, "videoId"),
            "video_state": "PUBLISHED",
            **said,
        }
        answer = await once(graph.send(f"/{page_id}/video_reels", wanted))
    else:
        wanted = {"upload_phase": "finish", "upload_session_id": text_at(prepared, "sessionId"), **said}
        answer = await once(_send(graph, f"/{page_id}/videos", wanted))
    if answer.is_client_error:
        error = refusal(SERVICE, answer)
        if (error.fault, error.code) == BUSY or error.code == DUPLICATE_POST:
            raise OutcomeUnknown(f"Facebook answered: {error.message}")
        raise error
    if at(body(answer), "success") is not True:
        raise OutcomeUnknown(f"Facebook answered {answer.status_code}, and not that it has the video")
    raise Underway({"finished": True}, retry_after_s=POLL_S)


def _video_url(graph: Graph, path: str) -> str:
    return f"{graph.account.base_url or VIDEO_HOST}{SERVICE.version}{path}"


def _send(graph: Graph, path: str, wanted: Mapping[str, str]) -> Awaitable[httpx.Response]:
    return graph.http.post(_video_url(graph, path), data=dict(wanted), headers=graph.headers)


def _offset(found: Mapping[str, JSON], name: str) -> int:
    """Facebook writes numbers as texts."""
    said = text_at(found, f"{name}_offset")
    if not said.isdigit():
        raise _unreadable()
    return int(said)


def _unreadable() -> PlatformError:
    return answered_without("Facebook", "a place for the video")

"""A video on its way to TikTok, in chunks, of which the last one makes the post.

Source: developers.tiktok.com/doc/content-posting-api-media-transfer-guide, read 2026-10-08.
"""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx

from services.platforms.calls import InTurn, answered_without, behind, number_at, once, repeatable, text_at
from services.platforms.ports import (
    JSON,
    SECRET,
    Asset,
    Draft,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Progress,
    Underway,
)
from services.platforms.tiktok.api import PUBLISH, Status, TikTok
from services.platforms.tiktok.forms import CHUNK_BYTES, last_chunk, video

STEP = "upload"
LASTS_S = 3_600.0
MARGIN_S = 300.0  # an address this close to its end is not begun with any more
# The address is at its end, or its upload is.
GONE = (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND, httpx.codes.GONE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video goes. until: seconds since 1970."""

    publish_id: str
    url: str
    until: float

    def to_json(self) -> dict[str, JSON]:
        """What is saved, and prepared. The address knows no token: whoever has it may write there."""
        return {"publishId": self.publish_id, "until": self.until, SECRET: {"uploadUrl": self.url}}


def place_in(found: Mapping[str, JSON]) -> Place:
    """What to_json() gave, or the version before it."""
    url = text_at(found, SECRET, "uploadUrl") or text_at(found, "uploadUrl")
    return Place(text_at(found, "publishId"), url, number_at(found, "until") or 0.0)


class Upload:
    """Brings one video to TikTok, but for its last chunk."""

    def __init__(self, tiktok: TikTok, draft: Draft, progress: Progress) -> None:
        self._tiktok = tiktok
        self._draft = draft
        self._asset: Asset = draft.assets[0]
        self._progress = progress

    def begun(self) -> Place | None:
        """Where an earlier call brought it."""
        saved = self._progress.load(STEP)
        return None if saved is None else place_in(saved)

    async def bring(self) -> Place:
        """Of a post for which only the last chunk is missing, unless it came to more already."""
        place, arrived = self.begun(), 0
        if place is not None:
            status = await self._tiktok.status(place.publish_id)
            arrived = status.uploaded_bytes
            if is_sent(status, self._asset.size_bytes):
                return place
            if status.word == "FAILED" or place.until - MARGIN_S < time.time():
                place = None  # without its last chunk, nothing comes of it
        if place is None:
            place, arrived = await self._opened(), 0
        await self._chunks(place, arrived)
        return place

    async def _opened(self) -> Place:
        found = await self._tiktok.post(f"{PUBLISH}/video/init/", video(self._draft))
        place = Place(text_at(found, "publish_id"), text_at(found, "upload_url"), time.time() + LASTS_S)
        if not (place.publish_id and place.url):
            raise answered_without("TikTok", "a place for the video")
        await self._progress.save(STEP, place.to_json())
        return place

    async def _chunks(self, place: Place, arrived: int) -> None:
        """All behind the first `arrived` bytes, but for the last."""
        last = last_chunk(self._asset.size_bytes)
        if arrived >= last:
            return
        read = InTurn(self._asset.read(), arrived)
        try:
            for first in range(arrived, last, CHUNK_BYTES):
                chunk = read.next(CHUNK_BYTES)
                answer = await repeatable(_put(self._tiktok, place.url, self._asset, chunk, first, CHUNK_BYTES))
                if not answer.is_success:
                    raise _lost(answer)
        finally:
            await read.close()


async def finish(tiktok: TikTok, draft: Draft, place_url: str, wait_s: float) -> None:
    """Sends the last chunk, once.

    Raises:
        Underway: TikTok has all of the video.
        Otherwise as ports.Publisher.publish().
    """
    asset = draft.assets[0]
    first = last_chunk(asset.size_bytes)
    chunk = behind(asset.read(), first)
    answer = await once(_put(tiktok, place_url, asset, chunk, first, asset.size_bytes - first))
    if answer.status_code in GONE:
        raise _lost(answer)
    if answer.status_code != httpx.codes.CREATED:
        raise OutcomeUnknown(f"TikTok's store answered {answer.status_code}")
    raise Underway(retry_after_s=wait_s)


def is_sent(status: Status, size: int) -> bool:
    """Whether TikTok needs nothing more of us to publish the post, or has done so."""
    waits = status.word == "PROCESSING_UPLOAD" and status.uploaded_bytes < size
    return status.word != "FAILED" and not waits


async def _put(
    tiktok: TikTok, url: str, asset: Asset, chunk: AsyncIterator[bytes], first: int, length: int
) -> httpx.Response:
    """One chunk. Its address knows no token."""
    headers = {
        "Content-Type": asset.content_type,
        "Content-Length": str(length),
        "Content-Range": f"bytes {first}-{first + length - 1}/{asset.size_bytes}",
    }
    return await tiktok.api.http.put(url, content=chunk, headers=headers)


def _lost(answer: httpx.Response) -> PlatformError:
    message = f"TikTok's store does not take the upload any more ({answer.status_code})."
    return PlatformError(Fault.REBUILD, "upload_lost", message)

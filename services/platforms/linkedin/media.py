"""Images and videos on their way to LinkedIn, each by an address LinkedIn names, and waited for.

A post of a medium that is not ready is never seen, so what may not be asked for is given time instead.
Source: learn.microsoft.com/linkedin/marketing/community-management/shares/{images,videos}-api, read 2026-09-19.
"""

import time
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import httpx

from services.common.guarded_http import origin_of
from services.platforms.calls import answered_without, at, behind, list_at, number_at, repeatable, text_at, within
from services.platforms.linkedin import refusals
from services.platforms.linkedin.api import LinkedIn
from services.platforms.ports import JSON, Asset, Fault, PlatformError, Progress

POLL_S = 3.0
IMAGE_WAIT_S, VIDEO_WAIT_S = 5.0, 60.0  # for accounts that may not ask
GONE = (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND, httpx.codes.GONE)


class Upload:
    """Brings one medium to LinkedIn, however many calls that takes."""

    def __init__(self, linkedin: LinkedIn, owner: str, asset: Asset, progress: Progress, index: int) -> None:
        self._linkedin = linkedin
        self._owner = owner
        self._asset = asset
        self._progress = progress
        self._step = f"medium-{index}"
        self._path = "/rest/videos" if asset.is_video else "/rest/images"

    async def send(self) -> None:
        """All of its bytes, if they are not there. Raises PlatformError."""
        saved = self._progress.load(self._step)
        if saved is None:
            saved = await self._kept(await (self._begun_video() if self._asset.is_video else self._begun_image()))
        if "sent" not in saved:
            await (self._parts(saved) if self._asset.is_video else self._image(saved))
            await self._kept({"urn": saved["urn"], "sent": time.time()})

    async def available(self) -> str:
        """The URN of what was sent, once it may be shown. Raises PlatformError: NOT_READY until then."""
        saved = self._progress.load(self._step) or {}
        urn = text_at(saved, "urn")
        await self._available(urn, number_at(saved, "sent") or 0.0)
        return urn

    async def _kept(self, state: Mapping[str, JSON]) -> Mapping[str, JSON]:
        await self._progress.save(self._step, state)
        return state

    async def _begun_image(self) -> dict[str, JSON]:
        found = at(await self._linkedin.act(self._path, "initializeUpload", {"owner": self._owner}), "value")
        urn, url = text_at(found, "image"), text_at(found, "uploadUrl")
        if not urn or not self._is_theirs(url):
            raise _unreadable()
        return {"urn": urn, "url": url}

    async def _begun_video(self) -> dict[str, JSON]:
        wanted: dict[str, JSON] = {
            "owner": self._owner,
            "fileSizeBytes": self._asset.size_bytes,
            "uploadCaptions": False,
            "uploadThumbnail": False,
        }
        found = at(await self._linkedin.act(self._path, "initializeUpload", wanted), "value")
        urn, parts = text_at(found, "video"), list_at(found, "uploadInstructions")
        if not (urn and parts):
            raise _unreadable()
        return {"urn": urn, "token": text_at(found, "uploadToken"), "parts": parts, "etags": []}

    def _is_theirs(self, url: str) -> bool:
        """The token goes there, so it must be LinkedIn's own."""
        base = self._linkedin.api.account.base_url
        try:
            if base:
                return origin_of(url) == origin_of(base)
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme == "https" and f".{parts.hostname}".endswith(".linkedin.com")

    async def _image(self, saved: Mapping[str, JSON]) -> None:
        headers = {**self._linkedin.api.headers, **self._sized(self._asset.size_bytes)}
        put = self._linkedin.api.http.put(text_at(saved, "url"), content=self._asset.read(), headers=headers)
        await self._taken(await repeatable(put))

    async def _parts(self, saved: Mapping[str, JSON]) -> None:
        """Those behind the ones whose etags are kept; then the word that it is all. Parts know no token."""
        parts, etags = list_at(saved, "parts"), list_at(saved, "etags")
        for part in parts[len(etags) :]:
            first, last = (int(number_at(part, name) or 0) for name in ("firstByte", "lastByte"))
            content = within(behind(self._asset.read(), first), last + 1 - first)
            headers = self._sized(last + 1 - first)
            put = self._linkedin.api.http.put(text_at(part, "uploadUrl"), content=content, headers=headers)
            answer = await self._taken(await repeatable(put))
            if not (etag := answer.headers.get("etag", "")):
                raise _unreadable()
            etags = [*etags, etag.strip('"')]
            await self._kept({**saved, "etags": etags})
        wanted: dict[str, JSON] = {
            "video": saved["urn"], "uploadToken": text_at(saved, "token"), "uploadedPartIds": etags,
        }  # fmt: skip
        await self._linkedin.act(self._path, "finalizeUpload", wanted)

    @staticmethod
    def _sized(length: int) -> dict[str, str]:
        return {"Content-Type": "application/octet-stream", "Content-Length": str(length)}

    async def _taken(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code in GONE:
            message = f"LinkedIn's store does not take the upload any more ({answer.status_code})."
            raise PlatformError(Fault.REBUILD, "upload_lost", message)
        if not answer.is_success:
            raise await self._linkedin.api.refusal(answer)
        return answer

    async def _available(self, urn: str, sent: float) -> None:
        try:
            word = text_at(await self._linkedin.get(f"{self._path}/{quote(urn, safe='')}"), "status")
        except PlatformError as exc:
            if exc.code != refusals.NOT_PERMITTED:
                raise
            left_s = sent + (VIDEO_WAIT_S if self._asset.is_video else IMAGE_WAIT_S) - time.time()
            if left_s > 0:
                message = "LinkedIn is processing the media."
                raise PlatformError(Fault.NOT_READY, "media_processing", message, retry_after_s=left_s) from exc
            return
        match word:
            case "AVAILABLE":
                return
            case "PROCESSING_FAILED":
                raise PlatformError(Fault.PERMANENT, "media_refused", "LinkedIn could not process the media.")
            case _:
                message = "LinkedIn is processing the media."
                raise PlatformError(Fault.NOT_READY, "media_processing", message, retry_after_s=POLL_S)


def _unreadable() -> PlatformError:
    return answered_without("LinkedIn", "a place for the media")

"""Media on their way to a server: one streamed request each, then processed.

Source: docs.joinmastodon.org/methods/media.
"""

import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace

import httpx

from services.platforms.bearer import Api
from services.platforms.calls import body, number_at, repeatable, text_at
from services.platforms.forms import form
from services.platforms.mastodon.refusals import error_of
from services.platforms.ports import JSON, Asset, Fault, PlatformError, Progress

POLL_S = 1.5
LASTS_S = 24 * 3_600.0  # a server forgets what no post shows after a day
MARGIN_S = 3_600.0  # media this close to their end are uploaded anew
THUMBNAIL = "error processing thumbnail"

FAILED_ONCE, PROCESSING, READY = "failed_once", "processing", "ready"


@dataclass(frozen=True, slots=True)
class Medium:
    """An upload, as it is saved. until: seconds since 1970, when the server forgets it."""

    media_id: str
    state: str
    until: float

    @staticmethod
    def load(saved: Mapping[str, JSON] | None) -> "Medium | None":
        """What was saved, unless the server has forgotten it."""
        if saved is None:
            return None
        found = Medium(text_at(saved, "id"), text_at(saved, "state"), number_at(saved, "until") or 0.0)
        return found if found.until > time.time() + MARGIN_S else None

    def to_json(self) -> dict[str, JSON]:
        """What load() reads."""
        return {"id": self.media_id, "state": self.state, "until": self.until}


class Upload:
    """Brings one asset to the server, however many calls that takes."""

    def __init__(self, api: Api, asset: Asset, progress: Progress, index: int) -> None:
        self._api = api
        self._asset = asset
        self._progress = progress
        self._step = f"media{index}"

    async def bring(self) -> str:
        """The medium's id, ready to be posted. Raises PlatformError: NOT_READY while the server processes it."""
        found = Medium.load(self._progress.load(self._step))
        if found is None or found.state == FAILED_ONCE:
            found = await self._uploaded(last=found is not None)
        else:
            # Asked again even if it was ready: some servers post without media they have forgotten.
            found = await self._polled(found)
        if found.state == PROCESSING:
            message = "The server is processing the media."
            raise PlatformError(Fault.NOT_READY, "media_processing", message, retry_after_s=POLL_S)
        return found.media_id

    async def _uploaded(self, *, last: bool) -> Medium:
        """last: the server has failed on these bytes before."""
        asset = self._asset
        fields = {"description": asset.alt_text} if asset.alt_text else {}
        whole = form(
            fields, name="file", content_type=asset.content_type, size_bytes=asset.size_bytes, file=asset.read()
        )
        headers = {**self._api.headers, **whole.headers}
        sent = self._api.http.post(self._api.url("/api/v2/media"), content=whole.content, headers=headers)
        answer = await repeatable(self._processed(sent, last=last))
        if not answer.is_success:
            raise await self._api.refusal(answer)
        media_id = text_at(body(answer), "id")
        if not media_id:
            raise PlatformError(Fault.TRANSIENT, "answer_unreadable", "The server answered without the upload's id.")
        state = READY if answer.status_code == httpx.codes.OK else PROCESSING
        return await self._keep(Medium(media_id, state, time.time() + LASTS_S))

    async def _processed(self, sent: Awaitable[httpx.Response], *, last: bool) -> httpx.Response:
        """The answer, unless the server failed on the bytes: that is worth one more try, and no third."""
        answer = await sent
        if answer.status_code != httpx.codes.INTERNAL_SERVER_ERROR or THUMBNAIL not in error_of(answer).lower():
            return answer
        if last:
            raise PlatformError(Fault.PERMANENT, "media_refused", "The server cannot process the media.")
        await self._keep(Medium("", FAILED_ONCE, time.time() + LASTS_S))
        message = "The server failed to process the media."
        raise PlatformError(Fault.TRANSIENT, "media_processing_failed", message)

    async def _polled(self, medium: Medium) -> Medium:
        url = self._api.url(f"/api/v1/media/{medium.media_id}")
        answer = await repeatable(self._api.http.get(url, headers=self._api.headers))
        match answer.status_code:
            case 200:
                return await self._keep(replace(medium, state=READY))
            case 206:
                return medium
            case 404:
                raise PlatformError(Fault.REBUILD, "upload_lost", "The server does not know the upload any more.")
            case 422:
                message = error_of(answer) or "The server cannot process the media."
                raise PlatformError(Fault.PERMANENT, "media_refused", message)
            case _:
                raise await self._api.refusal(answer)

    async def _keep(self, medium: Medium) -> Medium:
        saved = medium.to_json()
        if self._progress.load(self._step) != saved:
            await self._progress.save(self._step, saved)
        return medium

"""Media on their way to a server: one streamed request each, then processed, then given their cover.

Source: docs.joinmastodon.org/methods/media.
"""

import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace

import httpx

from services.platforms.bearer import Api
from services.platforms.calls import answered_without, body, number_at, repeatable, text_at
from services.platforms.forms import form
from services.platforms.mastodon.refusals import error_of
from services.platforms.ports import JSON, Asset, Fault, PlatformError, Progress

POLL_S = 1.5
LASTS_S = 24 * 3_600.0  # a server forgets what no post shows after a day
MARGIN_S = 3_600.0  # media this close to their end are uploaded anew
THUMBNAIL = "error processing thumbnail"

VIDEO = "video"  # as opposed to gifv, which has no sound
FAILED_ONCE, PROCESSING, READY = "failed_once", "processing", "ready"


@dataclass(frozen=True, slots=True)
class Medium:
    """An upload, as it is saved.

    until: seconds since 1970, when the server forgets it.   kind: the server's word for what it is.
    covered: nothing is left to be done about its cover.
    """

    media_id: str
    state: str
    until: float
    kind: str = ""
    covered: bool = False

    @staticmethod
    def load(saved: Mapping[str, JSON] | None) -> "Medium | None":
        """What was saved, unless the server has forgotten it."""
        if saved is None:
            return None
        found = Medium(
            text_at(saved, "id"),
            text_at(saved, "state"),
            number_at(saved, "until") or 0.0,
            text_at(saved, "kind"),
            saved.get("covered") is True,
        )
        return found if found.until > time.time() + MARGIN_S else None

    def to_json(self) -> dict[str, JSON]:
        """What load() reads."""
        return {
            "id": self.media_id, "state": self.state, "until": self.until, "kind": self.kind, "covered": self.covered
        }  # fmt: skip


class Upload:
    """Brings one asset to the server, however many calls that takes.

    Args:
        step: What the progress is saved under.   focus: x and y of what is to stay in view.
        cover: The picture shown before it plays, if it is a video.
    """

    def __init__(
        self,
        api: Api,
        asset: Asset,
        progress: Progress,
        step: str,
        *,
        focus: tuple[float, float] | None = None,
        cover: Asset | None = None,
    ) -> None:
        self._api = api
        self._asset = asset
        self._progress = progress
        self._step = step
        self._focus = focus
        self._cover = cover

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
        if self._cover is not None and found.kind == VIDEO and not found.covered:
            await self._give_cover(found, self._cover)
        return found.media_id

    async def _uploaded(self, *, last: bool) -> Medium:
        """last: the server has failed on these bytes before."""
        asset = self._asset
        fields = {"description": asset.alt_text} if asset.alt_text else {}
        if self._focus is not None:
            fields["focus"] = ",".join(map(str, self._focus))
        whole = form(
            fields, name="file", content_type=asset.content_type, size_bytes=asset.size_bytes, file=asset.read()
        )
        headers = {**self._api.headers, **whole.headers}
        sent = self._api.http.post(self._api.url("/api/v2/media"), content=whole.content, headers=headers)
        answer = await repeatable(self._processed(sent, last=last))
        if not answer.is_success:
            raise await self._api.refusal(answer)
        media_id, kind = text_at(body(answer), "id"), text_at(body(answer), "type")
        if not media_id:
            raise answered_without("The server", "the upload's id")
        state = READY if answer.status_code == httpx.codes.OK else PROCESSING
        return await self._keep(Medium(media_id, state, time.time() + LASTS_S, kind))

    async def _give_cover(self, medium: Medium, cover: Asset) -> None:
        """By itself, once the server says what it made of the film: one without sound takes no cover, and would be
        refused with it. A cover the server does not like leaves it its own, the first frame."""
        url = self._api.url(f"/api/v1/media/{medium.media_id}")
        sent = form(
            {}, name="thumbnail", content_type=cover.content_type, size_bytes=cover.size_bytes, file=cover.read()
        )
        headers = {**self._api.headers, **sent.headers}
        try:
            answer = await repeatable(_understood(self._api.http.put(url, content=sent.content, headers=headers)))
            if not answer.is_success:
                raise await self._api.refusal(answer)
        except PlatformError as exc:
            if exc.fault is not Fault.PERMANENT:
                raise
        await self._keep(replace(medium, covered=True))

    async def _processed(self, sent: Awaitable[httpx.Response], *, last: bool) -> httpx.Response:
        """The answer, unless the server failed on the bytes: that is worth one more try, and no third."""
        try:
            return await _understood(sent)
        except PlatformError as exc:
            if last:
                raise
            await self._keep(Medium("", FAILED_ONCE, time.time() + LASTS_S))
            message = "The server failed to process the media."
            raise PlatformError(Fault.TRANSIENT, "media_processing_failed", message) from exc

    async def _polled(self, medium: Medium) -> Medium:
        url = self._api.url(f"/api/v1/media/{medium.media_id}")
        answer = await repeatable(self._api.http.get(url, headers=self._api.headers))
        match answer.status_code:
            case 200:
                return await self._keep(replace(medium, state=READY, kind=text_at(body(answer), "type")))
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


async def _understood(sent: Awaitable[httpx.Response]) -> httpx.Response:
    """The answer. Raises PlatformError(PERMANENT) if the server failed on the bytes, which it tells by a 500."""
    answer = await sent
    if answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR and THUMBNAIL in error_of(answer).lower():
        raise PlatformError(Fault.PERMANENT, "media_refused", "The server cannot process the media.")
    return answer

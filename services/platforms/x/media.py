"""Media on their way to X: in one request if small, else in segments; then processed, then described.

Source: docs.x.com/x-api/media/quickstart/media-upload-chunked, docs.x.com/x-api/media/media-metadata.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from services.platforms.bearer import Api
from services.platforms.calls import answered_without, number_at, pieces, single, text_at
from services.platforms.forms import form
from services.platforms.ports import JSON, Asset, Fault, PlatformError, Progress
from services.platforms.x.checks import GIF

# X documents 5 MB; larger segments than 1 MiB were answered with 413 in practice, and 1,000 of these hold 1 GB.
SEGMENT_BYTES = 1024 * 1024
SAVE_EVERY = 8  # segments; what a crash makes us send again
MARGIN_S = 600.0  # media this close to their end are uploaded anew
POLL_S = 2.0  # where X does not say
UPLOAD = "/2/media/upload"

SENDING, PROCESSING, READY, DESCRIBED = "sending", "processing", "ready", "described"


@dataclass(frozen=True, slots=True)
class Medium:
    """An upload, as it is saved.

    Attributes:
        media_key: Its name in timelines.   sent: segments X has.   until: seconds since 1970, when X forgets it.
    """

    media_id: str
    media_key: str
    state: str
    sent: int
    until: float

    @staticmethod
    def load(saved: Mapping[str, JSON] | None) -> "Medium | None":
        """What was saved, unless X has forgotten it."""
        if saved is None:
            return None
        found = Medium(
            text_at(saved, "id"),
            text_at(saved, "key"),
            text_at(saved, "state"),
            int(number_at(saved, "sent") or 0),
            number_at(saved, "until") or 0.0,
        )
        return found if found.until > time.time() + MARGIN_S else None

    def to_json(self) -> dict[str, JSON]:
        """What load() reads."""
        return {"id": self.media_id, "key": self.media_key, "state": self.state, "sent": self.sent, "until": self.until}


class Upload:
    """Brings one asset to X, however many calls that takes."""

    def __init__(self, api: Api, asset: Asset, progress: Progress, index: int) -> None:
        self._api = api
        self._asset = asset
        self._progress = progress
        self._step = f"media{index}"

    async def bring(self) -> Medium:
        """The medium, ready to be posted. Raises PlatformError: NOT_READY while X processes it."""
        found = Medium.load(self._progress.load(self._step))
        if found is None:
            return await self._described(await self._new())
        try:
            return await self._described(await self._resumed(found))
        except PlatformError as exc:
            if exc.code in ("post_refused", "not_found"):  # it may have expired, or an answer to it was lost
                message = "X does not know the upload any more."
                raise PlatformError(Fault.REBUILD, "upload_lost", message) from exc
            raise

    async def _new(self) -> Medium:
        small = self._asset.size_bytes <= SEGMENT_BYTES and _category(self._asset) == "tweet_image"
        return await (self._at_once() if small else self._in_segments(await self._initialized()))

    async def _resumed(self, medium: Medium) -> Medium:
        match medium.state:
            case "sending":
                return await self._in_segments(medium)
            case "processing":
                return await self._polled(medium)
            case _:
                return medium

    async def _at_once(self) -> Medium:
        kind, size = self._asset.content_type, self._asset.size_bytes
        fields = {"media_category": _category(self._asset), "media_type": kind}
        whole = form(fields, name="media", content_type=kind, size_bytes=size, file=self._asset.read())
        return await self._keep(_medium(await self._api.send(UPLOAD, whole), READY))

    async def _initialized(self) -> Medium:
        wanted: dict[str, JSON] = {
            "media_type": self._asset.content_type,
            "total_bytes": self._asset.size_bytes,
            "media_category": _category(self._asset),
        }
        return await self._keep(_medium(await self._api.post(f"{UPLOAD}/initialize", wanted), SENDING))

    async def _in_segments(self, medium: Medium) -> Medium:
        index = 0
        async for segment in pieces(self._asset.read(), SEGMENT_BYTES):
            if index >= medium.sent:
                await self._append(medium, index, segment)
                medium = _changed(medium, sent=index + 1)
                if medium.sent % SAVE_EVERY == 0:
                    await self._keep(medium)
            index += 1
        answer = await self._api.post(f"{UPLOAD}/{medium.media_id}/finalize")
        return await self._settled(_changed(medium, state=PROCESSING), answer)

    async def _append(self, medium: Medium, index: int, segment: bytes) -> None:
        kind = "application/octet-stream"
        fields = {"segment_index": str(index)}
        part = form(fields, name="media", content_type=kind, size_bytes=len(segment), file=single(segment))
        await self._api.send(f"{UPLOAD}/{medium.media_id}/append", part)

    async def _polled(self, medium: Medium) -> Medium:
        query = {"command": "STATUS", "media_id": medium.media_id}
        return await self._settled(medium, await self._api.get(UPLOAD, query))

    async def _settled(self, medium: Medium, answer: Mapping[str, JSON]) -> Medium:
        match text_at(answer, "data", "processing_info", "state"):
            case "" | "succeeded":
                return await self._keep(_changed(medium, state=READY))
            case "failed":
                raise _failure(answer)
            case _:
                await self._keep(medium)
                wait_s = number_at(answer, "data", "processing_info", "check_after_secs") or POLL_S
                message = "X is processing the media."
                raise PlatformError(Fault.NOT_READY, "media_processing", message, retry_after_s=wait_s)

    async def _described(self, medium: Medium) -> Medium:
        """X shows descriptions of images only, so a video's is not sent."""
        alt_text = self._asset.alt_text
        if alt_text and not self._asset.is_video and medium.state != DESCRIBED:
            wanted: dict[str, JSON] = {"id": medium.media_id, "metadata": {"alt_text": {"text": alt_text}}}
            await self._api.post("/2/media/metadata", wanted)
            return await self._keep(_changed(medium, state=DESCRIBED))
        return medium

    async def _keep(self, medium: Medium) -> Medium:
        saved = medium.to_json()
        if self._progress.load(self._step) != saved:
            await self._progress.save(self._step, saved)
        return medium


def _category(asset: Asset) -> str:
    if asset.is_video:
        return "tweet_video"
    return "tweet_gif" if asset.content_type == GIF else "tweet_image"


def _medium(answer: Mapping[str, JSON], state: str) -> Medium:
    media_id, lasts_s = text_at(answer, "data", "id"), number_at(answer, "data", "expires_after_secs")
    if not media_id:
        raise answered_without("X", "the id of the upload")
    until = time.time() + (lasts_s if lasts_s is not None else 24 * 3_600)
    return Medium(media_id, text_at(answer, "data", "media_key"), state, 0, until)


def _changed(medium: Medium, *, state: str | None = None, sent: int | None = None) -> Medium:
    return Medium(
        medium.media_id,
        medium.media_key,
        medium.state if state is None else state,
        medium.sent if sent is None else sent,
        medium.until,
    )


def _failure(answer: Mapping[str, JSON]) -> PlatformError:
    name = text_at(answer, "data", "processing_info", "error", "name")
    message = text_at(answer, "data", "processing_info", "error", "message") or "X could not process the media."
    if name == "InternalError":
        return PlatformError(Fault.REBUILD, "media_processing_failed", message)
    return PlatformError(Fault.PERMANENT, "media_refused", message)

"""Videos on their way to Pinterest: registered, sent to a store by its own form, processed.

Source: developers.pinterest.com/docs/api/v5/media-create, …/create-boards-and-pins (the steps of a video pin).
"""

from collections.abc import Mapping
from typing import cast

import httpx

from services.platforms.bearer import Api
from services.platforms.calls import answered_without, at, repeatable, text_at
from services.platforms.forms import form
from services.platforms.ports import JSON, Asset, Fault, PlatformError, Progress

STEP = "video"
POLL_S = 3.0


async def bring(api: Api, asset: Asset, progress: Progress) -> str:
    """The media id of the processed video. Raises PlatformError: NOT_READY while Pinterest processes it."""
    saved = progress.load(STEP)
    if saved is None:
        # Kept only once the bytes are there: what the store wants to be told with them is a secret of some minutes.
        media_id = await _upload(api, asset)
        await progress.save(STEP, {"id": media_id})
    else:
        media_id = text_at(saved, "id")
        if saved.get("done"):
            return media_id
    await _processed(api, media_id)
    await progress.save(STEP, {"id": media_id, "done": True})
    return media_id


async def _upload(api: Api, asset: Asset) -> str:
    registered = await api.post("/v5/media", {"media_type": "video"})
    media_id, url, fields = text_at(registered, "media_id"), text_at(registered, "upload_url"), _fields(registered)
    if not (media_id and url and fields):
        raise answered_without("Pinterest", "a place for the video")
    # The store reads the fields in their order, and nothing after the file; it knows no bearer token.
    whole = form(fields, name="file", content_type=asset.content_type, size_bytes=asset.size_bytes, file=asset.read())
    answer = await repeatable(api.http.post(url, content=whole.content, headers=dict(whole.headers)))
    if not answer.is_success:
        raise _not_stored(answer)
    return media_id


async def _processed(api: Api, media_id: str) -> None:
    try:
        found = await api.get(f"/v5/media/{media_id}")
    except PlatformError as exc:
        if exc.code == "not_found":
            raise PlatformError(Fault.REBUILD, "upload_lost", "Pinterest does not know the video any more.") from exc
        raise
    match text_at(found, "status"):
        case "succeeded":
            return
        case "failed":
            raise PlatformError(Fault.PERMANENT, "media_refused", "Pinterest could not process the video.")
        case _:
            message = "Pinterest is processing the video."
            raise PlatformError(Fault.NOT_READY, "media_processing", message, retry_after_s=POLL_S)


def _fields(registered: Mapping[str, JSON]) -> dict[str, str]:
    found = at(registered, "upload_parameters")
    return {name: str(value) for name, value in cast("dict[str, JSON]", found or {}).items()}


def _not_stored(answer: httpx.Response) -> PlatformError:
    """The store answers in XML, of which only the code's name matters. A refused form is registered anew."""
    if "EntityTooLarge" in answer.text or answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return PlatformError(Fault.PERMANENT, "media_too_large", "Pinterest takes no video as large as this one.")
    return PlatformError(Fault.TRANSIENT, "upload_refused", f"Pinterest's store answered {answer.status_code}.")

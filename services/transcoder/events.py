"""What the transcoder hears."""

import re
from collections.abc import Callable

from mediaapi.v1 import events_pb2, media_pb2

from services.common.errors import Code, MediaError
from services.platforms.catalog import Kind
from services.transcoder.app.receiving import Promotion, Receiving
from services.transcoder.domain.item import Source
from services.transcoder.ports import Receipt, Ref

# Durable consumers: name and subjects. In which order an item's events come does not matter.
MEDIA = ("transcoder_media", ("media.v1.media_promoted", "media.v1.media_deleted"))
WANTED = ("transcoder_wanted", ("media.v1.variant_wanted",))

MEDIA_ID = re.compile(r"med_[0-9A-HJKMNP-TV-Z]{26}")
_KINDS: dict[int, Kind] = {media_pb2.MEDIA_KIND_IMAGE: "image", media_pb2.MEDIA_KIND_VIDEO: "video"}


class TranscoderEvents:
    """Handlers of the durable consumers transcoder_media and transcoder_wanted.

    Args:
        wake: There is work.
    """

    def __init__(self, receiving: Receiving, *, wake: Callable[[], None]) -> None:
        self._receiving = receiving
        self._wake = wake

    async def media(self, event: events_pb2.Event) -> None:
        """Ingest's word. Raises MediaError: INVALID_REQUEST, it makes no sense."""
        receipt = Receipt(MEDIA[0], event.id)
        if event.WhichOneof("payload") == "media_deleted":
            await self._receiving.deleted(_ref(event), receipt)
        else:
            await self._receiving.promoted(_promotion(event), receipt)

    async def wanted(self, event: events_pb2.Event) -> None:
        """The row says what is wanted; the event only that it is now."""
        self._wake()


def _promotion(event: events_pb2.Event) -> Promotion:
    said = event.media_promoted
    try:
        return Promotion(
            ref=_ref(event),
            kind=_KINDS[said.kind],
            content_type=said.content_type,
            source=Source(said.key, said.etag, said.size_bytes, said.sha256),
            request_id=event.request_id,
            cover_at_s=said.thumbnail_time if said.HasField("thumbnail_time") else None,
            version=event.version,
        )
    except (KeyError, ValueError) as exc:
        raise MediaError(Code.INVALID_REQUEST, why=f"{event.id}: {exc}") from exc


def _ref(event: events_pb2.Event) -> Ref:
    if not event.workspace_id or not MEDIA_ID.fullmatch(event.subject_id):
        raise MediaError(Code.INVALID_REQUEST, why=f"{event.id} is about {event.subject_id!r}")
    return Ref(event.workspace_id, event.subject_id)

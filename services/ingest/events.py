"""Ingest's side of the event stream: what it tells, and what it hears."""

from collections.abc import Callable
from typing import TypeAlias

from google.protobuf.json_format import MessageToJson
from mediaapi.v1 import events_pb2, media_pb2

from services.common import context, events
from services.common.context import CallContext
from services.ingest.app.following import Following
from services.ingest.app.judging import Judging
from services.ingest.app.rendering import Rendering, Word
from services.ingest.domain.formats import Kind
from services.ingest.domain.media import Fault, Media, State
from services.ingest.ports import Announcement, Receipt, Ref

SCAN_SUBJECTS = ("media.v1.media_sealed",)
RENDERED_SUBJECTS = ("media.v1.media_rendered",)
SCAN_CONSUMER = "ingest_scan"
RENDERED_CONSUMER = "ingest_rendered"

KINDS = {Kind.IMAGE: media_pb2.MEDIA_KIND_IMAGE, Kind.VIDEO: media_pb2.MEDIA_KIND_VIDEO}
STATUSES = {
    State.RECEIVING: media_pb2.MEDIA_STATUS_RECEIVING,
    State.SCANNING: media_pb2.MEDIA_STATUS_SCANNING,
    State.PROCESSING: media_pb2.MEDIA_STATUS_PROCESSING,
    State.READY: media_pb2.MEDIA_STATUS_READY,
    State.REJECTED: media_pb2.MEDIA_STATUS_REJECTED,
    State.FAILED: media_pb2.MEDIA_STATUS_FAILED,
}

_Payload: TypeAlias = (
    events_pb2.MediaSealed
    | events_pb2.MediaPromoted
    | events_pb2.MediaSettled
    | events_pb2.MediaExpiring
    | events_pb2.MediaDeleted
)


class IngestEvents:
    """Handlers of the durable consumers ingest_scan and ingest_rendered, and of what is said besides."""

    def __init__(self, judging: Judging, rendering: Rendering, following: Following) -> None:
        self._judging = judging
        self._rendering = rendering
        self._following = following

    async def sealed(self, event: events_pb2.Event) -> None:
        """A verdict is owed; whether it still is, the row says."""
        await self._judging.judge(Ref(event.workspace_id, event.subject_id))

    async def rendered(self, event: events_pb2.Event) -> None:
        """The transcoder's view of an item."""
        heard = event.media_rendered
        fault = Fault(heard.error.code, heard.error.message) if heard.HasField("error") else None
        word = Word(
            version=event.version,
            view=MessageToJson(heard, preserving_proto_field_name=True, indent=None),
            settled=heard.settled,
            fault=fault,
            thumbnail_time=heard.thumbnail_time if heard.HasField("thumbnail_time") else None,
        )
        ref = Ref(event.workspace_id, event.subject_id)
        await self._rendering.rendered(ref, word, Receipt(RENDERED_CONSUMER, event.id))

    def progress(self, body: bytes) -> None:
        """How far the films of an item are; kept nowhere."""
        said = events_pb2.MediaProgress.FromString(body)
        self._following.heard(Ref(said.workspace_id, said.media_id), dict(said.percent))


def telling(announcement: Announcement, media: Media) -> events_pb2.Event:
    """The event for one announcement; it belongs to the request that once brought the bytes in."""
    with context.use(CallContext(workspace_id=media.workspace_id, request_id=media.request_id)):
        return events.event(
            _PAYLOADS[announcement](media),
            workspace_id=media.workspace_id,
            subject_id=media.media_id,
            version=media.version,
        )


def _promoted(media: Media) -> events_pb2.MediaPromoted:
    return events_pb2.MediaPromoted(
        kind=KINDS[media.kind],
        content_type=media.content_type,
        key=media.active_key,
        etag=media.active_etag,
        size_bytes=media.size_bytes,
        sha256=media.sha256,
        filename=media.filename,
        thumbnail_time=media.thumbnail_time,
    )


_PAYLOADS: dict[Announcement, Callable[[Media], _Payload]] = {
    Announcement.SEALED: lambda media: events_pb2.MediaSealed(),
    Announcement.PROMOTED: _promoted,
    Announcement.SETTLED: lambda media: events_pb2.MediaSettled(status=STATUSES[media.state]),
    Announcement.EXPIRING: lambda media: events_pb2.MediaExpiring(),
    Announcement.DELETED: lambda media: events_pb2.MediaDeleted(expired=media.state is State.EXPIRED),
}
